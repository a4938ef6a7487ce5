#pragma once

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
// The end is a time on the boot clock, which the kernel programs compare themselves: `off` of a daemon that was killed
// ends in time with nobody alive. A daemon that ends, and the next one that begins, take everything back; nothing is kept
// on the disk.
class EmergencyDesk {
 public:
  EmergencyDesk(Core core, PresenceDesk& presence) : core_(core), presence_(presence) {}

  using Call = std::shared_ptr<ControlCall>;
  void Handle(const Call& call, bool peer_in_session);

  // At the start: what a daemon before this one had lifted is over, and that is recorded where it still held.
  void TakeOver();
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
  void TellKernel(const std::string& environment, BootTime until);  // BootTime{}: it is over
  void Arm(const std::string& environment, BootTime until);

  Core core_;
  PresenceDesk& presence_;
};

}  // namespace holdpoint
