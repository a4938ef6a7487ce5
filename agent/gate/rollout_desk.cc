#include "agent/gate/rollout_desk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/control/decide.h"
#include "agent/control/views.h"
#include "agent/gate/lineage.h"

namespace holdpoint {
namespace {

constexpr int kExitNotPermitted = 77;
constexpr uint32_t kNobody = 0xffffffff;
constexpr const char* kModes[] = {"enforce", "observe", "off"};

std::string Lower(absl::string_view name, absl::string_view prefix) {
  if (name.substr(0, prefix.size()) == prefix) name.remove_prefix(prefix.size());
  std::string word = absl::AsciiStrToLower(name);
  return word == "unspecified" ? "" : word;
}

}  // namespace

std::string ShownMode(const v1::RuleState& state, bool switched) {
  if (switched || state.standing().empty()) return state.mode();
  return absl::StrCat("observe (", state.standing(), ")");
}

void RolloutDesk::Handle(const Call& call, bool peer_in_session) {
  const ControlCommand command = call->request().command;
  if (command == ControlCommand::kModes) return List(call);
  if (absl::Status may = MayAdminister(call->peer().uid, peer_in_session); !may.ok()) {
    const bool promote = command == ControlCommand::kPromote;
    const std::string kind = promote ? "rule" : EscapeAndClip(call->request().ticket, 15);
    const char* change = promote ? "promote" : command == ControlCommand::kModeSet ? "set" : "unset";
    return Refuse(call, Event(*call, change, {kind, EscapeAndClip(call->request().text3, 63)}), may);
  }
  if (command == ControlCommand::kPromote) return Promote(call);
  Switch(call);
}

void RolloutDesk::List(const Call& call) {
  std::vector<ModeRow> rows;
  const auto add = [&](ModeRow row) {
    if (const RolloutStore::Override* live = store_.Find({row.kind, row.name}); live != nullptr) {
      row.live = live->mode;
      row.by = live->stamp.by;
      row.since = live->stamp.unix_seconds;
    }
    rows.push_back(std::move(row));
  };
  for (const v1::Environment& environment : core_.policy.configured().environments()) {
    ModeRow row;
    row.kind = "environment";
    row.name = environment.name();
    row.file = environment.file_enforce() ? "enforce" : "observe";
    row.mode = core_.policy.Enforces(environment.name()) ? "enforce" : "observe";
    row.protected_environment = environment.protected_();
    add(std::move(row));
  }
  for (const v1::RuleState& state : core_.policy.configured().rule_states()) {
    ModeRow row;
    row.kind = "rule";
    row.name = state.rule().rule();
    row.file = state.file_mode();
    row.mode = state.mode();
    row.standing = state.standing();
    row.title = state.title();
    row.effect = Lower(v1::Effect_Name(state.rule().effect()), "EFFECT_");
    row.recoverability = Lower(v1::Recoverability_Name(state.rule().recoverability()), "RECOVERABILITY_");
    if (row.effect == "destroy" && row.recoverability.empty()) row.recoverability = "by-facts";
    add(std::move(row));
  }
  call->Reply(0, "", ModeBodies(rows));
}

const v1::RuleState* RolloutDesk::FindRule(absl::string_view id) const {
  for (const v1::RuleState& state : core_.policy.configured().rule_states()) {
    if (state.rule().rule() == id) return &state;
  }
  return nullptr;
}

bool RolloutDesk::Weakens(const Key& key, absl::string_view mode) const {
  if (key.first == "environment") {
    const v1::Environment* environment = core_.policy.Find(key.second);
    const bool after = mode.empty() ? environment->file_enforce() : mode == "enforce";
    return environment->protected_() && core_.policy.Enforces(key.second) && !after;
  }
  const v1::RuleState* state = FindRule(key.second);
  const bool after = !mode.empty() ? mode == "enforce" : state->file_mode() == "enforce" && state->standing() != "new";
  return state->mode() == "enforce" && !after && !OwnersOf(key).empty();
}

// Of a rule: who owns each protected environment that is enforced. Without one nobody has to be asked.
std::vector<EligibleOwner> RolloutDesk::OwnersOf(const Key& key) const {
  std::vector<EligibleOwner> owners;
  bool first = true;
  for (const v1::Environment& environment : core_.policy.configured().environments()) {
    const bool counts = key.first == "environment"
                            ? environment.name() == key.second
                            : environment.protected_() && core_.policy.Enforces(environment.name());
    if (!counts) continue;
    std::vector<EligibleOwner> of = core_.owners.Of(environment.approval());
    if (std::exchange(first, false)) {
      owners = std::move(of);
      if (owners.empty()) owners.push_back({"", kNobody, ""});  // Nobody can be present: not the same as not asked.
      continue;
    }
    std::erase_if(owners, [&of](const EligibleOwner& owner) {
      return std::none_of(of.begin(), of.end(), [&](const EligibleOwner& other) { return other.uid == owner.uid; });
    });
    if (owners.empty()) owners.push_back({"", kNobody, ""});
  }
  return owners;
}

bool RolloutDesk::TwoPersons(const Key& key) const {
  const auto& environments = core_.policy.configured().environments();
  return std::any_of(environments.begin(), environments.end(), [&](const v1::Environment& environment) {
    const bool counts = key.first == "environment" ? environment.name() == key.second : core_.policy.Enforces(environment.name());
    return counts && environment.protected_() && environment.two_persons();
  });
}

v1::ModeChanged RolloutDesk::Event(const ControlCall& call, absl::string_view change, const Key& key) const {
  v1::ModeChanged event;
  event.set_change(std::string(change));
  event.set_kind(key.first);
  event.set_name(key.second);
  event.set_by(EscapeAndClip(call.request().text1, 63));
  event.set_reason(EscapeAndClip(call.request().text2, 255));
  event.set_peer_uid(call.peer().uid);
  event.set_login_uid(LoginUid(call.peer().pid));
  return event;
}

RolloutStore::Stamp RolloutDesk::StampOf(const ControlCall& call) const {
  return {EscapeAndClip(call.request().text1, 63), absl::ToUnixSeconds(core_.clock.Wall())};
}

void RolloutDesk::Record(v1::ModeChanged event) {
  v1::Envelope envelope;
  *envelope.mutable_mode_changed() = std::move(event);
  core_.ledger.Write(nullptr, std::move(envelope));
}

void RolloutDesk::Refuse(const Call& call, v1::ModeChanged event, const absl::Status& why) {
  event.set_refused_because(std::string(why.message()));
  Record(std::move(event));
  call->Reply(ExitCode(why), why.message());
}

void RolloutDesk::Switch(const Call& call) {
  const ControlRequest& request = call->request();
  const bool set = request.command == ControlCommand::kModeSet;
  Change change;
  change.key = {request.ticket, request.text3};
  const auto& [kind, name] = change.key;
  const std::string shown = EscapeAndClip(name, 63);
  if (kind != "environment" && kind != "rule") return call->Reply(2, "want environment or rule");
  if (set && request.number > (kind == "rule" ? 2u : 1u)) {
    return call->Reply(2, "want enforce or observe; of a rule also off");
  }
  if (set) change.mode = kModes[request.number];
  const v1::RuleState* rule = kind == "rule" ? FindRule(name) : nullptr;
  const bool there = kind == "rule" ? rule != nullptr : core_.policy.Find(name) != nullptr;
  const RolloutStore::Override* live = store_.Find(change.key);
  if (!there && (set || live == nullptr)) {
    return call->Reply(2, absl::StrCat(shown, ": there is no such ", kind, "; `holdpoint mode` and `holdpoint rules list` "
                                                                          "show what there is"));
  }
  if (!set && live == nullptr) return call->Reply(0, absl::StrCat(kind, " ", shown, ": nothing was switched"));
  change.event = Event(*call, set ? "set" : "unset", {kind, shown});
  if (rule != nullptr) {
    change.event.set_from(ShownMode(*rule, live != nullptr));
    change.event.set_rule_hash(rule->rule().hash());
  } else if (there) {
    change.event.set_from(core_.policy.Enforces(name) ? "enforce" : "observe");
  }
  if (there && Weakens(change.key, change.mode)) {
    std::vector<EligibleOwner> owners = OwnersOf(change.key);
    return Prove(call, std::move(change), std::move(owners));
  }
  Commit(call, change);
}

void RolloutDesk::Prove(const Call& call, Change change, std::vector<EligibleOwner> owners) {
  std::erase_if(owners, [](const EligibleOwner& owner) { return owner.uid == kNobody; });
  if (TwoPersons(change.key)) {
    return Refuse(call, std::move(change.event),
                  absl::PermissionDeniedError("two persons decide here, and a switch asks only one: change the "
                                              "configuration file and reload it"));
  }
  if (absl::StripAsciiWhitespace(call->request().text2).empty()) {
    return Refuse(call, std::move(change.event),
                  absl::InvalidArgumentError("this takes enforcement away from a protected environment: say why, with "
                                             "--reason"));
  }
  if (call->request().secret[0] == '\0') {
    std::vector<std::string> names;
    for (const EligibleOwner& owner : owners) names.push_back(owner.user);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return call->Reply(kExitNotPermitted,
                       "this takes enforcement away from a protected environment: one of its owners has to be present",
                       PresenceBodies(names));
  }
  DecisionAttempt attempt;
  attempt.peer_uid = call->peer().uid;
  attempt.as_user = call->request().text1;
  attempt.session_uid = kNobody;  // It is about no session's act.
  attempt.eligible = owners;
  absl::Status may = MayDecide(attempt);
  if (!may.ok()) return Refuse(call, std::move(change.event), may);
  const auto owner = std::find_if(owners.begin(), owners.end(),
                                  [&](const EligibleOwner& one) { return one.user == attempt.as_user; });
  presence_.Prove(call, *owner, [this, call, change = std::move(change)](absl::StatusOr<PresenceProof> proof) mutable {
    if (!proof.ok()) return Refuse(call, std::move(change.event), proof.status());
    change.event.set_presence(proof->how);
    Commit(call, change);
  });
}

void RolloutDesk::Commit(const Call& call, const Change& change) {
  RolloutStore old = store_;
  if (change.mode.empty()) {
    store_.Unset(change.key);
  } else {
    store_.Set(change.key, change.mode, StampOf(*call));
  }
  v1::ModeChanged event = change.event;
  if (absl::Status settled = Settle(std::move(old), {event}); !settled.ok()) {
    return Refuse(call, std::move(event), settled);
  }
  const auto& [kind, name] = change.key;
  std::string now;
  if (kind == "rule") {
    if (const v1::RuleState* rule = FindRule(name); rule != nullptr) now = ShownMode(*rule, !change.mode.empty());
  } else if (core_.policy.Find(name) != nullptr) {
    now = core_.policy.Enforces(name) ? "enforce" : "observe";
  }
  std::string said = absl::StrCat(kind, " ", name, ": ", now.empty() ? "nothing is switched any more" : now);
  if (core_.options.observe && change.mode == "enforce") absl::StrAppend(&said, " (the daemon runs with --observe)");
  call->Reply(0, said);
}

absl::Status RolloutDesk::Settle(RolloutStore old, const std::vector<v1::ModeChanged>& events) {
  if (absl::Status done = put_in_force_(store_.ForJudge()); !done.ok()) {
    store_ = std::move(old);
    return done;
  }
  for (v1::ModeChanged event : events) {
    event.set_accepted(true);
    if (event.kind() == "rule") {
      if (const v1::RuleState* rule = FindRule(event.name()); rule != nullptr) {
        event.set_to(ShownMode(*rule, store_.Find({"rule", event.name()}) != nullptr));
      }
    } else if (core_.policy.Find(event.name()) != nullptr) {
      event.set_to(core_.policy.Enforces(event.name()) ? "enforce" : "observe");
    }
    Record(std::move(event));
  }
  core_.ledger.Sync();
  absl::Status written = store_.Write(RolloutPath(core_.options.state));
  if (written.ok()) return written;
  store_ = std::move(old);
  if (absl::Status back = put_in_force_(store_.ForJudge()); !back.ok()) {
    LogError("a switch can't be taken back: ", back.message());
  }
  return absl::UnavailableError(absl::StrCat("not switched, it can't be kept: ", written.message()));
}

void RolloutDesk::Promote(const Call& call) {
  const bool all = (call->request().flags & kControlAll) != 0;
  const std::string wanted = call->request().text3;
  std::vector<const v1::RuleState*> rules;
  if (all) {
    for (const v1::RuleState& state : core_.policy.configured().rule_states()) {
      if (!state.standing().empty()) rules.push_back(&state);
    }
    if (rules.empty()) return call->Reply(0, "every rule is promoted as it is");
  } else {
    const v1::RuleState* state = FindRule(wanted);
    if (state == nullptr) {
      return call->Reply(2, absl::StrCat(EscapeAndClip(wanted, 63), ": there is no such rule; `holdpoint rules list`"));
    }
    if (state->standing().empty()) {
      return call->Reply(0, absl::StrCat(wanted, ": ", state->file_mode() == "enforce"
                                                           ? "is promoted as it is"
                                                           : "its pack or the configuration says so; `holdpoint mode set "
                                                             "rule` switches it"));
    }
    rules.push_back(state);
  }
  RolloutStore old = store_;
  std::vector<v1::ModeChanged> events;
  for (const v1::RuleState* state : rules) {
    const std::string& id = state->rule().rule();
    v1::ModeChanged event = Event(*call, "promote", {"rule", id});
    event.set_from(ShownMode(*state, store_.Find({"rule", id}) != nullptr));
    event.set_rule_hash(state->rule().hash());
    events.push_back(std::move(event));
    store_.Promote(state->rule(), StampOf(*call));
  }
  const size_t count = rules.size();  // The states move with the policy.
  if (absl::Status settled = Settle(std::move(old), events); !settled.ok()) {
    return Refuse(call, std::move(events[0]), settled);
  }
  const v1::RuleState* now = all ? nullptr : FindRule(wanted);
  call->Reply(0, all ? absl::StrCat(count, " rules promoted")
                     : absl::StrCat(wanted, " promoted: ", now != nullptr && now->mode() != "enforce"
                                                               ? "still switched to " + now->mode()
                                                               : "it is enforced"));
}

void RolloutDesk::OnConfigured(const v1::Configured* before, bool first_start) {
  std::vector<std::string> known = store_.PromotedRules();
  size_t waiting = 0;
  for (const v1::RuleState& state : core_.policy.configured().rule_states()) {
    const std::string& id = state.rule().rule();
    std::erase(known, id);
    if (first_start && state.pack_mode() == "enforce") {
      store_.Promote(state.rule(), {"first_start", absl::ToUnixSeconds(core_.clock.Wall())});
    }
    if (state.standing().empty()) continue;
    bool told = false;
    if (before != nullptr) {
      for (const v1::RuleState& was : before->rule_states()) {
        told = told || (was.rule().rule() == id && was.rule().hash() == state.rule().hash() &&
                        was.standing() == state.standing());
      }
    }
    if (told) continue;
    v1::ModeChanged event;
    event.set_change(absl::StrCat("rule ", state.standing()));
    event.set_kind("rule");
    event.set_name(id);
    event.set_to(ShownMode(state, store_.Find({"rule", id}) != nullptr));
    event.set_rule_hash(state.rule().hash());
    event.set_accepted(true);
    Record(std::move(event));
    ++waiting;
  }
  if (waiting > 0) {
    LogWarning(waiting, " rules are new or changed; `holdpoint rules list` shows them, `rules promote` ends it");
  }
  for (const std::string& id : known) {  // A promoted rule that no pack has any more stops nothing.
    bool told = false;
    if (before != nullptr) {
      told = std::none_of(before->rule_states().begin(), before->rule_states().end(),
                          [&id](const v1::RuleState& was) { return was.rule().rule() == id; });
    }
    if (told) continue;
    v1::ModeChanged event;
    event.set_change("rule gone");
    event.set_kind("rule");
    event.set_name(id);
    event.set_from("enforce");
    event.set_accepted(true);
    Record(std::move(event));
    LogWarning("rule ", id, " was promoted and is in no pack any more: it stops nothing");
  }
  if (!first_start) return;
  v1::ModeChanged event;
  event.set_change("first start");
  event.set_to(absl::StrCat(store_.PromotedRules().size(), " rules promoted"));
  event.set_accepted(true);
  Record(std::move(event));
  if (absl::Status written = store_.Write(RolloutPath(core_.options.state)); !written.ok()) {
    LogError("what is promoted can't be kept: ", written.message(), "; the next start promotes again what is there then");
  }
}

}  // namespace holdpoint
