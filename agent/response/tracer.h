#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/base/clock.h"
#include "agent/response/response.h"
#include "agent/response/tell_pool.h"

namespace holdpoint {

// A stop of a task at one exec: the same process may be stopped again at its next one.
using StopKey = std::pair<ProcessId, uint64_t>;
inline StopKey KeyOf(const StoppedTask& task) { return {task.id, task.exec_id}; }

struct Command {
  enum class Kind { kOwn, kRelease, kRefuse, kEnd, kKill, kTell };
  Kind kind = Kind::kOwn;
  StoppedTask task;
  std::string text;
  Responder::Done done;
};

// The state machine of every task that the Responder works on. All calls from one thread, the only one that makes
// ptrace calls; none of them blocks.
//
//   Settling --stopped--> Seizing --event stop--> Owned --text--> Telling --> Injecting --entry--> Exiting --> gone
//       |                    |                      |                |            |                   |
//       +---- refused by the kernel, bound passed, a check failed: SIGKILL --> Dying -----------------+--> gone
//
// Statuses are asked for one task at a time with __WNOTHREAD: children and tracees of other threads are never reaped.
// ptrace stops have no descriptor that becomes readable; while a task is on its way to one (microseconds) Advance()
// wants to be called again soon. That needs neither SIGCHLD nor any other thing that belongs to the whole process.
class Tracer {
 public:
  struct World {
    TaskStateWriter write_state;
    std::function<void(Responder::Done, ResponseResult)> complete;
    // A task is no longer traced or worked on; so many commands were taken for it.
    std::function<void(const StopKey&, int commands)> dropped;
    std::function<void(uint64_t task, uint64_t tell, TellPool::Told)> told;  // any thread; leads to Told()
    int epoll = -1;  // pidfds are added with the task's number as data; lead to Ended()
  };
  explicit Tracer(World world) : world_(std::move(world)) {}

  void Take(Command command);
  void Told(uint64_t task, uint64_t tell, TellPool::Told told);
  // The pidfd of a task is readable.
  void Ended(uint64_t task);
  // Moves on whatever can move. Returns when it wants to be called again at the latest; InfiniteDuration for never.
  absl::Duration Advance(BootTime now);

 private:
  enum class Phase { kNew, kSettling, kSeizing, kOwned, kTelling, kInjecting, kExiting, kDying };
  struct Task {
    uint64_t number = 0;
    StoppedTask task;
    Phase phase = Phase::kNew;
    BootTime deadline;  // of this phase; unused in kOwned
    bool traced = false;
    bool killed = false;  // by us
    uint64_t tell = 0;    // number of the text on its way, 0 for none
    std::deque<Command> commands;
    int taken = 0;  // commands, from the beginning
    bool told = false;
    std::string detail;

    pid_t pid() const { return task.id.tgid; }
    int pidfd() const { return task.pidfd->get(); }
  };

  void Enter(Task& task, Phase phase);
  void Begin(Task& task);
  void Seize(Task& task);
  void SeizeWaiting(Task& task);
  void TrySettled(Task& task);
  void TellAndKill(Task& task, absl::string_view why);
  void OnOwned(Task& task);
  void RunCommands(Task& task);
  void ReleaseOwned(Task& task);
  void StartTelling(Task& task);
  void AfterTelling(Task& task);
  void Inject(Task& task);
  void Resume(Task& task);
  void Kill(Task& task, absl::string_view why);
  void OnStop(Task& task, int status);
  void OnDeadline(Task& task);
  void OnEnded(Task& task, int status);
  void Wait(Task& task);
  void Finish(Task& task, ResponseResult::What what);
  void Drop(Task& task);
  void CompleteFront(Task& task, ResponseResult::What what);
  ResponseResult::What Outcome(const Task& task, int status) const;

  World world_;
  TellPool pool_;
  uint64_t next_number_ = 1;
  uint64_t next_tell_ = 1;
  std::map<uint64_t, Task> tasks_;
  std::map<StopKey, uint64_t> by_key_;
  std::set<uint64_t> busy_;  // those that are on their way somewhere
  bool moved_ = false;
  absl::Duration pause_ = absl::ZeroDuration();
};

}  // namespace holdpoint
