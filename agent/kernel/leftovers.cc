#include "agent/kernel/leftovers.h"

#include <bpf/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "agent/base/fd.h"
#include "agent/base/status.h"
#include "agent/kernel/pins.h"
#include "agent/kernel/tasks.h"

namespace holdpoint {
namespace {

int EndStopped(const Pins& pins) {
  const UniqueFd task(bpf_obj_get(pins.MapPath("hp_task").c_str()));
  const UniqueFd tgid(bpf_obj_get(pins.MapPath("hp_tgid").c_str()));
  if (!task.ok() || !tgid.ok()) return 0;
  const absl::StatusOr<std::vector<hp_task_row>> rows = ListTasksByProc(TaskLabels(task.get(), tgid.get()));
  int ended = 0;
  for (const hp_task_row& row : rows.value_or(std::vector<hp_task_row>())) {
    if (row.label.state != HP_TASK_HELD && row.label.state != HP_TASK_OWNED) continue;
    const absl::StatusOr<UniqueFd> pidfd = OpenPidfd(static_cast<pid_t>(row.tgid));
    if (!pidfd.ok()) continue;
    const absl::StatusOr<hp_label> now = TaskLabels(task.get(), tgid.get()).Get(pidfd->get());
    if (!now.ok() || now->exec_id != row.label.exec_id) continue;
    ended += syscall(SYS_pidfd_send_signal, pidfd->get(), SIGKILL, nullptr, 0) == 0 ? 1 : 0;
  }
  return ended;
}

// The kernel detaches a program some time after its last pin is gone. From here on each returns at once.
absl::Status Silence(const Pins& pins) {
  const UniqueFd map(bpf_obj_get(pins.MapPath("hp_config").c_str()));
  if (!map.ok()) return errno == ENOENT ? absl::OkStatus() : ErrnoStatus("hp_config");
  const uint32_t zero = 0;
  hp_config config{};
  if (bpf_map_lookup_elem(map.get(), &zero, &config) != 0) return ErrnoStatus("hp_config");
  config.active_loader = 0;
  if (bpf_map_update_elem(map.get(), &zero, &config, BPF_ANY) != 0) return ErrnoStatus("hp_config");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int> RemoveLeftovers(const std::string& pin_dir) {
  if (access(pin_dir.c_str(), F_OK) != 0) return 0;
  HP_ASSIGN_OR_RETURN(const Pins pins, Pins::Open(pin_dir));
  const int ended = EndStopped(pins);
  HP_RETURN_IF_ERROR(Silence(pins));
  HP_RETURN_IF_ERROR(pins.RemoveAll());
  return ended;
}

}  // namespace holdpoint
