#include "agent/kernel/warden.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

// When the gate ends the kernel takes its heartbeat away, so nothing new is stopped; but an exec on another CPU may have
// looked just before. Its program runs with preemption off: the second look is late enough, the others cost nothing.
constexpr absl::Duration kLooks[] = {absl::ZeroDuration(), absl::Milliseconds(20), absl::Milliseconds(200),
                                     absl::Seconds(1)};

// True when the gate has ended before `wait` is over.
bool Ended(int pidfd, absl::Duration wait) {
  pollfd gate{.fd = pidfd, .events = POLLIN, .revents = 0};
  return poll(&gate, 1, static_cast<int>(absl::ToInt64Milliseconds(wait))) > 0;
}

bool Signal(int pidfd, int signal) { return syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0; }

}  // namespace

absl::StatusOr<Warden> Warden::Open(Fds fds, UniqueFd gate) {
  Warden warden;
  warden.fds_ = std::move(fds);
  warden.gate_ = std::move(gate);
  HP_ASSIGN_OR_RETURN(warden.config_, MappedValue<hp_config>::Map(warden.fds_.config.get(), "hp_config"));
  HP_ASSIGN_OR_RETURN(warden.beat_, MappedValue<__u64>::Map(warden.fds_.beat.get(), "hp_beat"));
  warden.labels_ = TaskLabels(warden.fds_.task.get(), warden.fds_.tgid.get());
  warden.load_ = LoadField(warden.config_.get()->active_loader);
  HP_ASSIGN_OR_RETURN(const pid_t gate_tgid, PidOfPidfd(warden.gate_.get()));
  if (static_cast<uint32_t>(gate_tgid) != LoadField(warden.config_.get()->gate_tgid)) {
    return absl::FailedPreconditionError(absl::StrCat("process ", gate_tgid, " is not the gate that is active"));
  }
  HP_RETURN_IF_ERROR(warden.List().status());
  return warden;
}

absl::StatusOr<std::vector<hp_task_row>> Warden::List() const {
  if (fds_.iterator.ok()) return ListTasksByIterator(fds_.iterator.get());
  return ListTasksByProc(labels_);
}

absl::StatusOr<int> Warden::EndStopped() const {
  HP_ASSIGN_OR_RETURN(const std::vector<hp_task_row> rows, List());
  int ended = 0;
  for (const hp_task_row& row : rows) {
    if (row.label.state != HP_TASK_HELD && row.label.state != HP_TASK_OWNED) continue;
    absl::StatusOr<UniqueFd> pidfd = OpenPidfd(static_cast<pid_t>(row.tgid));
    if (!pidfd.ok()) continue;
    // An exec id is given once on a boot: the same one says that this is the task that was listed, at the same stop.
    const absl::StatusOr<hp_label> now = labels_.Get(pidfd->get());
    if (!now.ok() || now->exec_id != row.label.exec_id || now->state != row.label.state) continue;
    // What was listed was stopped before another gate took over, so also if one does it right now.
    if (!StillOurs()) return ended;
    if (Signal(pidfd->get(), SIGKILL)) ++ended;
  }
  return ended;
}

absl::StatusOr<int> Warden::Watch(absl::Duration wedged_after) {
  // Looks, not times: neither suspend nor a machine that lets nobody run makes a gate look wedged.
  const absl::Duration look = wedged_after / 8;
  int without_beat = 0;
  __u64 beat = 0;
  while (!Ended(gate_.get(), look)) {
    if (!StillOurs()) return 0;
    const __u64 now = LoadField(*beat_.get());
    without_beat = now != 0 && now == beat ? without_beat + 1 : 0;
    beat = now;
    if (without_beat < 8) continue;
    LogError("the gate has shown no heartbeat for ", absl::FormatDuration(wedged_after),
             ": it is ended, and with it what it holds");
    Signal(gate_.get(), SIGKILL);
  }
  int ended = 0;
  for (const absl::Duration pause : kLooks) {
    poll(nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(pause)));
    if (!StillOurs()) break;
    absl::StatusOr<int> more = EndStopped();
    if (!more.ok()) {
      LogError("what the gate left stopped can't be listed: ", more.status().message());
      continue;
    }
    ended += *more;
  }
  return ended;
}

}  // namespace holdpoint
