#pragma once

#include "absl/status/status.h"
#include "agent/environment/yaml.h"
#include "agent/policy/rule.h"

namespace holdpoint {

// Reads a rule's `when:` into its tools, call and request, and counts its conditions. Errors as in yaml.h.
absl::Status ReadWhen(const YamlValue& value, Rule* rule);

}  // namespace holdpoint
