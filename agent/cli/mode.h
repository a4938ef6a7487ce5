#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"

namespace holdpoint {

// Who asks: the person behind sudo, else the caller's account.
std::string CallerName();

// The daemon's rows of `holdpoint mode`: environments, then rules.
absl::StatusOr<std::vector<Json>> AskModes(const Context& context);
// "enforce", "observe (new)", ...
std::string ShownMode(const Json& row);

// Promotes one rule, or all where `rule` is empty.
absl::StatusOr<int> PromoteRules(const Context& context, const std::string& rule);

}  // namespace holdpoint
