#pragma once

#include <map>
#include <memory>
#include <string>

#include "agent/control/decide.h"
#include "agent/control/server.h"
#include "agent/gate/asker.h"
#include "agent/gate/core.h"
#include "agent/gate/hold_desk.h"
#include "agent/gate/presence_desk.h"

namespace holdpoint {

// `holdpoint approve`, `deny`, `challenge` and `wait`: who may decide on a ticket, the proof that they are there, and what
// is written down of it before anything moves.
class DecisionDesk {
 public:
  DecisionDesk(Core core, HoldDesk& holds, PresenceDesk& presence) : core_(core), holds_(holds), presence_(presence) {}

  using Call = std::shared_ptr<ControlCall>;
  void Decide(const Call& call, const Asker& asker, bool approve);
  void ShowChallenge(const Call& call, const Asker& asker);
  void Wait(const Call& call, const Asker& asker);

  // Where the ticket is decided, whoever waits for it is answered.
  void OnTicket(const Ticket& ticket);

 private:
  DecisionAttempt AttemptOn(const Ticket& ticket, const ControlCall& call, bool approve) const;
  void Proved(const Call& call, const std::string& ticket_id, const EligibleOwner& owner, const PresenceProof& proof,
              bool approve);
  void KeepEligible(Ticket& ticket) const;
  // Accepted where there is a proof.
  void RecordDecision(const Ticket* ticket, const std::string& ticket_id, const ControlCall& call, bool approve,
                      const EligibleOwner* owner, const PresenceProof* proof, const std::string& refused_because);

  Core core_;
  HoldDesk& holds_;
  PresenceDesk& presence_;
  std::multimap<std::string, std::weak_ptr<ControlCall>> waiting_;  // by ticket
};

}  // namespace holdpoint
