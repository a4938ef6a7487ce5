#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/control/server.h"
#include "agent/gate/approvals_desk.h"
#include "agent/gate/asker.h"
#include "agent/gate/core.h"
#include "agent/gate/decision_desk.h"
#include "agent/gate/session_desk.h"

namespace holdpoint {

// What the `holdpoint` command asks of the daemon. Every caller may be hostile: what it may see and do follows from
// what the kernel says of it (uid, label), never from what it says of itself.
class ControlDesk {
 public:
  struct Hooks {
    std::function<absl::Status()> reload;
    // Filled by Gate, who knows everything.
    std::function<void(std::vector<std::string>* bodies, bool peer_in_session)> status;
    std::function<void(std::vector<std::string>* bodies)> doctor;
    std::function<void(std::vector<std::string>* bodies)> metrics;
    std::function<void(const std::shared_ptr<ControlCall>& call, bool peer_in_session)> test_alert;
    std::function<void(const std::shared_ptr<ControlCall>& call, bool peer_in_session)> rollout;
    std::function<void(const std::shared_ptr<ControlCall>& call, bool peer_in_session)> watch;
    std::function<void(const std::shared_ptr<ControlCall>& call, bool peer_in_session)> enrol;
    std::function<void(const std::shared_ptr<ControlCall>& call, bool peer_in_session)> emergency;
  };
  ControlDesk(Core core, SessionDesk& sessions, DecisionDesk& decisions, ApprovalsDesk& approvals, Hooks hooks);

  void Handle(std::shared_ptr<ControlCall> call);

 private:
  using Call = std::shared_ptr<ControlCall>;

  void Sessions(const Call& call, const Asker& asker);
  void Holds(const Call& call, const Asker& asker);
  void Run(const Call& call);
  void KillSession(const Call& call, const Asker& asker);
  void Detach(const Call& call, const Asker& asker);

  Core core_;
  SessionDesk& sessions_;
  DecisionDesk& decisions_;
  ApprovalsDesk& approvals_;
  Hooks hooks_;
};

}  // namespace holdpoint
