#include "agent/policy/intent.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/base/escape.h"
#include "agent/environment/fingerprint.h"
#include "agent/policy/paths.h"
#include "agent/policy/reason.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kPath = "path";
constexpr absl::string_view kChanges = "changes";
constexpr absl::string_view kUntracked = "untracked";
constexpr absl::string_view kMatch = "match";

v1::Target PathTarget(std::string path, absl::string_view part = "") {
  v1::Target target;
  target.set_kind(std::string(kPath));
  target.set_id(std::move(path));
  target.set_part(std::string(part));
  return target;
}

// Where the act's word leads, as far as somebody has looked. `follow`: through a last link, as writing does.
std::string Resolved(const std::string& path, bool follow, const AssessmentInput& input) {
  if (input.facts->PastBound(path)) {
    const v1::PathFact* folder = input.facts->Folder(std::string(ParentPath(path)));
    if (folder == nullptr || folder->resolved().empty()) return CleanPath(path);
    return CleanPath(absl::StrCat(folder->resolved(), "/", BaseName(path)));
  }
  const v1::PathFact* fact = input.facts->Path(path);
  if (fact == nullptr || fact->resolved().empty()) return CleanPath(path);
  if (follow && fact->kind() == "link" && !fact->target().empty()) return CleanPath(fact->target());
  return CleanPath(fact->resolved());
}

std::vector<v1::Target> Overwritten(const std::string& path, const AssessmentInput& input) {
  const std::string place = Resolved(path, true, input);
  const v1::PathFact* fact = input.facts->Path(path);
  if (fact == nullptr || fact->kind() != "directory") return {PathTarget(place)};
  // Into a folder: what has the same name there. The last operand is the folder itself.
  std::vector<v1::Target> targets;
  const size_t count = input.call.operands.size();
  const size_t sources = input.call.Has("target-directory") || count == 0 ? count : count - 1;
  for (size_t i = 0; i < sources && i < kMaxTargets; ++i) {
    targets.push_back(PathTarget(CleanPath(absl::StrCat(place, "/", BaseName(input.call.operands[i].value)))));
  }
  return targets;
}

// The repository that a git command works on.
std::string Root(const AssessmentInput& input) {
  if (const std::string* directory = input.call.Value("C"); directory != nullptr) {
    const std::string path = AbsolutePath(input.act, *directory);
    const v1::PathFact* fact = input.facts->Path(path);
    return CleanPath(fact == nullptr || fact->repository().empty() ? path : fact->repository());
  }
  const v1::GitFact* git = input.facts->Git();
  return CleanPath(git == nullptr || git->root().empty() ? input.act.cwd : git->root());
}

// git clean takes what is below its operands, or below the working directory.
std::vector<v1::Target> Cleaned(const AssessmentInput& input) {
  std::vector<v1::Target> targets;
  for (const ParsedOperand& operand : input.call.operands) {
    if (targets.size() == kMaxTargets) break;
    targets.push_back(PathTarget(Resolved(AbsolutePath(input.act, operand.value), false, input), kUntracked));
  }
  if (targets.empty()) targets.push_back(PathTarget(CleanPath(input.act.cwd), kUntracked));
  return targets;
}

// Parts of a folder that can hold what the other one is about.
bool Covers(absl::string_view part, absl::string_view other) {
  if (part.empty()) return true;
  if (part == kUntracked) return other.empty() || other == kUntracked;
  return part == kChanges && other == kChanges;
}

const v1::History::Attempt* FirstAttempt(const v1::History& history, const std::vector<Touch>& touched) {
  for (const v1::History::Attempt& attempt : history.refused()) {
    for (const v1::Target& refused : attempt.targets()) {
      for (const Touch& touch : touched) {
        const bool stopped = touch.verdict >= v1::VERDICT_HOLD;
        if (!stopped && !(touch.verdict == v1::VERDICT_AUDIT && touch.for_good)) continue;
        if (SameResource(touch.target, refused, stopped)) return &attempt;
      }
    }
  }
  return nullptr;
}

bool IsSet(const EvaluationContext& context, absl::string_view rule, RuleMode mode) {
  const auto it = context.configuration.policy.rules.find(std::string(rule));
  return it != context.configuration.policy.rules.end() && it->second == mode;
}

// Raises the verdict. What is only watched says so, and only where nothing else stops the act.
void Raise(const EvaluationContext& context, absl::string_view rule, v1::Verdict verdict, v1::Judgement* judgement) {
  const bool stops = judgement->verdict() >= v1::VERDICT_HOLD && !judgement->observed_only();
  const bool watched = IsSet(context, rule, RuleMode::kObserve);
  if (watched && stops) return;
  if (!stops) {
    const EnvironmentConfig* environment = context.configuration.Find(context.session.environment());
    judgement->set_observed_only(watched || (environment != nullptr && environment->mode == Mode::kObserve));
    judgement->set_rule(std::string(rule));
  }
  judgement->set_verdict(std::max(judgement->verdict(), verdict));
}

void AddReason(const std::string& text, v1::Judgement* judgement) {
  const std::string before = judgement->reason().substr(0, kMaxReason - std::min(kMaxReason, text.size() + 2));
  judgement->set_reason(absl::StrCat(before, before.empty() ? "" : "; ", text));
}

void WeighRepeated(const EvaluationContext& context, const std::vector<Touch>& touched, v1::Judgement* judgement) {
  const IntentConfig& config = context.configuration.intent;
  const v1::History& history = context.session.history();
  if (history.refused_size() == 0 || config.escalate == IntentConfig::Escalate::kRecord ||
      IsSet(context, kRepeatedIntent, RuleMode::kOff)) {
    return;
  }
  std::string first;
  bool retry = false;
  for (const v1::History::Attempt& attempt : history.refused()) {
    if (attempt.act_digest() != judgement->act_digest()) continue;
    if (attempt.repeats().empty()) return;  // The same act again: a library retries, a person asked for it.
    first = attempt.repeats();
    retry = true;
    break;
  }
  if (!retry) {
    const v1::History::Attempt* attempt = FirstAttempt(history, touched);
    if (attempt == nullptr) return;
    first = attempt->repeats().empty() ? attempt->ticket() : attempt->repeats();
  }
  const bool kills = config.escalate == IntentConfig::Escalate::kKillSession && !retry &&
                     history.repeated() + 1 >= config.kill_after;
  Raise(context, kRepeatedIntent, kills ? v1::VERDICT_KILL_SESSION : v1::VERDICT_REFUSE, judgement);
  judgement->set_repeats(first);
  AddReason(absl::StrCat("repeated intent: ", EscapeAndClip(first, 16), " was refused for the same"), judgement);
}

void WeighLosses(const EvaluationContext& context, const std::vector<Touch>& touched, v1::Judgement* judgement) {
  const IntentConfig& config = context.configuration.intent;
  if (config.small_losses == 0 || judgement->verdict() != v1::VERDICT_AUDIT ||
      IsSet(context, kSmallLosses, RuleMode::kOff)) {
    return;
  }
  const v1::Footprint now = FootprintOf(touched, *judgement);
  if (now.small_losses() == 0) return;
  uint64_t session = now.small_losses(), user = now.small_losses();
  for (const v1::History::Tally& tally : context.session.history().losses()) {
    if (tally.family() != now.family()) continue;
    session += tally.session();
    if (tally.pool() == now.pool()) user += tally.user();
  }
  const uint64_t most = std::max(session, user);
  if (most <= config.small_losses) return;
  Raise(context, kSmallLosses, v1::VERDICT_HOLD, judgement);
  const uint32_t minutes = (config.window_s + 59) / 60;
  AddReason(absl::StrCat("number ", most, " of many small losses within ", minutes, minutes == 1 ? " minute" : " minutes",
                         user > session ? ", over several sessions" : ""),
            judgement);
}

}  // namespace

std::vector<v1::Target> TargetsOf(const Rule& rule, absl::string_view id, absl::string_view environment,
                                  absl::string_view key, const AssessmentInput& input) {
  const std::string path = AbsolutePath(input.act, id);
  const auto named = [&](absl::string_view text) {
    v1::Target target;
    target.set_kind(rule.resource_type);
    target.set_id(Fingerprint(key, absl::StrCat(environment, "\n", text)));
    return target;
  };
  switch (rule.evidence) {
    case Evidence::kOverwrite:
      return Overwritten(path, input);
    case Evidence::kTreePart:
      return {PathTarget(Resolved(path, false, input), kMatch)};
    case Evidence::kWorktree:
      return {PathTarget(Root(input), kChanges)};
    case Evidence::kUntracked:
      return Cleaned(input);
    case Evidence::kGitPath:
      return {PathTarget(Resolved(path, false, input), kChanges)};
    case Evidence::kRepository:
      return {named(absl::StrCat(Root(input), "\n", rule.resource_type == "git-ref" ? id : ""))};
    case Evidence::kRemoteRef: {
      std::vector<v1::Target> targets;
      const v1::GitFact* git = input.facts->Git();
      const std::string branch = git == nullptr ? "" : git->branch();
      for (const std::string& ref : PushedRefs(input.call, branch)) {
        if (targets.size() < kMaxTargets) targets.push_back(named(absl::StrCat(Root(input), "\nremote ", ref)));
      }
      return targets;
    }
    case Evidence::kPath:
      return {PathTarget(Resolved(path, false, input))};
    default:
      break;
  }
  if (rule.resource_type.empty() || id.empty()) return {};
  if (rule.resource_type == kPath) return {PathTarget(Resolved(path, false, input))};
  return {named(id)};
}

std::string PoolOf(const Rule& rule, absl::string_view id, const AssessmentInput& input) {
  switch (rule.evidence) {
    case Evidence::kWorktree:
    case Evidence::kUntracked:
    case Evidence::kGitPath:
    case Evidence::kRepository:
    case Evidence::kRemoteRef:
      return Root(input);
    case Evidence::kPath:
    case Evidence::kOverwrite:
    case Evidence::kTreePart:
      break;
    default:
      return rule.resource_type;
  }
  const std::string path = AbsolutePath(input.act, id);
  const v1::PathFact* fact = input.facts->PastBound(path) ? input.facts->Folder(std::string(ParentPath(path)))
                                                          : input.facts->Path(path);
  if (fact != nullptr && !fact->repository().empty()) return CleanPath(fact->repository());
  return std::string(ParentPath(Resolved(path, false, input)));
}

bool SameResource(const v1::Target& act, const v1::Target& refused, bool stopped) {
  if (act.kind() != refused.kind()) return false;
  if (act.kind() != kPath) return act.id() == refused.id();
  if (IsWithin(act.id(), refused.id())) {
    if (refused.part().empty()) return true;
    if (refused.part() == act.part()) return refused.part() != kMatch || act.id() == refused.id();
  }
  return stopped && act.part() != kMatch && IsWithin(refused.id(), act.id()) && Covers(act.part(), refused.part());
}

void WeighHistory(const EvaluationContext& context, const std::vector<Touch>& touched, v1::Judgement* judgement) {
  WeighRepeated(context, touched, judgement);
  WeighLosses(context, touched, judgement);
}

v1::Footprint FootprintOf(const std::vector<Touch>& touched, const v1::Judgement& judgement) {
  v1::Footprint footprint;
  for (const Touch& touch : touched) {
    const bool counts = touch.verdict >= v1::VERDICT_HOLD || (touch.verdict == v1::VERDICT_AUDIT && touch.for_good);
    if (counts && footprint.targets_size() < static_cast<int>(kMaxTargets)) *footprint.add_targets() = touch.target;
    if (!touch.small || judgement.verdict() >= v1::VERDICT_HOLD) continue;
    if (footprint.family().empty()) {
      footprint.set_family(touch.target.kind());
      footprint.set_pool(touch.pool);
    }
    footprint.set_small_losses(footprint.small_losses() + 1);
  }
  return footprint;
}

}  // namespace holdpoint
