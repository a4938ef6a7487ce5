#pragma once

#include <memory>

#include "agent/control/server.h"
#include "agent/gate/asker.h"
#include "agent/gate/core.h"

namespace holdpoint {

// What was approved for longer than once: `holdpoint approvals`, and its end by its date or with its session.
class ApprovalsDesk {
 public:
  explicit ApprovalsDesk(Core core) : core_(core) {}

  using Call = std::shared_ptr<ControlCall>;
  void List(const Call& call, const Asker& asker);
  void Remove(const Call& call, const Asker& asker);

  // Takes out what is over; each is an event. For a timer.
  void Expire();

 private:
  Core core_;
};

}  // namespace holdpoint
