#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/control/decide.h"
#include "agent/control/server.h"
#include "agent/gate/core.h"
#include "agent/gate/hold_desk.h"
#include "agent/gate/presence_desk.h"
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
    std::function<void(const std::shared_ptr<ControlCall>& call, bool peer_in_session)> rollout;
    std::function<void(const std::shared_ptr<ControlCall>& call, bool peer_in_session)> watch;
    std::function<void(const std::shared_ptr<ControlCall>& call, bool peer_in_session)> enrol;
    std::function<void(const std::shared_ptr<ControlCall>& call, bool peer_in_session)> emergency;
  };
  ControlDesk(Core core, SessionDesk& sessions, HoldDesk& holds, PresenceDesk& presence, Hooks hooks);

  void Handle(std::shared_ptr<ControlCall> call);
  // Where the ticket is decided, whoever waits for it is answered.
  void OnTicket(const Ticket& ticket);

 private:
  using Call = std::shared_ptr<ControlCall>;
  struct Peer {
    uint32_t uid = 0;
    SessionNumber session = 0;  // whose label it carries
    bool in_session = false;
  };

  Peer PeerOf(const ControlCall& call);
  bool MaySee(const Peer& peer, SessionNumber session, uint32_t session_uid) const;
  bool MaySee(const Peer& peer, const Ticket& ticket) const;
  void Sessions(const Call& call, const Peer& peer);
  void Holds(const Call& call, const Peer& peer);
  void Run(const Call& call);
  void Approvals(const Call& call, const Peer& peer);
  void RemoveApproval(const Call& call, const Peer& peer);
  DecisionAttempt AttemptOn(const Ticket& ticket, const ControlCall& call, bool approve) const;
  void Decide(const Call& call, const Peer& peer, bool approve);
  void ShowChallenge(const Call& call, const Peer& peer);
  void Proved(const Call& call, const std::string& ticket_id, const EligibleOwner& owner,
              const PresenceProof& proof, bool approve);
  void KeepEligible(Ticket& ticket) const;
  void Wait(const Call& call, const Peer& peer);
  void KillSession(const Call& call, const Peer& peer);
  void Detach(const Call& call, const Peer& peer);
  // Accepted where there is a proof.
  void RecordDecision(const Ticket* ticket, const std::string& ticket_id, const ControlCall& call, bool approve,
                      const EligibleOwner* owner, const PresenceProof* proof, const std::string& refused_because);

  Core core_;
  SessionDesk& sessions_;
  HoldDesk& holds_;
  PresenceDesk& presence_;
  Hooks hooks_;
  std::multimap<std::string, std::weak_ptr<ControlCall>> waiting_;  // by ticket
};

}  // namespace holdpoint
