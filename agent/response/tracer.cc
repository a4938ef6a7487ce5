#include "agent/response/tracer.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/response/exit_injection.h"
#include "agent/response/proc.h"
#include "agent/response/sys.h"

namespace holdpoint {
namespace {

using What = ResponseResult::What;

// What a step may take before the task is killed. Each is kernel work of microseconds; the bound is for a machine
// under the heaviest load and for a task that somebody keeps from moving.
constexpr absl::Duration kStepBound = absl::Seconds(2);
// How long a reader of its stderr may make the refused task wait.
constexpr absl::Duration kTellBound = absl::Milliseconds(500);
constexpr absl::Duration kTellPatience = absl::Milliseconds(300);
constexpr absl::Duration kPauseLeast = absl::Microseconds(20);
constexpr absl::Duration kPauseMost = absl::Milliseconds(1);
constexpr absl::string_view kInstead = "killed instead";

void Append(std::string& detail, absl::string_view more) {
  if (more.empty()) return;
  absl::StrAppend(&detail, detail.empty() ? "" : "; ", more);
}

int PtraceEvent(int status) { return status >> 16; }

bool IsFault(int signal) {
  return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGTRAP ||
         signal == SIGSYS;
}

// What a task is made to exit with.
int StatusOf(Command::Kind kind) {
  constexpr int kRefused = 126, kKilled = 128 + SIGKILL;
  return kind == Command::Kind::kEnd ? kKilled : kRefused;
}

}  // namespace

void Tracer::Enter(Task& task, Phase phase) {
  task.phase = phase;
  task.deadline = Clock::Real().Boot() + (phase == Phase::kTelling ? kTellBound : kStepBound);
  moved_ = true;
  if (phase == Phase::kOwned) {
    busy_.erase(task.number);
  } else {
    busy_.insert(task.number);
  }
}

void Tracer::Take(Command command) {
  const StopKey key = KeyOf(command.task);
  if (auto found = by_key_.find(key); found != by_key_.end()) {
    Task& task = tasks_[found->second];
    ++task.taken;
    task.commands.push_back(std::move(command));
    if (task.phase == Phase::kOwned) RunCommands(task);
    return;
  }
  Task& task = tasks_[next_number_];
  task.number = next_number_++;
  task.task = command.task;
  task.taken = 1;
  task.commands.push_back(std::move(command));
  by_key_[key] = task.number;
  epoll_event event{.events = EPOLLIN, .data = {.u64 = task.number}};
  if (sys::PidfdEnded(task.pidfd()) || epoll_ctl(world_.epoll, EPOLL_CTL_ADD, task.pidfd(), &event) != 0) {
    Finish(task, What::kGone);
    return;
  }
  Begin(task);
}

void Tracer::Begin(Task& task) {
  Command& command = task.commands.front();
  switch (command.kind) {
    case Command::Kind::kRelease:
      ReleaseOwned(task);
      return;
    case Command::Kind::kTell:
      task.detail = "it is not owned";
      Finish(task, What::kGone);
      return;
    case Command::Kind::kKill:
      if (command.text.empty()) return Kill(task, "");
      break;
    case Command::Kind::kOwn:
    case Command::Kind::kRefuse:
    case Command::Kind::kEnd:
      break;
  }
  if (task.task.waits) {  // It holds no lock there and does not move.
    if (command.kind == Command::Kind::kOwn) return SeizeWaiting(task);
    return StartTelling(task);
  }
  Enter(task, Phase::kSettling);
  TrySettled(task);
}

// The kernel's SIGSTOP takes effect on the task's way out of exec, some microseconds after it was told to us. Whatever
// is done to a task that is not stopped can wait for locks that the task holds, in an exec of a file that never
// answers for example; a stopped one holds none.
void Tracer::TrySettled(Task& task) {
  auto dir = ProcDir::Open(task.task.id);
  auto stat = dir.ok() ? dir->Stat() : absl::StatusOr<ProcStat>(dir.status());
  if (!stat.ok() || (stat->state != 'T' && stat->state != 't')) return;
  if (task.commands.front().kind == Command::Kind::kKill) return TellAndKill(task, "");
  Seize(task);
}

void Tracer::Seize(Task& task) {
  constexpr long kOptions = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;
  if (ptrace(PTRACE_SEIZE, task.pid(), nullptr, kOptions) != 0) {
    Append(task.detail, absl::StrCat("it cannot be traced: ", strerror(errno)));
    return TellAndKill(task, kInstead);
  }
  task.traced = true;
  ptrace(PTRACE_INTERRUPT, task.pid(), nullptr, nullptr);
  Enter(task, Phase::kSeizing);
}

// It moves when its state says something else, and then comes to the stop that is asked for here before it comes to user
// mode. Only we see that stop: neither its parent nor its terminal's server does.
void Tracer::SeizeWaiting(Task& task) {
  constexpr long kOptions = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;
  if (ptrace(PTRACE_SEIZE, task.pid(), nullptr, kOptions) != 0) {
    return Kill(task, absl::StrCat("it cannot be traced: ", strerror(errno), "; ", kInstead));
  }
  task.traced = true;
  ptrace(PTRACE_INTERRUPT, task.pid(), nullptr, nullptr);
  if (absl::Status status = world_.write_state(task.task, HP_TASK_OWNED); !status.ok()) {
    return Kill(task, absl::StrCat("its state could not be written: ", status.message()));
  }
  Enter(task, Phase::kSeizing);
}

// A task that is not ours. Its caller should read the text before it reads the end; but where somebody else traces it,
// and can let it run at any moment, the end comes first and nothing is told.
void Tracer::TellAndKill(Task& task, absl::string_view why) {
  auto dir = ProcDir::Open(task.task.id);
  if (const pid_t tracer = dir.ok() ? dir->Tracer().value_or(0) : 0; tracer > 0) {
    Append(task.detail, absl::StrCat("process ", tracer, " traces it"));
    return Kill(task, why);
  }
  if (task.commands.front().text.empty()) return Kill(task, why);
  Append(task.detail, why);
  StartTelling(task);
}

void Tracer::OnOwned(Task& task) {
  if (sys::PidfdEnded(task.pidfd())) {  // The pid was reused between the look at the pidfd and the seize.
    ptrace(PTRACE_DETACH, task.pid(), nullptr, nullptr);
    task.traced = false;
    return Finish(task, What::kGone);
  }
  // Only now: until the stop is seen the guards see a held task.
  if (absl::Status status = world_.write_state(task.task, HP_TASK_OWNED); !status.ok()) {
    return Kill(task, absl::StrCat("its state could not be written: ", status.message()));
  }
  Enter(task, Phase::kOwned);
  RunCommands(task);
}

void Tracer::RunCommands(Task& task) {
  const uint64_t number = task.number;
  while (tasks_.contains(number) && task.phase == Phase::kOwned && !task.commands.empty()) {
    switch (task.commands.front().kind) {
      case Command::Kind::kOwn:
        CompleteFront(task, What::kOwned);
        break;
      case Command::Kind::kRelease:
        ReleaseOwned(task);
        break;
      case Command::Kind::kRefuse:
      case Command::Kind::kEnd:
      case Command::Kind::kKill:
      case Command::Kind::kTell:
        StartTelling(task);
        break;
    }
  }
}

void Tracer::ReleaseOwned(Task& task) {
  if (!task.traced && sys::PidfdEnded(task.pidfd())) return Finish(task, What::kGone);
  absl::Status status = world_.write_state(task.task, HP_TASK_PASSED);
  if (!status.ok()) return Kill(task, absl::StrCat("its state could not be written: ", status.message()));
  if (task.traced && ptrace(PTRACE_DETACH, task.pid(), nullptr, nullptr) != 0) {
    return Enter(task, Phase::kDying);  // Killed meanwhile; its status is on the way.
  }
  task.traced = false;
  // From here on it may run, and have ended: a SIGCONT of somebody else's counts as ours. It is released either way.
  if (!task.task.waits) (void)sys::PidfdSignal(task.pidfd(), SIGCONT);
  Finish(task, What::kReleased);
}

void Tracer::StartTelling(Task& task) {
  Enter(task, Phase::kTelling);
  std::string text = task.commands.front().text;
  task.told = false;
  if (text.empty()) return AfterTelling(task);
  task.tell = next_tell_++;
  pool_.Tell(task.task.pidfd, task.task.id, std::move(text), kTellPatience,
             [told = world_.told, number = task.number, tell = task.tell](TellPool::Told result) {
               told(number, tell, std::move(result));
             });
}

void Tracer::Told(uint64_t number, uint64_t tell, TellPool::Told told) {
  auto found = tasks_.find(number);
  if (found == tasks_.end() || found->second.tell != tell) return;
  Task& task = found->second;
  task.tell = 0;
  task.told = told.whole;
  Append(task.detail, told.detail);
  if (task.phase == Phase::kTelling) AfterTelling(task);
}

void Tracer::AfterTelling(Task& task) {
  switch (task.commands.front().kind) {
    case Command::Kind::kTell:
      CompleteFront(task, What::kOwned);
      Enter(task, Phase::kOwned);
      return RunCommands(task);
    case Command::Kind::kRefuse:
    case Command::Kind::kEnd:
      return task.traced ? Inject(task) : Kill(task, "");
    default:
      return Kill(task, "");
  }
}

void Tracer::Inject(Task& task) {
  // Before it moves: the guards end a task that moves while it is held.
  if (absl::Status status = world_.write_state(task.task, HP_TASK_REFUSED); !status.ok()) {
    return Kill(task, absl::StrCat("its state could not be written: ", status.message(), "; ", kInstead));
  }
  if (absl::Status status = PrepareExit(task.pid(), StatusOf(task.commands.front().kind)); !status.ok()) {
    return Kill(task, absl::StrCat(status.message(), "; ", kInstead));
  }
  Enter(task, Phase::kInjecting);
  Resume(task);
}

void Tracer::Resume(Task& task) {
  if (ptrace(PTRACE_SYSCALL, task.pid(), nullptr, nullptr) != 0) Kill(task, "");
}

void Tracer::Kill(Task& task, absl::string_view why) {
  Append(task.detail, why);
  if (task.phase == Phase::kDying && task.killed) return;
  task.killed = !sys::PidfdEnded(task.pidfd()) && sys::PidfdSignal(task.pidfd(), SIGKILL);
  // The signal is pending now, so it ends where it waits, as soon as it looks. An error: it has ended.
  if (task.task.waits) (void)world_.write_state(task.task, HP_TASK_REFUSED);
  Enter(task, Phase::kDying);
}

void Tracer::OnStop(Task& task, int status) {
  moved_ = true;
  const int signal = WSTOPSIG(status);
  switch (task.phase) {
    case Phase::kSeizing:
      return OnOwned(task);
    case Phase::kInjecting:
      if (signal == (SIGTRAP | 0x80)) {
        if (absl::Status entry = CheckExitEntry(task.pid(), StatusOf(task.commands.front().kind)); !entry.ok()) {
          CancelSyscall(task.pid());
          return Kill(task, absl::StrCat(entry.message(), "; ", kInstead));
        }
        Enter(task, Phase::kExiting);
        return Resume(task);
      }
      // A stop or a signal that was pending before its signals were blocked, or a SIGCONT told to us: swallowed.
      if (PtraceEvent(status) == PTRACE_EVENT_STOP || !IsFault(signal)) return Resume(task);
      return Kill(task, "it faulted on the way to exit_group: somebody has written to its memory; killed instead");
    case Phase::kExiting:
      return Kill(task, "exit_group did not end it (a seccomp filter?); killed instead");
    default:
      return;
  }
}

void Tracer::OnDeadline(Task& task) {
  switch (task.phase) {
    case Phase::kSeizing:
      return Kill(task, "it did not stop in time; killed instead");
    case Phase::kTelling:
      task.tell = 0;
      Append(task.detail, "its stderr did not take the text in time");
      return AfterTelling(task);
    case Phase::kInjecting:
    case Phase::kExiting:
      return Kill(task, "it did not come to its exit in time; killed instead");
    case Phase::kDying:
      Append(task.detail, "SIGKILL was sent and it has not ended yet");
      while (!task.commands.empty()) CompleteFront(task, What::kKilled);
      busy_.erase(task.number);  // Its pidfd tells when it has.
      return;
    default:
      return;
  }
}

ResponseResult::What Tracer::Outcome(const Task& task, int status) const {
  const Command::Kind kind = task.commands.empty() ? Command::Kind::kKill : task.commands.front().kind;
  if (task.phase == Phase::kExiting && WIFEXITED(status) && WEXITSTATUS(status) == StatusOf(kind)) {
    return kind == Command::Kind::kEnd ? What::kKilled : What::kRefused;
  }
  return task.killed ? What::kKilled : What::kGone;
}

void Tracer::OnEnded(Task& task, int status) {
  moved_ = true;
  task.traced = false;
  Finish(task, Outcome(task, status));
}

void Tracer::Ended(uint64_t number) {
  if (auto found = tasks_.find(number); found != tasks_.end()) Wait(found->second);
}

// Takes what the kernel has to say of one task; it may be gone from the table afterwards.
void Tracer::Wait(Task& task) {
  if (!task.traced) {
    if (sys::PidfdEnded(task.pidfd())) return OnEnded(task, 0);
    if (task.phase == Phase::kSettling) TrySettled(task);
    return;
  }
  int status = 0;
  const pid_t got = waitpid(task.pid(), &status, __WALL | __WNOTHREAD | WNOHANG);
  if (got == task.pid()) {
    if (WIFSTOPPED(status)) return OnStop(task, status);
    return OnEnded(task, status);
  }
  // Somebody else in this process has taken its status: never by our own code, but a task must not be left over.
  if (got < 0 && errno == ECHILD && sys::PidfdEnded(task.pidfd())) OnEnded(task, 0);
}

absl::Duration Tracer::Advance(BootTime now) {
  moved_ = false;
  const std::vector<uint64_t> numbers(busy_.begin(), busy_.end());
  for (uint64_t number : numbers) {
    auto found = tasks_.find(number);
    if (found == tasks_.end()) continue;
    Wait(found->second);
    found = tasks_.find(number);
    if (found != tasks_.end() && busy_.contains(number) && now >= found->second.deadline) OnDeadline(found->second);
  }
  bool soon = false;
  absl::Duration wait = absl::InfiniteDuration();
  for (uint64_t number : busy_) {
    const Task& task = tasks_[number];
    soon |= task.phase == Phase::kSettling || (task.traced && task.phase != Phase::kTelling);
    wait = std::min(wait, std::max(task.deadline - now, absl::ZeroDuration()));
  }
  if (!soon) return wait;
  pause_ = moved_ ? kPauseLeast : std::min(pause_ * 2, kPauseMost);
  return std::min(wait, std::max(pause_, kPauseLeast));
}

void Tracer::CompleteFront(Task& task, What what) {
  Command command = std::move(task.commands.front());
  task.commands.pop_front();
  world_.complete(std::move(command.done), ResponseResult{.what = what, .told = task.told, .detail = task.detail});
  if (what == What::kOwned) {
    task.told = false;
    task.detail.clear();
  }
}

void Tracer::Finish(Task& task, What what) {
  // What was asked for behind the end of the task has the same outcome.
  while (!task.commands.empty()) CompleteFront(task, what);
  Drop(task);
}

void Tracer::Drop(Task& task) {
  const StopKey key = KeyOf(task.task);
  const int taken = task.taken;
  epoll_ctl(world_.epoll, EPOLL_CTL_DEL, task.pidfd(), nullptr);
  busy_.erase(task.number);
  by_key_.erase(key);
  tasks_.erase(task.number);
  world_.dropped(key, taken);
}

}  // namespace holdpoint
