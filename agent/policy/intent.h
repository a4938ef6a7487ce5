#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/policy/evidence.h"
#include "agent/policy/policy.h"
#include "agent/policy/rule.h"
#include "holdpoint/v1/judge.pb.h"

// What a session did before counts: another attempt on a resource that was refused to it, and losses in many small
// pieces. The history comes in as a value and what the act adds to it goes out as one. Pure.
namespace holdpoint {

// Ids of what decides here, for policy.rules and for the gate.
inline constexpr absl::string_view kRepeatedIntent = "intent.repeated";
inline constexpr absl::string_view kSmallLosses = "intent.small-losses";

inline constexpr size_t kMaxTargets = 16;  // of one act

// What an act would do to one resource.
struct Touch {
  v1::Target target;
  v1::Verdict verdict = v1::VERDICT_UNSPECIFIED;
  bool for_good = false;  // nothing shows that it could be had again
  bool small = false;     // a loss that passes, outside what is disposable
  std::string pool;       // what it is counted in
};

// The resources of one hit of `rule` with this id by what they are: paths with their links resolved, where the reader
// has looked. `environment` is the resource's own tag. Several where one id stands for several (mv into a folder).
std::vector<v1::Target> TargetsOf(const Rule& rule, absl::string_view id, absl::string_view environment,
                                  absl::string_view key, const AssessmentInput& input);

// What many small losses are counted in: the repository, else the folder, else the kind of resource.
std::string PoolOf(const Rule& rule, absl::string_view id, const AssessmentInput& input);

// Whether `act` goes for what was refused as `refused`. `stopped`: the act would be stopped by itself; one that would
// pass counts only where it is the same thing or a part of it.
bool SameResource(const v1::Target& act, const v1::Target& refused, bool stopped);

// Makes `judgement` stricter where the history says so. Its digest is that of the act alone: a repeated attempt can be
// approved like any other, and a retry of one keeps its ticket.
void WeighHistory(const EvaluationContext& context, const std::vector<Touch>& touched, v1::Judgement* judgement);

// What the gate keeps of this act.
v1::Footprint FootprintOf(const std::vector<Touch>& touched, const v1::Judgement& judgement);

}  // namespace holdpoint
