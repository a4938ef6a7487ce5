#pragma once

#include <functional>
#include <map>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "agent/base/ids.h"
#include "agent/gate/core.h"

namespace holdpoint {

// Ends every process of sessions, in rounds, until the kernel knows no labelled process of them any more. That nothing of
// such a session may fork or exec from then on is programmed by the caller, before.
class SessionKiller {
 public:
  explicit SessionKiller(Core core) : core_(core) {}

  // `done` (may be null) gets the number killed; kDeadlineExceeded where some do not end.
  using Done = std::function<void(absl::StatusOr<int>)>;
  void Kill(SessionNumber number, Done done);

 private:
  struct Killing {
    int rounds = 0;
    int alive = 0;  // in the last round
    absl::flat_hash_set<ProcessId> killed;
    std::vector<Done> done;
  };

  void Round();

  Core core_;
  std::map<SessionNumber, Killing> killing_;
  EventLoop::TimerId timer_ = 0;
};

}  // namespace holdpoint
