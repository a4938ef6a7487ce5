#include "agent/policy/sigma_pack.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/policy/sigma.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxId = 80;

// Lower-case words with dashes between.
std::string Slug(absl::string_view text) {
  std::string slug;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte)) {
      slug.push_back(static_cast<char>(absl::ascii_tolower(byte)));
    } else if (!slug.empty() && slug.back() != '-') {
      slug.push_back('-');
    }
    if (slug.size() >= kMaxId) break;
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug.empty() ? "untitled" : slug;
}

v1::Effect EffectOf(const std::vector<std::string>& tags) {
  const auto has = [&tags](absl::string_view tag) {
    return std::find(tags.begin(), tags.end(), absl::StrCat("attack.", tag)) != tags.end();
  };
  if (has("impact")) return v1::EFFECT_DESTROY;
  if (has("exfiltration")) return v1::EFFECT_EXPOSE;
  if (has("privilege-escalation") || has("privilege_escalation")) return v1::EFFECT_ESCALATE;
  return v1::EFFECT_UNSEEN;
}

}  // namespace

absl::StatusOr<Pack> ReadSigmaPack(absl::string_view name, const YamlValue& document) {
  Rule rule;
  HP_ASSIGN_OR_RETURN(rule.sigma, SigmaRule::Read(document));
  rule.id = absl::StrCat("sigma.", Slug(rule.sigma->id.empty() ? rule.sigma->title : rule.sigma->id));
  rule.file = std::string(name);
  rule.line = document.node().line;
  rule.family = "sigma";
  rule.title = rule.sigma->title;
  rule.why = absl::StrCat("is what the Sigma rule \"", rule.sigma->title, "\" looks for");
  rule.effect = EffectOf(rule.sigma->tags);
  if (rule.effect == v1::EFFECT_DESTROY) rule.recoverability = v1::RECOVERABILITY_IRREVERSIBLE;
  rule.verdict = v1::VERDICT_AUDIT;
  rule.resource_type = "sigma-rule";
  rule.resource.kind = ResourceSource::Kind::kFixed;
  rule.resource.id = rule.sigma->title;
  for (const std::string& tag : rule.sigma->tags) {
    const std::string technique = absl::AsciiStrToUpper(tag);
    if (absl::StartsWith(technique, "ATTACK.T") && technique.size() > 8 &&
        absl::ascii_isdigit(static_cast<unsigned char>(technique[8]))) {
      rule.techniques.push_back(technique.substr(7));
    }
  }
  rule.references = rule.sigma->references;
  rule.mode = RuleMode::kObserve;
  Pack pack;
  pack.family = rule.family;
  pack.title = rule.title;
  pack.rules.push_back(std::move(rule));
  return pack;
}

}  // namespace holdpoint
