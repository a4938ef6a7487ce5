#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/environment/coding_agents.h"
#include "agent/environment/configuration.h"
#include "agent/policy/policy.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// Everything that was loaded together. Immutable.
struct LoadedPolicy {
  Configuration configuration;
  const CodingAgents* agents = nullptr;  // lives as long as the process
  std::shared_ptr<const Policy> policy;
  std::string fingerprint_key;
  std::string hash;  // hexadecimal: over names and bytes of the configuration and every pack
};

struct PolicyFile {
  std::string name;
  std::string bytes;
};

// Reads the configuration and the packs, compiles them, and runs every case of every rule: a rule whose case does not
// come out as it says does not load. Errors: kFailedPrecondition, one sentence with file, line and column.
absl::StatusOr<std::shared_ptr<const LoadedPolicy>> LoadPolicy(const PolicyFile& configuration,
                                                               const std::vector<PolicyFile>& packs,
                                                               std::string fingerprint_key);

}  // namespace holdpoint
