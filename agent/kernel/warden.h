#pragma once

#include <sys/types.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/base/fd.h"
#include "agent/kernel/maps.h"
#include "agent/kernel/tasks.h"

namespace holdpoint {

// Ends what a gate leaves behind. A task that the gate traces dies with it; one that the kernel has stopped and the gate
// has not taken yet would stay stopped until somebody starts a gate again. A warden is a process beside the gate that
// waits for its end and kills such tasks then. It parses nothing and decides nothing: what nobody answered for does not
// run. It also ends a gate that shows no heartbeat for long: as long as that one lives, so does everything it traces.
//
// Another gate that has taken the kernel programs over answers for what is stopped from there on: the warden of the one
// before it does no more.
class Warden {
 public:
  struct Fds {
    UniqueFd config;
    UniqueFd beat;
    UniqueFd task;
    UniqueFd tgid;
    UniqueFd iterator;  // may be none: then /proc is read
  };

  // `gate` is a pidfd of the gate whose programs are the active ones. Tries each of its descriptors once.
  static absl::StatusOr<Warden> Open(Fds fds, UniqueFd gate);

  // Returns when the gate has gone and nothing of it is stopped any more: how many were ended.
  absl::StatusOr<int> Watch(absl::Duration wedged_after);

 private:
  absl::StatusOr<std::vector<hp_task_row>> List() const;
  absl::StatusOr<int> EndStopped() const;
  // Or nobody's: a gate that stopped in good order has taken its programs away.
  bool StillOurs() const {
    const uint32_t active = LoadField(config_.get()->active_loader);
    return active == load_ || active == 0;
  }

  Fds fds_;
  UniqueFd gate_;
  MappedValue<hp_config> config_;
  MappedValue<__u64> beat_;
  TaskLabels labels_;
  uint32_t load_ = 0;
};

}  // namespace holdpoint
