#include "agent/judge/loaded_policy.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/sha256.h"
#include "agent/base/status.h"
#include "agent/environment/load.h"
#include "agent/policy/cases.h"
#include "agent/policy/rollout.h"
#include "agent/policy/rule_reader.h"

namespace holdpoint {
namespace {

void AppendFramed(absl::string_view text, std::string* out) { absl::StrAppend(out, text.size(), ":", text, ";"); }

}  // namespace

absl::StatusOr<std::shared_ptr<const LoadedPolicy>> LoadPolicy(const PolicyFile& configuration,
                                                               const std::vector<PolicyFile>& packs,
                                                               std::string fingerprint_key, const PolicyFile& agents) {
  auto loaded = std::make_shared<LoadedPolicy>();
  HP_ASSIGN_OR_RETURN(loaded->configuration, LoadConfiguration(configuration.name, configuration.bytes));
  HP_ASSIGN_OR_RETURN(loaded->agents, LoadCodingAgents(agents.name, agents.bytes));
  loaded->fingerprint_key = std::move(fingerprint_key);
  std::string all = "holdpoint policy v1;";
  AppendFramed(configuration.bytes, &all);
  AppendFramed(agents.bytes, &all);
  std::vector<Pack> read;
  for (const PolicyFile& file : packs) {
    AppendFramed(file.name, &all);
    AppendFramed(file.bytes, &all);
    HP_ASSIGN_OR_RETURN(Pack pack, ReadPack(file.name, file.bytes));
    read.push_back(std::move(pack));
  }
  HP_ASSIGN_OR_RETURN(loaded->policy, Policy::Compile(std::move(read)));
  HP_RETURN_IF_ERROR(RunCases(*loaded->policy));
  loaded->hash = Hex(Sha256(all));
  return std::shared_ptr<const LoadedPolicy>(std::move(loaded));
}

std::shared_ptr<const LoadedPolicy> WithRollout(const LoadedPolicy& base, const v1::Rollout* rollout) {
  auto loaded = std::make_shared<LoadedPolicy>(base);
  loaded->rules = ApplyRollout(*base.policy, rollout, &loaded->configuration);
  if (rollout != nullptr) loaded->hash = Hex(Sha256(absl::StrCat(base.hash, ";", rollout->SerializeAsString())));
  return loaded;
}

}  // namespace holdpoint
