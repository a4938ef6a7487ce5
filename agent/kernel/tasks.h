#pragma once

#include <sys/types.h>

#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/fd.h"
#include "agent/kernel/handles.h"
#include "agent/kernel/maps.h"
#include "bpf/shared/hp_abi.h"

namespace holdpoint {

// The labels of tasks as user space reads and writes them. See bpf/lib/label.h for why there are two copies.
// Any thread.
class TaskLabels {
 public:
  TaskLabels() = default;
  TaskLabels(int task_storage_fd, int by_tgid_fd)
      : storage_(task_storage_fd, "hp_task"), by_tgid_(by_tgid_fd, "hp_tgid") {}

  absl::StatusOr<hp_label> Get(int pidfd) const;
  // Session 0 takes the label off.
  absl::Status Set(int pidfd, const hp_label& label) const;
  absl::Status SetState(int pidfd, uint64_t exec_id, hp_task_state state) const;

 private:
  MapView<int, hp_label> storage_;
  MapView<uint32_t, hp_label> by_tgid_;
};

// The thread group id that a pidfd stands for. kNotFound: it has ended.
absl::StatusOr<pid_t> PidOfPidfd(int pidfd);

// kNotFound: no such process.
absl::StatusOr<UniqueFd> OpenPidfd(pid_t pid);

// All processes with their labels, by a link to hp_list_tasks.
absl::StatusOr<std::vector<hp_task_row>> ListTasksByIterator(int link_fd);

// The iterator programs of bpf/iter.bpf.c, where they load.
class TaskIterator {
 public:
  // `one` is hp_list_tasks, to be attached for one task at a time; `unlabel_map` is the map that names the process to
  // hp_unlabel. Both belong to the loaded object, which lives longer.
  TaskIterator(BpfLinkPtr list, BpfLinkPtr unlabel, const bpf_program* one, int unlabel_map)
      : list_(std::move(list)), unlabel_(std::move(unlabel)), one_(one), unlabel_map_(unlabel_map) {}

  // All processes, with their labels.
  absl::StatusOr<std::vector<hp_task_row>> List() const { return ListTasksByIterator(list_fd()); }
  // A process and everything below it that is alive, without looking at the rest of the host. Nothing where there are more
  // than some dozens (a look at all is cheaper then), or the kernel does not say who the children of a process are.
  std::optional<std::vector<hp_task_row>> Tree(pid_t root) const;
  int list_fd() const { return bpf_link__fd(list_.get()); }
  // Takes the label off every thread of a process. Not the entry by tgid.
  absl::Status Unlabel(pid_t tgid) const;

 private:
  BpfLinkPtr list_;
  BpfLinkPtr unlabel_;
  const bpf_program* one_;
  int unlabel_map_;
};

// The same from /proc, where the iterator does not load: start_boot_ns is 0 for processes without a label.
absl::StatusOr<std::vector<hp_task_row>> ListTasksByProc(const TaskLabels& labels);

}  // namespace holdpoint
