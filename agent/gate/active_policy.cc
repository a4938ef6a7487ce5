#include "agent/gate/active_policy.h"

#include <algorithm>
#include <map>
#include <utility>

#include "agent/base/log.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

using Prefix = std::pair<std::string, uint32_t>;  // address bytes, length

bool Contains(const Prefix& outer, const Prefix& inner) {
  if (outer.first.size() != inner.first.size() || outer.second > inner.second) return false;
  for (uint32_t bit = 0; bit < outer.second; ++bit) {
    const auto mask = static_cast<unsigned char>(0x80u >> (bit % 8));
    if (((outer.first[bit / 8] ^ inner.first[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

uint16_t RefuseNumber(absl::string_view word) {
  if (word == "always") return HP_REFUSE_ALWAYS;
  if (word == "never") return HP_REFUSE_NEVER;
  return HP_REFUSE_CROSSING;
}

}  // namespace

ActivePolicy::ActivePolicy(v1::Configured configured, uint32_t generation, bool observe)
    : configured_(std::move(configured)), generation_(generation), observe_(observe) {}

uint32_t ActivePolicy::NumberOf(absl::string_view environment) const {
  for (int i = 0; i < configured_.environments_size() && i + 1 < HP_ENV_MAX; ++i) {
    if (configured_.environments(i).name() == environment) return static_cast<uint32_t>(i + 1);
  }
  return 0;
}

const v1::Environment* ActivePolicy::Find(absl::string_view environment) const {
  const uint32_t number = NumberOf(environment);
  return number == 0 ? nullptr : &configured_.environments(static_cast<int>(number - 1));
}

bool ActivePolicy::Enforces(absl::string_view environment) const {
  const v1::Environment* found = Find(environment);
  return !observe_ && (found == nullptr || found->enforce());
}

bool ActivePolicy::FailsClosed(absl::string_view environment) const {
  const v1::Environment* found = Find(environment);
  return found != nullptr && found->fail_closed();
}

uint32_t ActivePolicy::SessionFlags(absl::string_view environment) const {
  uint32_t flags = HP_SESSION_CONFIRMED;
  if (Enforces(environment)) flags |= HP_SESSION_ENFORCE;
  if (FailsClosed(environment)) flags |= HP_SESSION_FAIL_CLOSED;
  return flags;
}

const v1::Environment* ActivePolicy::OwnersOf(absl::string_view target, absl::string_view session) const {
  const v1::Environment* found = Find(target);
  return found != nullptr ? found : Find(session);
}

bool ActivePolicy::NeedsTwo(const v1::Judgement& judgement, const v1::Environment* environment) {
  return environment != nullptr && environment->protected_() && environment->two_persons() &&
         judgement.effect() == v1::EFFECT_DESTROY && judgement.recoverability() != v1::RECOVERABILITY_REGENERABLE &&
         judgement.recoverability() != v1::RECOVERABILITY_RECOVERABLE;
}

std::vector<Kernel::DestinationPrefix> ActivePolicy::Prefixes() const {
  std::map<Prefix, std::vector<hp_dest_range>> own;
  for (const v1::DestinationRange& range : configured_.destinations()) {
    const uint32_t high = range.port_high() == 0 ? 65535 : range.port_high();
    own[{range.address(), range.prefix_length()}].push_back(hp_dest_range{
        .port_low = static_cast<uint16_t>(range.port_low()),
        .port_high = static_cast<uint16_t>(high),
        .environment = static_cast<uint16_t>(NumberOf(range.environment())),
        .refuse = RefuseNumber(range.refuse()),
    });
  }
  // The kernel looks at the longest prefix only: it gets the ranges of every prefix around it behind its own.
  std::vector<Kernel::DestinationPrefix> prefixes;
  for (const auto& [prefix, ranges] : own) {
    std::vector<std::pair<uint32_t, const std::vector<hp_dest_range>*>> around;
    for (const auto& [outer, outer_ranges] : own) {
      if (Contains(outer, prefix)) around.emplace_back(outer.second, &outer_ranges);
    }
    std::sort(around.begin(), around.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    Kernel::DestinationPrefix& entry = prefixes.emplace_back();
    entry.address = prefix.first;
    entry.prefix_length = prefix.second;
    for (const auto& [length, some] : around) entry.ranges.insert(entry.ranges.end(), some->begin(), some->end());
  }
  return prefixes;
}

void ActivePolicy::LoadTriage(Kernel& kernel) {
  if (configured_.triage().empty()) return;
  Kernel::TriageTables tables;
  tables.rows = configured_.triage();
  tables.unseen = configured_.triage_unseen();
  tables.names.assign(configured_.triage_names().begin(), configured_.triage_names().end());
  tables.sizes.assign(configured_.triage_sizes().begin(), configured_.triage_sizes().end());
  if (absl::Status set = kernel.SetTriage(tables, generation_); !set.ok()) {
    LogWarning("every program of a session is asked about: ", set.message());
    configured_.clear_triage_id();
  }
  configured_.clear_triage();
  configured_.clear_triage_names();
  configured_.clear_triage_sizes();
}

absl::Status ActivePolicy::Apply(Kernel& kernel) const {
  const int environments = configured_.environments_size();
  if (environments >= HP_ENV_MAX) {
    return absl::FailedPreconditionError("the configuration names more environments than the kernel tables hold");
  }
  for (uint32_t from = 0; from <= static_cast<uint32_t>(environments); ++from) {
    for (uint32_t to = 0; to <= static_cast<uint32_t>(environments); ++to) {
      hp_action action = from == to || to == 0 ? HP_ACTION_ALLOW : HP_ACTION_AUDIT;
      if (to != 0 && from != to && configured_.environments(static_cast<int>(to - 1)).protected_()) {
        action = HP_ACTION_REFUSE;
      }
      HP_RETURN_IF_ERROR(kernel.SetAction(from, to, action));
    }
  }
  for (const Kernel::DestinationPrefix& prefix : Prefixes()) {
    if (prefix.ranges.size() > HP_DEST_RANGES) {
      return absl::FailedPreconditionError("destinations: more port ranges overlap on one address range than the 16 that "
                                           "the kernel tables hold; join some");
    }
  }
  HP_RETURN_IF_ERROR(kernel.SetDestinations(Prefixes()));
  HP_RETURN_IF_ERROR(kernel.SetAgentNames({configured_.agent_names().begin(), configured_.agent_names().end()}));
  return kernel.SetPolicyGeneration(generation_);
}

}  // namespace holdpoint
