#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/cli/context.h"
#include "agent/judge/loaded_policy.h"

namespace holdpoint {

// holdpoint rules show ID: everything that is known of one rule.
absl::StatusOr<int> ShowRule(const Context& context, const LoadedPolicy& policy, const std::string& id);

// holdpoint rules import FILE...: copies Sigma rules and packs into `folder` as they are, each under its own id, if they
// load together with what is there. What does not is named, and its file left out: exit code 1.
absl::StatusOr<int> ImportRules(const std::vector<PolicyFile>& installed, const std::vector<std::string>& files,
                                const std::string& folder, bool dry_run);

}  // namespace holdpoint
