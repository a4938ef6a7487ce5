#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "agent/base/ids.h"
#include "agent/base/watched_file.h"
#include "agent/gate/event_loop.h"
#include "agent/gate/judge_link.h"
#include "agent/response/response.h"

namespace holdpoint {

// The session that a running process is labelled with, 0 for none, nothing where that is not known.
using SessionOfPid = std::function<std::optional<SessionNumber>(uint32_t pid)>;

// Where the judge's facts come from: each request starts holdpoint-reader, which takes on the task's uid, groups, root,
// working directory and mount namespace before it looks at anything, and hands its answer back unread.
//
// A file system that a session serves itself may never answer, and a reader that waits for it outlives SIGKILL. It is
// given up at the end of its time; while kMaxStuck of a user's are left like that nothing more is read for that user,
// and the judge decides without. Thread: the gate's event thread; outlives every source.
class FactsReader {
 public:
  static constexpr int kMaxStuck = 16;

  FactsReader(EventLoop& loop, const Clock& clock, std::string program)
      : loop_(loop), clock_(clock), program_(std::move(program)) {}

  // A task that runs may have become another program: where `program` is given, nothing is read of one that is not that
  // file any more. Of the processes that are asked about the answer gets what `session_of` (may be empty) says, behind
  // what the reader wrote.
  JudgeLink::FactsSource About(StoppedTask task, std::optional<FileId> program = std::nullopt,
                               SessionOfPid session_of = nullptr);

  // Of `user`'s session: what of `parent`, `root` and the processes between them has a connection to a database, as
  // "PID PEER"; empty where none has. kUnavailable, kDeadlineExceeded, kResourceExhausted: it was not seen.
  using DatabaseDone = std::function<void(absl::StatusOr<std::string>)>;
  void DatabaseAbove(pid_t parent, pid_t root, uid_t user, DatabaseDone done);

  // Marks for these fanotify groups on the files that `patterns` call so in the session of `pid`, which is `user`'s; see
  // agent/reader/watch_files.h. Not `whole`: a file system did not answer, the rest was not looked for.
  struct Watched {
    std::vector<WatchedFile> files;
    bool whole = true;
  };
  // kAborted: somebody has ended the reader, which runs as `user`.
  using WatchDone = std::function<void(absl::StatusOr<Watched>)>;
  void Watch(pid_t pid, uid_t user, const std::vector<std::string>& patterns, int files, int folders,
             WatchDone done);
  // A reader still waits for a file system of this user.
  bool IsStuck(uid_t user) { return *StuckOf(user) > 0; }

 private:
  void Read(const StoppedTask& task, const std::optional<FileId>& program, const SessionOfPid& session_of,
            const v1::FactsWanted& wanted, JudgeLink::FactsDone done);
  std::shared_ptr<int> StuckOf(uid_t user);

  EventLoop& loop_;
  const Clock& clock_;
  const std::string program_;
  std::map<uid_t, std::shared_ptr<int>> stuck_;  // only users that have some
};

}  // namespace holdpoint
