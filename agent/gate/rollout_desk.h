#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/control/server.h"
#include "agent/gate/core.h"
#include "agent/gate/presence_desk.h"
#include "agent/gate/rollout_store.h"

namespace holdpoint {

// What is enforced and what only observed, switched while the daemon runs: `holdpoint mode` and `holdpoint rules
// promote`. A switch is in the record and on the disk before the caller hears of it; sessions, tickets and holds go on.
//
// Root outside every session may switch. Where that takes enforcement away from a protected environment, one of its
// owners has to be present as well.
class RolloutDesk {
 public:
  // Hands the judge what is switched and promoted and puts its answer in force. OK, or nothing has changed.
  using PutInForce = std::function<absl::Status(const v1::Rollout&)>;
  RolloutDesk(Core core, RolloutStore& store, PresenceDesk& presence, PutInForce put_in_force)
      : core_(core), store_(store), presence_(presence), put_in_force_(std::move(put_in_force)) {}

  using Call = std::shared_ptr<ControlCall>;
  void Handle(const Call& call, bool peer_in_session);

  // A configuration is in force: writes what it means for the rules that were promoted. `before` is the one it replaces,
  // null at the start. At the first start on this host every rule that its pack enforces is promoted.
  void OnConfigured(const v1::Configured* before, bool first_start);

 private:
  using Key = RolloutStore::Key;
  struct Change {
    Key key;
    std::string mode;  // empty: the switch is taken back
    v1::ModeChanged event;
  };

  void List(const Call& call);
  void Switch(const Call& call);
  void Promote(const Call& call);
  void Prove(const Call& call, Change change, std::vector<EligibleOwner> owners);
  void Commit(const Call& call, const Change& change);
  void Refuse(const Call& call, v1::ModeChanged event, const absl::Status& why);

  const v1::RuleState* FindRule(absl::string_view id) const;
  bool TwoPersons(const Key& key) const;
  bool Weakens(const Key& key, absl::string_view mode) const;
  std::vector<EligibleOwner> OwnersOf(const Key& key) const;
  v1::ModeChanged Event(const ControlCall& call, absl::string_view change, const Key& key) const;
  void Record(v1::ModeChanged event);
  // The store is as wanted in memory: in force, in the record, on the disk. Otherwise it is as `old` again.
  absl::Status Settle(RolloutStore old, const std::vector<v1::ModeChanged>& events);
  RolloutStore::Stamp StampOf(const ControlCall& call) const;

  Core core_;
  RolloutStore& store_;
  PresenceDesk& presence_;
  PutInForce put_in_force_;
};

// "observe (new)", "observe (changed)", "enforce", ...
std::string ShownMode(const v1::RuleState& state, bool switched);

}  // namespace holdpoint
