#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "agent/environment/configuration.h"
#include "agent/policy/policy.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// Puts what was switched and promoted on this host into the configuration that the policy is evaluated with, and says
// what is in force of each rule. Without a rollout the files' word is. Pure.
//
// The order: a live switch, then the word of the configuration for this rule by name, then its pack. Where only a pack
// says enforce, the rule must have been promoted as it is now:
//   new      never promoted: observed
//   changed  promoted with another text: on what it matches now it is enforced with what it did before (effect,
//            recoverability, verdict); where it would do more, that is observed. So a change can't make an enforced rule
//            milder, nor stricter, before somebody has seen it. docs/decisions has the reasons.
//
// Names that the policy or the configuration does not have are left alone: they may come back.
std::vector<v1::RuleState> ApplyRollout(const Policy& policy, const v1::Rollout* rollout, Configuration* configuration);

// "enforce", "observe", "off".
absl::string_view RuleModeWord(RuleMode mode);

}  // namespace holdpoint
