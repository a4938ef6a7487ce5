#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/environment/yaml.h"
#include "agent/policy/rule_reader.h"

namespace holdpoint {

// A Sigma rule as a pack of one rule, sigma.ID: what it finds is recorded (audit), in observe until it is promoted. Its
// tags say the effect and the techniques; it needs no cases. Errors as SigmaRule::Read.
absl::StatusOr<Pack> ReadSigmaPack(absl::string_view name, const YamlValue& document);

}  // namespace holdpoint
