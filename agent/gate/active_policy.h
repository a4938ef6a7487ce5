#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/kernel/kernel.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// What the judge compiled, in the numbers that the kernel programs use. A value; a reload makes a new one.
class ActivePolicy {
 public:
  ActivePolicy() = default;
  // `observe` (the daemon's flag) switches every environment to observe.
  ActivePolicy(v1::Configured configured, uint32_t generation, bool observe);

  const v1::Configured& configured() const { return configured_; }
  uint32_t generation() const { return generation_; }

  // An environment's number in the kernel; 0 for one that is not configured.
  uint32_t NumberOf(absl::string_view environment) const;
  // Null for one that is not configured.
  const v1::Environment* Find(absl::string_view environment) const;

  // HP_SESSION_* of a confirmed session in this environment. An unknown one enforces and fails open.
  uint32_t SessionFlags(absl::string_view environment) const;
  bool Enforces(absl::string_view environment) const;
  bool FailsClosed(absl::string_view environment) const;

  // The environment whose owners decide over an act: the target's, else the session's.
  const v1::Environment* OwnersOf(absl::string_view target, absl::string_view session) const;

  // Whether this act needs the approval of two owners of `environment` (null: nobody's): an irreversible loss where it is
  // protected and asks for them.
  static bool NeedsTwo(const v1::Judgement& judgement, const v1::Environment* environment);

  absl::Duration consult_budget() const { return absl::Milliseconds(configured_.limits().consult_ms()); }
  absl::Duration hold_time() const { return absl::Milliseconds(configured_.limits().hold_ms()); }
  absl::Duration ticket_time() const { return absl::Minutes(configured_.limits().ticket_minutes()); }
  absl::Duration losses_window() const { return absl::Milliseconds(configured_.losses_window_ms()); }
  size_t max_holds() const { return configured_.limits().max_holds(); }

  bool records_allowed() const { return configured_.record_allowed(); }

  // Gives the kernel the automata that came with the configuration, and keeps no copy. Without them everything is asked,
  // which is said in the log. Before Apply.
  void LoadTriage(Kernel& kernel);
  // The state that a program's class may name: 0 where the judge had another table in mind than the kernel has.
  uint32_t TriageState(const v1::ExecVerdict& verdict) const {
    return verdict.triage_id() == configured_.triage_id() ? verdict.triage_state() : HP_TRIAGE_ASK;
  }

  // Writes generation, names, destinations and actions into the kernel's tables.
  absl::Status Apply(Kernel& kernel) const;

 private:
  std::vector<Kernel::DestinationPrefix> Prefixes() const;

  v1::Configured configured_;
  uint32_t generation_ = 0;
  bool observe_ = false;
};

}  // namespace holdpoint
