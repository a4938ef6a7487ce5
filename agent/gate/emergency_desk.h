#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/control/server.h"
#include "agent/gate/core.h"
#include "agent/gate/presence_desk.h"

namespace holdpoint {

// `holdpoint break-glass`, `off` and `on`: what root, with an owner present, lifts for a while. Each begins and ends as
// an event; every act that passes meanwhile is recorded as what it would have been.
//
// The end is a time on the boot clock. A daemon that ends takes everything back; nothing is kept on the disk.
class EmergencyDesk {
 public:
  // `enforcement_changed`: what is enforced follows Emergency::off(), in the kernel too.
  EmergencyDesk(Core core, PresenceDesk& presence, std::function<void()> enforcement_changed)
      : core_(core), presence_(presence), enforcement_changed_(std::move(enforcement_changed)) {}

  using Call = std::shared_ptr<ControlCall>;
  void Handle(const Call& call, bool peer_in_session);

  // The environments have other numbers or owners: the kernel is told again which glass is broken.
  void OnConfigured();
  // The daemon stops: what is lifted ends, and that is recorded.
  void EndAll(const std::string& why);

 private:
  struct Lifting {
    std::string environment;  // of break-glass; empty: off
    absl::Duration time;
    v1::Decision event;
  };

  void BreakGlass(const Call& call);
  void SwitchOff(const Call& call);
  void Prove(const Call& call, Lifting lifting, const std::vector<const v1::Environment*>& environments);
  void Begin(const Call& call, const Lifting& lifting);
  void End(const std::string& environment, v1::Decision event);
  void Refuse(const Call& call, v1::Decision event, const absl::Status& why);
  v1::Decision Event(const ControlCall& call, const std::string& decision, const std::string& environment) const;
  void TellKernel(const std::string& environment, BootTime until);
  void Arm(const std::string& environment, BootTime until);

  Core core_;
  PresenceDesk& presence_;
  std::function<void()> enforcement_changed_;
};

}  // namespace holdpoint
