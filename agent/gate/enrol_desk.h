#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/control/server.h"
#include "agent/gate/core.h"
#include "agent/gate/presence_desk.h"

namespace holdpoint {

// What owners prove to be there with: `holdpoint presence`. A new secret for codes is made and kept by
// holdpoint-presence; it passes through here once, on its way to the owner.
//
// Root or the owner, outside every session, and present by what they can prove with already.
class EnrolDesk {
 public:
  EnrolDesk(Core core, PresenceDesk& presence) : core_(core), presence_(presence) {}

  using Call = std::shared_ptr<ControlCall>;
  void Handle(const Call& call, bool peer_in_session);

 private:
  struct Change {
    std::string what;  // "enrol-totp begun", "enrol-totp", "remove-totp"
    EligibleOwner owner;
    PresenceProof proof = {};
  };
  void List(const Call& call, bool peer_in_session);
  void Begin(const Call& call, Change change);
  void Run(const Call& call, Change change, std::vector<std::string> args, std::string secret,
           std::function<void(std::string answer)> done);
  void Record(const ControlCall& call, const Change& change, absl::string_view refused_because);
  void Refuse(const Call& call, const Change& change, const absl::Status& why);

  Core core_;
  PresenceDesk& presence_;
  std::map<std::string, PresenceProof> begun_;  // by whom a new secret was begun, and how they had proven to be there
};

}  // namespace holdpoint
