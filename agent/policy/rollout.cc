#include "agent/policy/rollout.h"

#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/sha256.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kModeWords[] = {"enforce", "observe", "off"};
constexpr size_t kShapeDigits = 16;

std::optional<RuleMode> ModeOfWord(absl::string_view word) {
  for (size_t i = 0; i < std::size(kModeWords); ++i) {
    if (word == kModeWords[i]) return static_cast<RuleMode>(i);
  }
  return std::nullopt;
}

std::string ResourceShape(const Rule& rule) {
  const ResourceSource& from = rule.resource;
  return Hex(Sha256(absl::StrCat(rule.resource_type, ";", static_cast<int>(from.kind), ";", from.id, ";", from.index, ";",
                                 static_cast<int>(rule.evidence))))
      .substr(0, kShapeDigits);
}

v1::Rollout::Promoted AsItIs(const Rule& rule) {
  v1::Rollout::Promoted now;
  now.set_rule(rule.id);
  now.set_hash(rule.hash);
  now.set_effect(rule.effect);
  now.set_recoverability(rule.recoverability);
  now.set_verdict(rule.verdict);
  now.set_resource(ResourceShape(rule));
  now.mutable_replaces()->Assign(rule.replaces.begin(), rule.replaces.end());
  return now;
}

PromotedOutcome OutcomeOf(const v1::Rollout::Promoted& before, const v1::Rollout::Promoted& now) {
  PromotedOutcome outcome;
  outcome.effect = before.effect();
  outcome.recoverability = before.recoverability();
  outcome.verdict = before.verdict();
  outcome.same_resource = before.resource() == now.resource();
  outcome.replaces.assign(before.replaces().begin(), before.replaces().end());
  return outcome;
}

void SwitchEnvironment(const v1::Rollout::Override& override, Configuration* configuration) {
  for (EnvironmentConfig& environment : configuration->environments) {
    if (environment.name != override.name()) continue;
    if (override.mode() == "enforce") environment.mode = Mode::kEnforce;
    if (override.mode() == "observe") environment.mode = Mode::kObserve;
  }
}

}  // namespace

absl::string_view RuleModeWord(RuleMode mode) { return kModeWords[static_cast<size_t>(mode)]; }

std::vector<v1::RuleState> ApplyRollout(const Policy& policy, const v1::Rollout* rollout, Configuration* configuration) {
  std::map<std::string, RuleMode> switched;
  std::map<std::string, const v1::Rollout::Promoted*> promoted;
  if (rollout != nullptr) {
    for (const v1::Rollout::Override& override : rollout->overrides()) {
      if (override.kind() == "environment") SwitchEnvironment(override, configuration);
      const std::optional<RuleMode> mode = ModeOfWord(override.mode());
      if (override.kind() == "rule" && mode.has_value()) switched[override.name()] = *mode;
    }
    for (const v1::Rollout::Promoted& one : rollout->promoted()) promoted[one.rule()] = &one;
  }
  const bool all = rollout == nullptr || rollout->promote_all();
  const std::map<std::string, RuleMode> named = configuration->policy.rules;
  std::vector<v1::RuleState> states;
  for (const Rule& rule : policy.rules()) {
    v1::RuleState& state = states.emplace_back();
    *state.mutable_rule() = AsItIs(rule);
    state.set_title(rule.title);
    state.set_pack_mode(std::string(RuleModeWord(rule.mode)));
    const auto by_name = named.find(rule.id);
    RuleMode mode = by_name == named.end() ? rule.mode : by_name->second;
    state.set_file_mode(std::string(RuleModeWord(mode)));
    if (!all && by_name == named.end() && mode == RuleMode::kEnforce) {
      const auto before = promoted.find(rule.id);
      if (before == promoted.end()) {
        state.set_standing("new");
        mode = RuleMode::kObserve;
      } else if (before->second->hash() != rule.hash) {
        state.set_standing("changed");
        if (!switched.contains(rule.id)) {
          configuration->policy.changed[rule.id] = OutcomeOf(*before->second, state.rule());
        }
      }
    }
    if (const auto live = switched.find(rule.id); live != switched.end()) mode = live->second;
    if (mode != rule.mode || by_name != named.end()) configuration->policy.rules[rule.id] = mode;
    state.set_mode(std::string(RuleModeWord(mode)));
  }
  return states;
}

}  // namespace holdpoint
