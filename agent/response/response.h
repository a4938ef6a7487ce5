#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/fd.h"
#include "agent/base/ids.h"
#include "bpf/shared/hp_abi.h"

namespace holdpoint {

// A task that the kernel stopped at exec, before its first instruction.
struct StoppedTask {
  ProcessId id;
  uint64_t exec_id = 0;
  std::shared_ptr<UniqueFd> pidfd;
  // Not stopped: it waits inside its execve (HP_TASK_WAITS). It is told of its verdict by its state alone, never by a
  // signal. Refuse and End end it by SIGKILL where it is not owned.
  bool waits = false;
};

// What became of a command given to Responder.
struct ResponseResult {
  enum class What {
    kOwned,     // traced by us: nothing else can let it run
    kReleased,  // runs its program
    kRefused,   // ended with exit status 126, not one instruction of its program run
    kKilled,    // ended by SIGKILL, as the fallback of a refusal or asked for, or by exit status 137 where End was
    kGone,      // had ended before; a normal outcome
  };
  What what = What::kGone;
  bool told = false;   // the whole text was written to its stderr
  std::string detail;  // why a fallback was taken, in one sentence; empty otherwise
};

// Writes the state of a task where the kernel programs read it; Kernel::SetTaskState in the daemon.
using TaskStateWriter = std::function<absl::Status(const StoppedTask&, hp_task_state)>;

// Acts on stopped tasks. One thread of its own makes every ptrace call; commands are queued to it and their results
// come back through Completed() on the caller's thread. No command waits behind another task's: a task that does not
// answer is killed after a bound (kernel work only: milliseconds).
//
// A command for a task which has ended completes as kGone. Death of this process kills every owned task
// (PTRACE_O_EXITKILL), and so does the end of the Responder; what was not dispatched then is dropped. Commands for the
// same stop are carried out in their order; those behind a Refuse, End or Kill complete with its outcome.
//
// Needs nothing of the whole process: no signal handler, no mask, no SIGCHLD. One rule for its other threads: wait for
// children by pid or pidfd, or with __WNOTHREAD. A waitpid(-1) there would take the statuses of traced tasks. A task
// that is a child of this process is reaped by the Responder.
class Responder {
 public:
  // `done` runs on the thread that calls DispatchCompleted().
  using Done = std::function<void(const ResponseResult&)>;

  static absl::StatusOr<std::unique_ptr<Responder>> Create(TaskStateWriter write_state);
  virtual ~Responder() = default;

  // Takes the task with PTRACE_SEIZE (EXITKILL) and PTRACE_INTERRUPT; state becomes HP_TASK_OWNED. Where another
  // tracer has it or ptrace is forbidden the task is killed, and the result says so.
  virtual void Own(StoppedTask task, Done done) = 0;

  // Lets a stopped or owned task run: state HP_TASK_PASSED, detach where owned, SIGCONT.
  // For a stopped one that is not owned this is done in the calling thread at once, with no hop; the result comes
  // through DispatchCompleted() as any other.
  // kGone where the stop is over: the process has ended, or the state writer says that it is at another exec.
  virtual void Release(StoppedTask task, Done done) = 0;
  // For a task that was never given to Own, Refuse or Kill: state PASSED and SIGCONT, in the calling thread, nothing
  // through CompletedFd. kNotFound: it has ended; kFailedPrecondition: it is at another exec. On any other error it
  // has not been continued and has to be killed.
  absl::Status ReleaseNow(const StoppedTask& task);

  // Makes a stopped or owned task end with exit status 126, `text` written to its stderr before: taken over as by Own,
  // stderr fetched with pidfd_getfd and written without ever blocking this thread, then exit_group(126) executed from
  // its vdso under our trace, checked at the system call's entry. State HP_TASK_REFUSED. Fallback SIGKILL.
  virtual void Refuse(StoppedTask task, std::string text, Done done) = 0;

  // As Refuse, with the exit status that a shell gives for SIGKILL, 137: a parent that waits for an exit and overlooks a
  // death by a signal would wait for ever. Completes as kKilled, whether it came to its exit or to SIGKILL.
  virtual void End(StoppedTask task, std::string text, Done done) = 0;

  // SIGKILL through the pidfd; `text` to its stderr first where it is still stopped.
  virtual void Kill(StoppedTask task, std::string text, Done done) = 0;

  // Writes `text` to the stderr of an owned task, which stays owned: kOwned, and `told`. kGone where it is not owned.
  virtual void Tell(StoppedTask task, std::string text, Done done) = 0;

  // Readable when results wait; then call DispatchCompleted().
  virtual int CompletedFd() const = 0;
  virtual void DispatchCompleted() = 0;

 protected:
  explicit Responder(TaskStateWriter write_state) : write_state_(std::move(write_state)) {}
  TaskStateWriter write_state_;
};

}  // namespace holdpoint
