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
  CodingAgents agents;
  std::shared_ptr<const Policy> policy;
  std::string fingerprint_key;
  std::string hash;  // hexadecimal: over names and bytes of the configuration, the agents and every pack, and the rollout
  std::vector<v1::RuleState> rules = {};
};

struct PolicyFile {
  std::string name;
  std::string bytes;
};

// Reads the configuration, the packs and how coding agents are recognised (empty: as built in), compiles them, and runs
// every case of every rule: a rule whose case does not come out as it says does not load. Errors: kFailedPrecondition,
// one sentence with file, line and column.
absl::StatusOr<std::shared_ptr<const LoadedPolicy>> LoadPolicy(const PolicyFile& configuration,
                                                               const std::vector<PolicyFile>& packs,
                                                               std::string fingerprint_key,
                                                               const PolicyFile& agents = {});

// The same policy with what is switched and promoted on this host; null: as the files say. Reads no file again.
std::shared_ptr<const LoadedPolicy> WithRollout(const LoadedPolicy& base, const v1::Rollout* rollout);

}  // namespace holdpoint
