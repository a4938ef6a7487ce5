#include "agent/gate/emergency_desk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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

std::string TimeOfDay(absl::Time time) { return absl::FormatTime("%H:%M:%S UTC", time, absl::UTCTimeZone()); }

}  // namespace

void EmergencyDesk::Handle(const Call& call, bool peer_in_session) {
  const ControlCommand command = call->request().command;
  const char* decision = command == ControlCommand::kBreakGlass      ? "break-glass"
                         : command == ControlCommand::kBreakGlassEnd ? "break-glass end"
                         : command == ControlCommand::kOff           ? "off"
                                                                     : "on";
  const std::string environment = EscapeAndClip(call->request().text3, 63);
  if (absl::Status may = MayAdminister(call->peer().uid, peer_in_session); !may.ok()) {
    return Refuse(call, Event(*call, decision, environment), may);
  }
  switch (command) {
    case ControlCommand::kBreakGlass:
      return BreakGlass(call);
    case ControlCommand::kOff:
      return SwitchOff(call);
    case ControlCommand::kBreakGlassEnd: {
      std::vector<std::string> broken;
      for (const auto& [name, glass] : core_.emergency.glass()) {
        if (environment.empty() || name == environment) broken.push_back(name);
      }
      for (const std::string& name : broken) End(name, Event(*call, decision, name));
      return call->Reply(0, broken.empty() ? "no glass is broken"
                                           : absl::StrCat(absl::StrJoin(broken, ", "), ": break-glass has ended"));
    }
    default:
      if (core_.emergency.off() == nullptr) return call->Reply(0, "enforcement is on");
      End("", Event(*call, decision, ""));
      return call->Reply(0, "enforcement is on again");
  }
}

void EmergencyDesk::BreakGlass(const Call& call) {
  std::string name = call->request().text3;
  std::vector<std::string> protected_names;
  for (const v1::Environment& environment : core_.policy.configured().environments()) {
    if (environment.protected_()) protected_names.push_back(environment.name());
  }
  if (name.empty() && protected_names.size() == 1) name = protected_names[0];
  const v1::Environment* environment = core_.policy.Find(name);
  if (environment == nullptr) {
    return call->Reply(2, absl::StrCat(name.empty() ? "say which environment, with --env"
                                                    : EscapeAndClip(name, 63) + ": there is no such environment",
                                       "; protected: ", protected_names.empty() ? "none" : absl::StrJoin(protected_names, ", ")));
  }
  Lifting lifting{.environment = name, .time = absl::Seconds(call->request().number), .event = Event(*call, "break-glass", name)};
  if (lifting.time <= absl::ZeroDuration() || lifting.time > Emergency::kMaxGlass) {
    return call->Reply(2, absl::StrCat("--for: more than nothing and at most ", absl::FormatDuration(Emergency::kMaxGlass)));
  }
  Prove(call, std::move(lifting), {environment});
}

void EmergencyDesk::SwitchOff(const Call& call) {
  Lifting lifting{.environment = "", .time = absl::Seconds(call->request().number), .event = Event(*call, "off", "")};
  if (lifting.time <= absl::ZeroDuration() || lifting.time > Emergency::kMaxOff) {
    return call->Reply(2, absl::StrCat("--for: more than nothing and at most ", absl::FormatDuration(Emergency::kMaxOff)));
  }
  std::vector<const v1::Environment*> protected_ones, all;
  for (const v1::Environment& environment : core_.policy.configured().environments()) {
    all.push_back(&environment);
    if (environment.protected_()) protected_ones.push_back(&environment);
  }
  for (const v1::Environment* environment : protected_ones) {
    if (!environment->two_persons()) continue;
    return Refuse(call, std::move(lifting.event),
                  absl::PermissionDeniedError(absl::StrCat("two persons decide in ", environment->name(),
                                                           ", and this asks only one: change the configuration file and "
                                                           "reload it")));
  }
  Prove(call, std::move(lifting), protected_ones.empty() ? all : protected_ones);
}

// One person who owns all of them.
void EmergencyDesk::Prove(const Call& call, Lifting lifting, const std::vector<const v1::Environment*>& environments) {
  if (absl::StripAsciiWhitespace(call->request().text2).empty()) {
    return Refuse(call, std::move(lifting.event), absl::InvalidArgumentError("say why, with --reason"));
  }
  DecisionAttempt attempt;
  attempt.peer_uid = call->peer().uid;
  attempt.as_user = call->request().text1;
  attempt.session_uid = kNobody;  // It is about no session's act.
  for (size_t i = 0; i < environments.size(); ++i) {
    const std::vector<EligibleOwner> of = core_.owners.Of(environments[i]->approval());
    if (i == 0) {
      attempt.eligible = of;
      continue;
    }
    std::erase_if(attempt.eligible, [&of](const EligibleOwner& owner) {
      return std::none_of(of.begin(), of.end(), [&](const EligibleOwner& other) { return other.uid == owner.uid; });
    });
  }
  if (call->request().secret[0] == '\0') {
    std::vector<std::string> names;
    for (const EligibleOwner& owner : attempt.eligible) names.push_back(owner.user);
    return call->Reply(kExitNotPermitted, "an owner has to be present for this", PresenceBodies(names));
  }
  if (absl::Status may = MayDecide(attempt); !may.ok()) return Refuse(call, std::move(lifting.event), may);
  const auto owner = std::find_if(attempt.eligible.begin(), attempt.eligible.end(),
                                  [&](const EligibleOwner& one) { return one.user == attempt.as_user; });
  lifting.event.set_role(owner->through);
  presence_.Prove(call, *owner, [this, call, lifting = std::move(lifting)](absl::StatusOr<PresenceProof> proof) mutable {
    if (!proof.ok()) return Refuse(call, std::move(lifting.event), proof.status());
    lifting.event.set_presence(proof->how);
    Begin(call, lifting);
  });
}

void EmergencyDesk::Begin(const Call& call, const Lifting& lifting) {
  const absl::Time now = core_.clock.Wall();
  Lifted lifted{.by = lifting.event.by(),
                .reason = lifting.event.reason(),
                .since = now,
                .ends = now + lifting.time,
                .until = core_.clock.Boot() + lifting.time};
  v1::Decision event = lifting.event;
  event.set_accepted(true);
  event.set_expires_unix_ns(absl::ToUnixNanos(lifted.ends));
  core_.ledger.Decision(nullptr, std::move(event));
  core_.ledger.Sync();  // Before anything passes by it.
  const std::string until = TimeOfDay(lifted.ends);
  LogWarning(lifting.environment.empty() ? "OFF" : absl::StrCat("BREAK-GLASS in ", lifting.environment), " until ", until,
             ", by ", lifted.by, ": ", lifted.reason);
  const BootTime ends = lifted.until;
  Arm(lifting.environment, ends);
  if (lifting.environment.empty()) {
    core_.emergency.SwitchOff(std::move(lifted));
    TellKernel("", ends);
    return call->Reply(0, absl::StrCat("nothing is stopped until ", until, "; `holdpoint on` ends it before"));
  }
  core_.emergency.Break(lifting.environment, std::move(lifted));
  TellKernel(lifting.environment, ends);
  call->Reply(0, absl::StrCat("break-glass in ", lifting.environment, " until ", until,
                              ": what would be held or refused passes and is recorded; `holdpoint break-glass --end` ends "
                              "it before"));
}

// Ends what this timer was set for, and not a later one.
void EmergencyDesk::Arm(const std::string& environment, BootTime until) {
  core_.loop.At(until, [this, environment, until] {
    const auto glass = core_.emergency.glass().find(environment);
    const Lifted* lifted = environment.empty() ? core_.emergency.off()
                           : glass == core_.emergency.glass().end() ? nullptr
                                                                     : &glass->second;
    if (lifted == nullptr || lifted->until.ns != until.ns) return;
    v1::Decision event;
    event.set_decision(environment.empty() ? "on" : "break-glass end");
    event.set_environment(environment);
    event.set_reason("its time is over");
    End(environment, std::move(event));
  });
}

void EmergencyDesk::End(const std::string& environment, v1::Decision event) {
  event.set_accepted(true);
  if (environment.empty()) {
    core_.emergency.SwitchOn();
    TellKernel("", BootTime{});
    LogWarning("enforcement is on again");
  } else {
    const auto glass = core_.emergency.glass().find(environment);
    const bool ours = glass != core_.emergency.glass().end();  // Else nobody counted.
    const std::string acts = ours ? absl::StrCat(glass->second.acts, " acts passed") : "";
    core_.emergency.Mend(environment);
    TellKernel(environment, BootTime{});
    LogWarning("break-glass in ", environment, " has ended", ours ? ": " : "", acts);
    if (ours) event.set_reason(absl::StrCat(event.reason(), event.reason().empty() ? "" : "; ", acts));
  }
  core_.ledger.Decision(nullptr, std::move(event));
  core_.ledger.Sync();
}

void EmergencyDesk::EndAll(const std::string& why) {
  std::vector<std::string> broken;
  for (const auto& [name, glass] : core_.emergency.glass()) broken.push_back(name);
  if (core_.emergency.off() != nullptr) broken.emplace_back();
  for (const std::string& name : broken) {
    v1::Decision event;
    event.set_decision(name.empty() ? "on" : "break-glass end");
    event.set_environment(name);
    event.set_reason(why);
    End(name, std::move(event));
  }
}

void EmergencyDesk::TakeOver() {
  const absl::StatusOr<Kernel::LiftedTimes> left = core_.kernel.Lifted();
  if (!left.ok()) {
    LogError("what was lifted before can't be seen: ", left.status().message());
    return;
  }
  const BootTime now = core_.clock.Boot();
  const auto over = [this](const std::string& environment) {
    v1::Decision event;
    event.set_decision(environment.empty() ? "on" : "break-glass end");
    event.set_environment(environment);
    event.set_reason("the daemon that lifted it was killed, and another one begins");
    End(environment, std::move(event));
  };
  if (now < left->off) over("");
  for (const auto& [number, until] : left->glass) {
    if (until < now || static_cast<int>(number) > core_.policy.configured().environments_size()) continue;
    over(core_.policy.configured().environments(static_cast<int>(number) - 1).name());
  }
  TellKernel("", BootTime{});
}

void EmergencyDesk::OnConfigured() {
  for (uint32_t number = 1; number < HP_ENV_MAX; ++number) {
    if (absl::Status told = core_.kernel.SetGlass(number, BootTime{}); !told.ok()) {
      LogError("what break-glass lifted may hold on in the kernel: ", told.message());
    }
  }
  std::vector<std::string> gone;
  for (const auto& [name, glass] : core_.emergency.glass()) {
    if (core_.policy.Find(name) == nullptr) gone.push_back(name);
    TellKernel(name, glass.until);
  }
  for (const std::string& name : gone) {
    v1::Decision event;
    event.set_decision("break-glass end");
    event.set_environment(name);
    event.set_reason("the environment is not configured any more");
    End(name, std::move(event));
  }
}

void EmergencyDesk::TellKernel(const std::string& environment, BootTime until) {
  const uint32_t number = environment.empty() ? 0 : core_.policy.NumberOf(environment);
  if (number == 0 && !environment.empty()) return;
  const absl::Status told = environment.empty() ? core_.kernel.SetOff(until) : core_.kernel.SetGlass(number, until);
  if (told.ok()) return;
  LogError(environment.empty() ? "off" : absl::StrCat("break-glass in ", environment), " does not ",
           until.ns == 0 ? "end" : "begin", " in the kernel: ", told.message());
}

void EmergencyDesk::Refuse(const Call& call, v1::Decision event, const absl::Status& why) {
  event.set_refused_because(std::string(why.message()));
  core_.ledger.Decision(nullptr, std::move(event));
  call->Reply(ExitCode(why), why.message());
}

v1::Decision EmergencyDesk::Event(const ControlCall& call, const std::string& decision,
                                  const std::string& environment) const {
  v1::Decision event;
  event.set_decision(decision);
  event.set_environment(EscapeAndClip(environment, 63));
  event.set_by(EscapeAndClip(call.request().text1, 63));
  event.set_reason(EscapeAndClip(call.request().text2, 255));
  event.set_peer_uid(call.peer().uid);
  event.set_login_uid(LoginUid(call.peer().pid));
  return event;
}

}  // namespace holdpoint
