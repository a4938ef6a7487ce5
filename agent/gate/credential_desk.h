#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/gate/core.h"
#include "agent/gate/marked_files.h"
#include "agent/gate/open_watch.h"
#include "agent/kernel/decode.h"

namespace holdpoint {

// Which process of a session first opened which file with credentials: an event "credential_read", and what the judge is
// told when a credential is used later. Nothing is stopped, and what is not seen takes nothing from what is.
//
// The configuration and the judge name the files; holdpoint-reader finds them with the session's own rights and puts marks
// on them. The kernel tells of a marked file whoever opens it; processes outside sessions are left out here. A file that
// is made or replaced later is looked for when its folder tells of it, and in any case once a minute. What is known of a
// session goes to the gate that takes over (kept_session.h).
class CredentialDesk {
 public:
  using Watch = absl::StatusOr<std::unique_ptr<OpenWatch>>;
  explicit CredentialDesk(Core core) : CredentialDesk(core, OpenWatch::Create(), OpenWatch::Create()) {}
  CredentialDesk(Core core, Watch files, Watch folders);

  // The session is confirmed, or its place has changed.
  void Look(SessionNumber number);
  void OnExec(const ExecEvent& event);
  void OnExit(const ExitEvent& event);
  // Events of the kernel programs that came before have been taken: who has ended is known by its exit.
  void Drain();
  bool Waiting() const { return watch_ != nullptr && !sessions_.empty() && watch_->Waiting(); }
  // Files that came and went, sessions that have ended. For a timer of a second.
  void Tick();

  // For `status` and `doctor`: what is in use, and what is missing.
  std::string in_use() const { return watch_ == nullptr ? "none" : "fanotify on single files"; }
  const std::string& missing() const { return missing_; }
  std::string Described() const;  // with how many files there are

 private:
  static constexpr int kAtOnce = 16;
  using File = std::shared_ptr<const MarkedFiles::File>;
  struct Looked {
    BootTime at;
    bool again = false;    // something was put into one of its folders
    int at_once = kAtOnce; // so many looks more; one comes back each second
    bool waits = false;    // for the reader
    std::set<std::string> silent{};  // what was asked for where a file system does not answer
    uint64_t program = 0;  // exec id of what its first process runs, or ran when it was last seen
  };
  struct Who {
    SessionNumber session = 0;
    ProcessId process;
    uint64_t exec_id = 0;
    BootTime at{};  // of its end, where it has ended
  };
  struct Open {
    File file;
    Who who;
    BootTime until;
  };
  struct Unresolved {
    File file;
    OpenWatch::Event event;
  };
  struct Program {
    uint64_t exec_id = 0;
    ProcessId process;
    ProcessId parent;
    uint32_t uid = 0;
    uint32_t gid = 0;
    std::string executable{};
    std::string cwd{};
  };

  std::vector<std::string> PatternsOf(const Session& session, std::vector<v1::CredentialFile>* from);
  void Take(SessionNumber number, const std::vector<v1::CredentialFile>& from, const FactsReader::Watched& found);
  void Complain(const std::string& path, absl::string_view why);
  void OnEvent(OpenWatch::Event event);
  void OnPut(const OpenWatch::Event& event);
  void Ask(SessionNumber number);
  void OnFile(const File& file, const Who& who, const OpenWatch::Event& event);
  bool Resolve(const OpenWatch::Event& event, Who* who) const;
  void Opened(const MarkedFiles::File& file, const Who& who, bool read);
  uint64_t ProgramOfRoot(const Session& session);
  const Program* ProgramOf(const Who& who) const;
  v1::Process Shown(const Who& who) const;

  Core core_;
  std::unique_ptr<OpenWatch> watch_, folders_;                 // both or none
  std::string missing_;
  MarkedFiles marked_;
  std::set<std::string> complained_;                           // of files that are not watched; each once
  std::map<SessionNumber, Looked> sessions_;
  std::vector<Program> programs_;                              // the last ones, at exec id modulo their number
  std::vector<Who> ended_;                                     // the same by pid
  std::vector<Open> open_;                                     // and not read yet
  std::vector<Unresolved> unresolved_;                         // the exits of who did it were not told yet
};

}  // namespace holdpoint
