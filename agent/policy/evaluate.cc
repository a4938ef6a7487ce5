// Policy::Evaluate: from an act to its judgement.
#include <algorithm>
#include <deque>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/escape.h"
#include "agent/base/utf8.h"
#include "agent/environment/credentials.h"
#include "agent/environment/fingerprint.h"
#include "agent/environment/redact.h"
#include "agent/environment/tags.h"
#include "agent/policy/evidence.h"
#include "agent/policy/git_alias.h"
#include "agent/policy/host_evidence.h"
#include "agent/policy/intent.h"
#include "agent/policy/match.h"
#include "agent/policy/paths.h"
#include "agent/policy/policy.h"
#include "agent/policy/reason.h"
#include "agent/policy/requests.h"
#include "agent/policy/resource.h"
#include "agent/policy/unlisted.h"
#include "agent/policy/tool_credentials.h"
#include "agent/policy/unwrap.h"

namespace holdpoint {
namespace {

using Place = Assessment::Place;

constexpr int kMaxAppletDepth = 3;
constexpr size_t kMaxInnerActs = 64;
constexpr size_t kMaxResources = 4096;
constexpr size_t kMaxResourceText = 512;
constexpr size_t kMaxBlindSpots = 16;
constexpr int kMaxEvidence = 16;
constexpr size_t kMaxEvidenceText = 200;

// A rule that matched, and what it matched.
struct Hit {
  const Rule* rule = nullptr;
  const ToolCall* call = nullptr;
  RequestHit request;
};

// A hit with everything that follows from it.
struct Scored {
  std::string rule = "default";
  v1::Effect effect = v1::EFFECT_UNSPECIFIED;
  v1::Recoverability recoverability = v1::RECOVERABILITY_UNSPECIFIED;
  v1::Verdict verdict = v1::VERDICT_ALLOW;
  bool observed = false;
  int conditions = 0;
  ActTags tags;
  v1::Resource resource;
  std::string why, because, blind_spot;
  const Rule* source = nullptr;
  std::optional<Hit> hit;
  std::vector<Touch> touched;
  std::string named;  // the resource's id, neither redacted nor cut
  bool looked_up = false;  // the host says which resource it is
  std::vector<v1::Evidence> evidence;

  // What decides between two that say the same.
  auto Order() const { return std::make_tuple(verdict, effect, recoverability, !resource.id().empty(), conditions); }
};

// Effects that leave something gone or in other hands.
bool LeavesItsMark(v1::Effect effect) {
  return effect == v1::EFFECT_DESTROY || effect == v1::EFFECT_EXPOSE || effect == v1::EFFECT_ESCALATE ||
         effect == v1::EFFECT_UNSEEN;
}

Row RowOf(v1::Effect effect, v1::Recoverability recoverability) {
  switch (effect) {
    case v1::EFFECT_WRITE:
      return Row::kWrite;
    case v1::EFFECT_USE_CREDENTIAL:
      return Row::kUseCredential;
    case v1::EFFECT_EXPOSE:
      return Row::kExpose;
    case v1::EFFECT_ESCALATE:
      return Row::kEscalate;
    case v1::EFFECT_DESTROY:
      return recoverability == v1::RECOVERABILITY_REGENERABLE   ? Row::kDestroyRegenerable
             : recoverability == v1::RECOVERABILITY_RECOVERABLE ? Row::kDestroyRecoverable
                                                                : Row::kDestroyIrreversible;
    case v1::EFFECT_UNSEEN:
      return Row::kUnseen;
    default:
      return Row::kRead;
  }
}

// A shell that is told what to do by something that nobody has read.
bool ReadsProgramText(const ToolModel& tool, const ExecAct& act, const std::vector<std::string>& argv) {
  if (tool.wraps.flag_text.empty() || act.stdin_kind.empty()) return false;
  const ToolCall call = ParseToolCall(tool, argv);
  if (call.Has(tool.wraps.flag_text) || call.Has("help") || call.Has("version")) return false;
  return call.operands.empty() || call.Has("s");
}

// Options that change neither what is lost nor how much of it: of a resource that the host has named.
bool SaysOnlyHow(absl::string_view option) {
  for (const absl::string_view how :
       {"auto-approve", "backend-config", "chdir", "color", "compact-warnings", "config", "database-url", "echo", "force", "host",
        "if-exists", "input", "interactive", "json", "lock", "lock-timeout", "no-color", "no-input", "no-interaction",
        "no-password", "non-interactive", "parallelism", "password", "port", "quiet", "schema", "skip-generate",
        "skip-seed", "url", "username", "verbose", "wait", "yes"}) {
    if (option == how) return true;
  }
  return false;
}

bool IsAboutPaths(Evidence evidence) {
  return evidence == Evidence::kPath || evidence == Evidence::kOverwrite || evidence == Evidence::kTreePart ||
         evidence == Evidence::kGitPath;
}

bool SparesFolders(const Rule& rule, const ToolCall& call) {
  return !rule.folder_options.empty() &&
         std::none_of(rule.folder_options.begin(), rule.folder_options.end(),
                      [&](const std::string& option) { return call.Has(option); });
}

class Evaluator {
 public:
  Evaluator(const Policy& policy, const ExecAct& act, const EvaluationContext& context, FactBook* facts)
      : policy_(policy), act_(act), context_(context), facts_(facts) {
    session_tag_ = MakeTag(context.configuration, context.session.environment(), context.session.environment_source());
  }

  v1::Judgement Run() {
    CollectFrom(act_, policy_.Candidates(act_), 0);
    if (const std::optional<size_t> skip = policy_.UnlistedProgram(act_)) {
      CollectUnlisted(act_, absl::MakeConstSpan(act_.argv).subspan(std::min(*skip, act_.argv.size())));
    }
    CollectSigma();
    FindCarriedCredentials();
    for (const Hit& hit : Effective()) Score(hit);
    ScoreCredential();
    if (act_.argv_cut && listed_) ScoreUnseen("argv truncated");
    for (const RequestsOfAct& requests : requests_) ScoreUnseenRequests(requests);
    const Scored scored = Choose();
    // What is approved is the script's text; its interpreter reads that when it runs.
    if (scored.verdict >= v1::VERDICT_HOLD && !act_.script.empty()) facts_->Content(AbsolutePath(act_, act_.script));
    v1::Judgement judgement = Compose(scored);
    WeighHistory(context_, touched_, &judgement);
    return judgement;
  }

  v1::Footprint Footprint(const v1::Judgement& judgement) const { return FootprintOf(touched_, judgement); }

 private:
  // Calls and requests keep their place: hits point to them.
  void CollectFrom(const ExecAct& act, const std::vector<Policy::Candidate>& candidates, int depth) {
    for (const Policy::Candidate& candidate : candidates) {
      listed_ = true;
      if (depth == 0 && candidate.tool->wraps.any() && !candidate.tool->wraps.applet) starts_others_ = true;
      if (candidate.tool->wraps.applet || (depth > 0 && candidate.tool->wraps.any())) {
        CollectInner(*candidate.tool, act, candidate.skip, depth);
      }
      std::vector<std::string> argv(
          act.argv.begin() + static_cast<ptrdiff_t>(std::min(candidate.skip, act.argv.size())), act.argv.end());
      if (ReadsProgramText(*candidate.tool, act, argv)) {
        ScoreUnseen(absl::StrCat("program text from standard input, a ", act.stdin_kind));
      }
      CollectCall(*candidate.tool, act, std::move(argv));
    }
  }

  void CollectSigma() {
    const std::vector<const Rule*>& rules = policy_.SigmaRules(SigmaRule::Category::kProcess);
    if (rules.empty()) return;
    const SigmaEvent event = {{"Image", act_.executable.path},
                              {"CommandLine", absl::StrJoin(act_.argv, " ")},
                              {"CurrentDirectory", act_.cwd}};
    for (const Rule* rule : rules) {
      if (IsOff(*rule) || !rule->sigma->Matches(event)) continue;
      calls_.emplace_back();
      acts_of_calls_.push_back(&act_);
      hits_.push_back({rule, &calls_.back(), {}});
    }
  }

  // What a multi-call program does itself has no exec of its own.
  void CollectInner(const ToolModel& tool, const ExecAct& act, size_t skip, int depth) {
    if (depth >= kMaxAppletDepth) {
      AddBlindSpot("wrappers nested too deep");
      return;
    }
    Unwrapped inner = Unwrap(tool, act, skip);
    for (std::string& blind_spot : inner.blind_spots) AddBlindSpot(std::move(blind_spot));
    for (ExecAct& each : inner.acts) {
      if (inner_acts_.size() >= kMaxInnerActs) break;
      // A multi-call program looks for a bare name among its own applets; what has a path gets an exec, and is asked then.
      if (!tool.wraps.applet && !each.argv.empty() && absl::StrContains(each.argv[0], '/')) continue;
      inner_acts_.push_back(std::move(each));
      const ExecAct& kept = inner_acts_.back();
      CollectFrom(kept, policy_.Candidates(kept), depth + 1);
    }
  }

  void CollectCall(const ToolModel& tool, const ExecAct& act, std::vector<std::string> argv) {
    calls_.push_back(ParseToolCall(tool, argv));
    if (tool.git_aliases && !calls_.back().unknown_command.empty()) {
      GitAliasResult expanded = ExpandGitAlias(calls_.back(), tool, argv, act, facts_);
      if (!expanded.blind_spot.empty()) AddBlindSpot(std::move(expanded.blind_spot));
      if (expanded.argv.has_value()) {
        argv = *std::move(expanded.argv);
        calls_.back() = ParseToolCall(tool, argv);
      }
    }
    const ToolCall& call = calls_.back();
    if (tool_name_.empty()) tool_name_ = tool.names[0];
    acts_of_calls_.push_back(&act);
    RequestsOfAct* requests = nullptr;
    if (tool.requests != ToolModel::Requests::kNone) {
      requests_.push_back(ReadRequests(tool.requests, argv, act, facts_));
      requests = &requests_.back();
      for (const std::string& blind_spot : requests->blind_spots) AddBlindSpot(blind_spot);
      for (const RequestView& request : requests->requests) CollectRequest(request, call, act);
    }
    // One that git does not know is an alias, or a program with an exec of its own.
    if (!call.unknown_command.empty() && !tool.git_aliases) CollectUnlisted(act, argv);
    for (const Rule* rule : policy_.RulesFor(&tool, call.command)) {
      if (IsOff(*rule) || !Matches(rule->call, call, act)) continue;
      if (!rule->request.has_value()) {
        hits_.push_back({rule, &call, {}});
      } else if (requests != nullptr) {
        for (const RequestView& request : requests->requests) AddRequestHits(*rule, request, call);
      }
    }
  }

  // A program that no pack describes, or a sub-command that its model does not have.
  void CollectUnlisted(const ExecAct& act, absl::Span<const std::string> argv) {
    std::optional<ToolCall> call;
    const ToolCall* kept = nullptr;
    for (const Rule* rule : policy_.UnlistedRules()) {
      if (IsOff(*rule)) continue;
      if (!call.has_value()) call = ParseUnlisted(argv);
      if (!Speaks(*rule->unlisted, *call) || !Matches(rule->call, *call, act)) continue;
      if (kept == nullptr) {
        calls_.push_back(*call);
        acts_of_calls_.push_back(&act);
        kept = &calls_.back();
      }
      hits_.push_back({rule, kept, {}});
      listed_ = true;
    }
  }

  void CollectRequest(const RequestView& request, const ToolCall& call, const ExecAct& act) {
    for (const std::string& blind_spot : request.http.blind_spots) AddBlindSpot(blind_spot);
    for (const std::string& blind_spot : request.graphql.blind_spots)
      AddBlindSpot(absl::StrCat("GraphQL: ", blind_spot));
    for (const Rule* rule : policy_.RulesForHosts(request.http.Hosts())) {
      if (!IsOff(*rule) && Matches(rule->call, call, act)) AddRequestHits(*rule, request, call);
    }
  }

  void AddRequestHits(const Rule& rule, const RequestView& request, const ToolCall& call) {
    for (const RequestHit& hit : Hits(*rule.request, request)) hits_.push_back({&rule, &call, hit});
  }

  bool IsOff(const Rule& rule) const { return ModeOf(rule) == RuleMode::kOff; }
  RuleMode ModeOf(const Rule& rule) const {
    const auto it = context_.configuration.policy.rules.find(rule.id);
    return it == context_.configuration.policy.rules.end() ? rule.mode : it->second;
  }

  const PromotedOutcome* Changed(const Rule& rule) const {
    const auto it = context_.configuration.policy.changed.find(rule.id);
    return it == context_.configuration.policy.changed.end() ? nullptr : &it->second;
  }

  // What is only observed takes nothing away from what is enforced.
  bool Replaces(const Rule& rule, const Rule& other) const {
    const auto names = [&other](const std::vector<std::string>& replaced) {
      return std::find(replaced.begin(), replaced.end(), other.id) != replaced.end();
    };
    if (!names(rule.replaces)) return false;
    if (ModeOf(rule) != RuleMode::kEnforce && ModeOf(other) == RuleMode::kEnforce) return false;
    const PromotedOutcome* before = Changed(rule);
    return before == nullptr || names(before->replaces);
  }

  // Without the hits that another one on the same call, request and field replaces.
  std::vector<Hit> Effective() const {
    std::vector<Hit> kept;
    for (const Hit& hit : hits_) {
      const bool replaced = std::any_of(hits_.begin(), hits_.end(), [&](const Hit& other) {
        return other.call == hit.call && other.request.request == hit.request.request &&
               (hit.request.field == nullptr || hit.request.field == other.request.field) &&
               Replaces(*other.rule, *hit.rule);
      });
      if (!replaced) kept.push_back(hit);
    }
    return kept;
  }

  void FindCarriedCredentials() {
    const Configuration& configuration = context_.configuration;
    if (!listed_) return;
    for (const RequestsOfAct& requests : requests_) {
      for (const RequestView& request : requests.requests) {
        for (const HttpCredential& credential : request.http.credentials) {
          AddCredential(CredentialOf(credential));
        }
      }
    }
    for (FoundCredential& found : FindCredentials(configuration, context_.fingerprint_key, act_.argv, {})) {
      AddCredential(std::move(found));
    }
    for (size_t i = 0; i < calls_.size(); ++i) {
      for (FoundCredential& found :
           CredentialsOfTool(calls_[i], *acts_of_calls_[i], configuration, context_.fingerprint_key, facts_)) {
        AddCredential(std::move(found));
      }
    }
    // Who only starts others uses nothing: the credential counts at the exec of what gets it, under that act's digest.
    for (const FoundCredential& credential : credentials_) {
      if (!starts_others_) credential_tag_ = Strictest(configuration, credential_tag_, credential.tag);
    }
    if (context_.given != nullptr && !context_.given->credential.empty()) {
      credential_tag_ = MakeTag(configuration, context_.given->credential, "given");
    }
  }

  void AddCredential(FoundCredential credential) {
    for (const FoundCredential& have : credentials_) {
      if (have.fingerprint == credential.fingerprint) return;
    }
    if (credentials_.size() < 32) credentials_.push_back(std::move(credential));
  }

  // What the files of a project hold is used by the act that reads them.
  void AddSecrets(const Assessment& assessment) {
    for (const std::string& secret : assessment.secrets) {
      FoundCredential found;
      found.kind = "file";
      found.fingerprint = Fingerprint(context_.fingerprint_key, secret);
      CredentialMatch match = CredentialTag(context_.configuration, {.fingerprint = found.fingerprint});
      found.tag = std::move(match.tag);
      found.tag_name = std::move(match.name);
      credential_tag_ = Strictest(context_.configuration, credential_tag_, found.tag);
      AddCredential(std::move(found));
    }
  }

  FoundCredential CredentialOf(const HttpCredential& credential) const {
    FoundCredential found;
    CredentialUse use;
    use.home = act_.home;
    switch (credential.kind) {
      case HttpCredential::Kind::kBearer:
        found.kind = "bearer";
        break;
      case HttpCredential::Kind::kBasic:
        found.kind = "basic";
        break;
      case HttpCredential::Kind::kCookie:
        found.kind = "cookie";
        break;
      case HttpCredential::Kind::kClientCertificate:
        found.kind = "client certificate";
        use.file = AbsolutePath(act_, credential.value);
        break;
      case HttpCredential::Kind::kUrlParameter:
        found.kind = absl::StrCat("parameter ", credential.name);
        break;
      default:
        found.kind = absl::StrCat("header ", credential.name);
    }
    found.fingerprint = Fingerprint(context_.fingerprint_key, credential.value);
    use.fingerprint = found.fingerprint;
    CredentialMatch match = CredentialTag(context_.configuration, use);
    found.tag = std::move(match.tag);
    found.tag_name = std::move(match.name);
    return found;
  }

  EnvironmentTag DestinationOf(const Hit& hit) const {
    if (context_.given != nullptr && !context_.given->destination.empty()) {
      return MakeTag(context_.configuration, context_.given->destination, "given");
    }
    EnvironmentTag tag;
    if (hit.request.request == nullptr) return tag;
    const HttpRequest& http = hit.request.request->http;
    if (!http.unix_socket.empty()) return tag;
    for (const std::string& host : http.Hosts()) {
      const Destination destination{.host = host, .address = "", .port = static_cast<uint32_t>(http.port)};
      tag = Strictest(context_.configuration, tag, DestinationTag(context_.configuration, destination));
    }
    return tag;
  }

  // Fills in tags, column and verdict of one hit on one resource.
  void Weigh(const EnvironmentTag& destination, const EnvironmentTag& resource, Place place, Scored* scored) const {
    scored->tags = CombineTags(context_.configuration, session_tag_, destination, credential_tag_, resource,
                               place == Place::kLocal);
    if (scored->tags.column == Column::kUnknown && place == Place::kOrdinary) scored->tags.column = Column::kOrdinary;
    scored->verdict =
        context_.configuration.policy.Cell(RowOf(scored->effect, scored->recoverability), scored->tags.column);
    if (scored->verdict == v1::VERDICT_UNSPECIFIED) scored->verdict = v1::VERDICT_ALLOW;
  }

  EnvironmentTag ResourceTagOf(const Rule& rule, const std::string& id, v1::Resource* resource) const {
    EnvironmentTag tag;
    if (!rule.resource_type.empty()) {
      std::string looked_up = id;
      if (rule.resource_type == "path") looked_up = CleanPath(AbsolutePath(act_, id));
      ResourceMatch match = ResourceTag(context_.configuration, rule.resource_type, looked_up, act_.home);
      tag = std::move(match.tag);
      if (!match.backups.empty()) resource->set_backups(ToValidUtf8(match.backups));
    }
    if (context_.given != nullptr && !context_.given->resource.empty()) {
      tag = MakeTag(context_.configuration, context_.given->resource, "given");
    }
    return tag;
  }

  // Of a rule that has changed what it did before is enforced, on what it matches now; where it would do more, that is
  // observed.
  void Score(const Hit& hit) {
    const PromotedOutcome* before = Changed(*hit.rule);
    ScoreAs(hit, before);
    if (before == nullptr) return;
    const size_t scored = scored_.size();
    watching_ = true;
    ScoreAs(hit, nullptr);
    watching_ = false;
    for (size_t i = scored; i < scored_.size(); ++i) scored_[i].observed = true;
  }

  void ScoreAs(const Hit& hit, const PromotedOutcome* as) {
    const Rule& rule = *hit.rule;
    const ExecAct& act = *acts_of_calls_[IndexOf(hit.call)];
    const EnvironmentTag destination = DestinationOf(hit);
    std::vector<std::string> ids = ResourceIds(rule, *hit.call, hit.request, act);
    const bool too_many = ids.size() > kMaxResources;
    if (too_many) ids.resize(kMaxResources);
    const bool named = !ids.empty();
    if (!named) {
      // No path, nothing to lose: rm without operands.
      if (IsAboutPaths(rule.evidence) && (as == nullptr || as->same_resource)) return;
      ids.emplace_back();
    }
    const AssessmentInput input{act, context_.session, *hit.call, facts_, SparesFolders(rule, *hit.call),
                                &context_.configuration};
    std::optional<Scored> worst;
    size_t lost = 0;
    for (const std::string& id : ids) {
      // An empty word names no file: no program takes it for the folder it stands in.
      if (named && id.empty() && IsAboutPaths(rule.evidence) && !act.unseen_operands) continue;
      Scored scored = ScoreOne(hit, id, destination, input, as);
      if (!watching_ && !scored.observed) Keep(std::move(scored.touched));
      if (scored.verdict >= v1::VERDICT_HOLD) {
        ++lost;
        AddLoss(scored, act);
      }
      if (!worst.has_value() || scored.Order() > worst->Order()) worst = std::move(scored);
    }
    if (too_many) {
      ScoreUnseen(absl::StrCat("more than ", kMaxResources, " operands: the others are unseen"), v1::VERDICT_HOLD);
    }
    if (!worst.has_value()) return;
    Redact(&worst->resource);
    if (lost > 1) absl::StrAppend(&worst->because, worst->because.empty() ? "" : "; ", "and ", lost - 1, " more");
    scored_.push_back(*std::move(worst));
  }

  Scored ScoreOne(const Hit& hit, const std::string& word, EnvironmentTag destination, const AssessmentInput& input,
                  const PromotedOutcome* as) {
    const Rule& rule = *hit.rule;
    const v1::Recoverability fixed = as != nullptr ? as->recoverability : rule.recoverability;
    const v1::Verdict verdict = as != nullptr ? as->verdict : rule.verdict;
    Scored scored;
    scored.rule = rule.id;
    scored.source = &rule;
    scored.hit = hit;
    scored.effect = as != nullptr ? as->effect : rule.effect;
    scored.conditions = rule.conditions;
    scored.why = rule.why;
    scored.recoverability = fixed;
    Assessment assessment;
    if (rule.evidence != Evidence::kNone) {
      const bool unseen = word.empty() && input.act.unseen_operands;
      if (unseen) {
        assessment.because = "on what it is given later";
        assessment.blind_spot = "operands unseen";
      } else {
        assessment = Assess(rule.evidence, word, input);
      }
      const bool loses = scored.effect == v1::EFFECT_DESTROY || IsAboutPaths(rule.evidence);
      if (loses && (fixed == v1::RECOVERABILITY_UNSPECIFIED || assessment.nothing)) {
        scored.recoverability = assessment.recoverability;
      }
      for (const Destination& place : assessment.leads_to) {
        destination = Strictest(context_.configuration, destination, DestinationTag(context_.configuration, place));
      }
      AddSecrets(assessment);
      scored.evidence = std::move(assessment.evidence);
      scored.looked_up = !assessment.resource.empty();
      scored.because = assessment.because;
      scored.blind_spot = assessment.blind_spot;
    }
    if (as != nullptr && !as->same_resource) {  // What it says of the loss now is no word of the promoted rule.
      assessment.place = Place::kUnknown;
      assessment.nothing = false;
      scored.recoverability = fixed != v1::RECOVERABILITY_UNSPECIFIED      ? fixed
                              : scored.effect == v1::EFFECT_DESTROY ? v1::RECOVERABILITY_IRREVERSIBLE
                                                                    : v1::RECOVERABILITY_UNSPECIFIED;
    }
    const std::string& id = scored.looked_up ? assessment.resource : word;
    EnvironmentTag resource = ResourceTagOf(rule, word, &scored.resource);
    if (scored.looked_up) {
      resource = Strictest(context_.configuration, resource, ResourceTagOf(rule, id, &scored.resource));
    }
    // Where a thing lies says that nobody relies on it; its owners say otherwise.
    if (resource.is_protected && !assessment.nothing && rule.recoverability == v1::RECOVERABILITY_UNSPECIFIED &&
        scored.recoverability == v1::RECOVERABILITY_REGENERABLE) {
      scored.recoverability = v1::RECOVERABILITY_IRREVERSIBLE;
      scored.because = absl::StrCat("its owners tagged it ", resource.environment);
    }
    scored.resource.set_type(rule.resource_type);
    scored.named = rule.resource_type == "path" && !id.empty() ? CleanPath(AbsolutePath(input.act, id)) : id;
    scored.resource.set_id(scored.named);
    Weigh(destination, resource, assessment.place, &scored);
    // Where loss hurts it matters who did it, and that is not known.
    if (assessment.rests_on_start && scored.tags.column == Column::kProtected &&
        rule.recoverability == v1::RECOVERABILITY_UNSPECIFIED) {
      scored.recoverability = v1::RECOVERABILITY_IRREVERSIBLE;
      Weigh(destination, resource, assessment.place, &scored);
    }
    if (verdict != v1::VERDICT_UNSPECIFIED && !assessment.nothing) scored.verdict = verdict;
    scored.observed = ModeOf(rule) == RuleMode::kObserve;
    if (!assessment.nothing) Touches(rule, scored.looked_up ? id : word, assessment, input, &scored);
    return scored;
  }

  // What this does to which resource. Nothing is looked up for what passes without a word.
  void Touches(const Rule& rule, const std::string& id, const Assessment& assessment, const AssessmentInput& input,
               Scored* scored) const {
    const bool unseen = id.empty() && (IsAboutPaths(rule.evidence) || input.act.unseen_operands);
    if (scored->verdict < v1::VERDICT_AUDIT || !LeavesItsMark(scored->effect) || unseen) return;
    Touch touch;
    touch.verdict = scored->verdict;
    touch.for_good = scored->effect == v1::EFFECT_DESTROY && scored->recoverability == v1::RECOVERABILITY_IRREVERSIBLE;
    touch.small = scored->effect == v1::EFFECT_DESTROY && scored->verdict == v1::VERDICT_AUDIT &&
                  !assessment.born_since && (touch.for_good || assessment.place != Place::kLocal);
    if (touch.small) touch.pool = PoolOf(rule, id, input);
    for (v1::Target& target : TargetsOf(rule, id, scored->tags.resource.environment, context_.fingerprint_key, input)) {
      touch.target = std::move(target);
      scored->touched.push_back(touch);
    }
  }

  void Keep(std::vector<Touch> touched) {
    for (Touch& touch : touched) {
      if (touched_.size() < kMaxResources) touched_.push_back(std::move(touch));
    }
  }

  // What would pass together with this act, were it approved for longer than once. An id alone does not always say which
  // resource it is: a path leads through links, a branch lies in a repository, a name on a server.
  void AddLoss(const Scored& scored, const ExecAct& act) {
    if (scored.named.empty()) {
      losses_unseen_ = true;
      return;
    }
    ActLoss loss;
    loss.rule = scored.rule;
    loss.effect = scored.effect;
    loss.recoverability = scored.recoverability;
    loss.resource_type = scored.resource.type();
    loss.resource_id = scored.named;
    loss.tags = ToProto(scored.tags);
    if (loss.resource_type == "path") {
      const v1::PathFact* fact = facts_->Path(scored.named);
      if (fact == nullptr || fact->resolved().empty()) losses_unseen_ = true;
      if (fact != nullptr) loss.where.push_back(fact->resolved());
    } else if (scored.hit.has_value() && scored.hit->request.request != nullptr) {
      const HttpRequest& http = scored.hit->request.request->http;
      loss.where = http.Hosts();
      loss.where.push_back(absl::StrCat(http.port));
      loss.where.push_back(http.unix_socket);
    } else if (scored.hit.has_value()) {
      if (!scored.looked_up) loss.where.push_back(act.cwd);
      for (const ParsedOption& option : scored.hit->call->options) {
        if (scored.looked_up && SaysOnlyHow(option.name)) continue;
        loss.where.push_back(absl::StrCat(option.name, "=", option.value.value_or("")));
      }
      for (const ParsedOperand& operand : scored.hit->call->operands) loss.where.push_back(operand.value);
    }
    losses_.push_back(std::move(loss));
  }

  // The id may hold a secret and any bytes; only the one that is shown is worth the work.
  void Redact(v1::Resource* resource) const {
    std::string shown = resource->id();
    if (shown.size() > kMaxResourceText) shown.resize(kMaxResourceText);
    resource->set_id(ToValidUtf8(RedactText(context_.fingerprint_key, ToValidUtf8(shown), kMaxResourceText)));
  }

  // A credential of another environment, whatever the act does with it.
  void ScoreCredential() {
    if (!credential_tag_.known() || credential_tag_.environment == session_tag_.environment) return;
    Scored scored;
    scored.rule = "credential.other-environment";
    scored.effect = v1::EFFECT_USE_CREDENTIAL;
    scored.why = "uses a credential of another environment";
    scored.resource.set_type("credential");
    for (const FoundCredential& credential : credentials_) {
      if (credential.tag.environment == credential_tag_.environment) {
        scored.resource.set_id(credential.tag_name.empty() ? credential.fingerprint : credential.tag_name);
      }
    }
    EnvironmentTag destination;
    for (const Hit& hit : hits_) destination = Strictest(context_.configuration, destination, DestinationOf(hit));
    if (!hits_.empty()) scored.hit = hits_.front();
    scored.named = scored.resource.id();
    Weigh(destination, EnvironmentTag{}, Place::kUnknown, &scored);
    if (scored.verdict >= v1::VERDICT_HOLD) AddLoss(scored, act_);
    scored_.push_back(std::move(scored));
  }

  // `at_least`: what hides behind harmless words that fill a bound is more than an audit.
  void ScoreUnseen(std::string blind_spot, v1::Verdict at_least = v1::VERDICT_UNSPECIFIED) {
    AddBlindSpot(blind_spot);
    Scored scored;
    scored.rule = "act.unseen";
    scored.effect = v1::EFFECT_UNSEEN;
    scored.why = absl::StrCat("can't be seen whole (", blind_spot, ")");
    Weigh(EnvironmentTag{}, EnvironmentTag{}, Place::kUnknown, &scored);
    scored.verdict = std::max(scored.verdict, at_least);
    scored_.push_back(std::move(scored));
  }

  // A configuration that could not be read may hold anything; so may requests past the bound of what is parsed.
  void ScoreUnseenRequests(const RequestsOfAct& requests) {
    for (const std::string& blind_spot : requests.blind_spots) {
      const bool cut = absl::StrContains(blind_spot, "are unseen");
      ScoreUnseen(blind_spot, cut ? v1::VERDICT_HOLD : v1::VERDICT_UNSPECIFIED);
    }
  }

  // The strictest that is enforced; what is only observed shows where it would have stopped more.
  Scored Choose() const {
    const Scored* enforced = nullptr;
    const Scored* observed = nullptr;
    for (const Scored& scored : scored_) {
      const Scored*& best = scored.observed ? observed : enforced;
      if (best == nullptr || scored.Order() > best->Order() ||
          (scored.Order() == best->Order() && scored.rule < best->rule)) {
        best = &scored;
      }
    }
    if (observed != nullptr &&
        (enforced == nullptr || (observed->verdict > enforced->verdict && enforced->verdict < v1::VERDICT_HOLD))) {
      return *observed;
    }
    if (enforced != nullptr) return *enforced;
    Scored none;
    none.tags =
        CombineTags(context_.configuration, session_tag_, EnvironmentTag{}, credential_tag_, EnvironmentTag{}, false);
    return none;
  }

  v1::Judgement Compose(const Scored& scored) {
    v1::Judgement judgement;
    judgement.set_verdict(scored.verdict);
    judgement.set_rule(scored.rule);
    judgement.set_effect(scored.effect);
    judgement.set_recoverability(scored.recoverability);
    *judgement.mutable_tags() = ToProto(scored.tags);
    if (!scored.resource.type().empty()) *judgement.mutable_resource() = scored.resource;
    for (const FoundCredential& credential : credentials_) {
      v1::Credential* out = judgement.add_credentials();
      out->set_kind(ToValidUtf8(credential.kind));
      out->set_fingerprint(credential.fingerprint);
      out->set_tag_name(credential.tag_name);
    }
    if (scored.hit.has_value() && scored.hit->request.request != nullptr) {
      judgement.set_summary(
          SummariseRequest(tool_name_, scored.hit->request, scored.resource.id(), context_.fingerprint_key));
    } else {
      judgement.set_summary(SummariseCall(act_.argv, context_.fingerprint_key));
    }
    ComposeReasonOf(scored, &judgement);
    if (scored.source != nullptr) {
      for (const std::string& technique : scored.source->techniques) judgement.add_techniques(technique);
      for (const std::string& blind_spot : scored.source->blind_spots) AddBlindSpot(blind_spot);
    }
    if (!scored.blind_spot.empty()) AddBlindSpot(scored.blind_spot);
    AddEvidence(scored, &judgement);
    if (!facts_->problem().empty()) AddBlindSpot(facts_->problem());
    if (act_.environment_cut && listed_) AddBlindSpot("environment truncated");
    for (const std::string& blind_spot : blind_spots_) judgement.add_blind_spots(EscapeAndClip(blind_spot, 160));
    const EnvironmentConfig* environment = context_.configuration.Find(session_tag_.environment);
    judgement.set_observed_only(scored.observed || (environment != nullptr && environment->mode == Mode::kObserve));
    const Sha256Digest digest = ActDigest(IdentityOf(judgement));
    judgement.set_act_digest(std::string(digest.begin(), digest.end()));
    if (!scored.named.empty() && scored.verdict >= v1::VERDICT_HOLD) {
      const Sha256Digest target = TargetDigest(context_.fingerprint_key, judgement.tags().target().environment(),
                                               scored.resource.type(), scored.named);
      judgement.set_target_digest(std::string(target.begin(), target.end()));
    }
    if (!losses_.empty() && !losses_unseen_ && judgement.blind_spots().empty()) {
      const Sha256Digest loss = LossDigest(context_.fingerprint_key, losses_);
      judgement.set_loss_digest(std::string(loss.begin(), loss.end()));
    }
    return judgement;
  }

  void AddEvidence(const Scored& scored, v1::Judgement* judgement) const {
    const auto shown = [this](absl::string_view text) {
      return EscapeAndClip(RedactText(context_.fingerprint_key, ToValidUtf8(text), 400), kMaxEvidenceText);
    };
    for (const v1::Evidence& one : scored.evidence) {
      if (judgement->evidence_size() == kMaxEvidence) return;
      v1::Evidence& out = *judgement->add_evidence();
      out.set_fact(shown(one.fact()));
      out.set_value(shown(one.value()));
      out.set_source(shown(one.source()));
      out.set_changed_unix_ns(one.changed_unix_ns());
      out.set_since_start(ChangedSince(one));
    }
  }

  bool ChangedSince(const v1::Evidence& evidence) const {
    const int64_t started = context_.session.started_unix_ns();
    return started > 0 && evidence.changed_unix_ns() > started;
  }

  void ComposeReasonOf(const Scored& scored, v1::Judgement* judgement) const {
    if (scored.why.empty()) return;
    ReasonParts parts;
    parts.why = scored.why;
    parts.because = scored.because;
    parts.backups = scored.resource.backups();
    parts.tags = &judgement->tags();
    for (const v1::Evidence& one : scored.evidence) {
      if (ChangedSince(one) && one.source() != kKernel) parts.drifted.push_back(one.source());
    }
    parts.environment_matters = scored.verdict >= v1::VERDICT_HOLD && scored.tags.column == Column::kUnknown &&
                                scored.hit.has_value() && scored.hit->request.request != nullptr;
    for (const FoundCredential& credential : credentials_) {
      if (credential.kind == "bearer" || absl::StartsWith(credential.kind, "header"))
        parts.credential_word = "the token";
    }
    judgement->set_reason(ComposeReason(parts, context_.fingerprint_key));
  }

  ActIdentity IdentityOf(const v1::Judgement& judgement) const {
    ActIdentity identity;
    identity.kind = "exec";
    identity.executable = act_.executable.path;
    identity.executable_id = act_.executable.id;
    identity.argv = SealSecrets(context_.fingerprint_key, act_.argv);
    identity.cwd = act_.cwd;
    identity.contents = facts_->Used();
    identity.resource_type = judgement.resource().type();
    identity.resource_id = judgement.resource().id();
    identity.tags = judgement.tags();
    return identity;
  }

  size_t IndexOf(const ToolCall* call) const {
    for (size_t i = 0; i < calls_.size(); ++i) {
      if (&calls_[i] == call) return i;
    }
    return 0;
  }

  void AddBlindSpot(std::string text) {
    if (blind_spots_.size() >= kMaxBlindSpots) return;
    if (std::find(blind_spots_.begin(), blind_spots_.end(), text) == blind_spots_.end()) {
      blind_spots_.push_back(std::move(text));
    }
  }

  const Policy& policy_;
  const ExecAct& act_;
  const EvaluationContext& context_;
  FactBook* facts_;
  EnvironmentTag session_tag_;
  EnvironmentTag credential_tag_;

  bool watching_ = false;  // what is scored now is only observed
  bool listed_ = false;
  bool starts_others_ = false;
  std::string tool_name_;
  std::deque<ExecAct> inner_acts_;
  std::deque<ToolCall> calls_;
  std::vector<const ExecAct*> acts_of_calls_;  // beside calls_
  std::deque<RequestsOfAct> requests_;
  std::vector<Hit> hits_;
  std::vector<FoundCredential> credentials_;
  std::vector<Scored> scored_;
  std::vector<Touch> touched_;  // by rules that are enforced
  std::vector<ActLoss> losses_;  // everything that stops
  bool losses_unseen_ = false;
  std::vector<std::string> blind_spots_;
};

}  // namespace

v1::Judgement Policy::Evaluate(const ExecAct& act, const EvaluationContext& context, FactBook* facts,
                               v1::Footprint* footprint) const {
  ExecAct cut;
  const bool unseen = act.argv_cut && !act.unseen_operands;
  if (unseen) {
    cut = act;
    cut.unseen_operands = true;
  }
  Evaluator evaluator(*this, unseen ? cut : act, context, facts);
  v1::Judgement judgement = evaluator.Run();
  if (footprint != nullptr) *footprint = evaluator.Footprint(judgement);
  return judgement;
}

}  // namespace holdpoint
