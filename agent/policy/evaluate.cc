// Policy::Evaluate: from an act to its judgement.
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/base/utf8.h"
#include "agent/environment/credentials.h"
#include "agent/environment/fingerprint.h"
#include "agent/environment/redact.h"
#include "agent/environment/tags.h"
#include "agent/policy/collect.h"
#include "agent/policy/compose.h"
#include "agent/policy/evidence.h"
#include "agent/policy/first_reader.h"
#include "agent/policy/intent.h"
#include "agent/policy/paths.h"
#include "agent/policy/policy.h"
#include "agent/policy/resource.h"
#include "agent/policy/scored.h"
#include "agent/policy/tool_credentials.h"

namespace holdpoint {
namespace {

using Place = Assessment::Place;

constexpr size_t kMaxResources = 4096;
constexpr size_t kMaxResourceText = 512;

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
    Collect(policy_, act_, context_.configuration, facts_, &collected_);
    FindCarriedCredentials();
    for (const Hit& hit : Effective()) Score(hit);
    ScoreCredential();
    ScoreUnseenParts();
    Scored scored = Choose();
    std::string first_reader;
    if (scored.verdict >= v1::VERDICT_AUDIT) {
      if (std::optional<FirstReader> first = FindFirstReader(credentials_, context_, facts_); first.has_value()) {
        scored.evidence.push_back(std::move(first->evidence));
        first_reader = std::move(first->sentence);
      }
    }
    // What is approved is the script's text; its interpreter reads that when it runs.
    if (scored.verdict >= v1::VERDICT_HOLD && !act_.script.empty()) facts_->Content(AbsolutePath(act_, act_.script));
    v1::Judgement judgement =
        Compose(scored, {act_, context_, collected_, *facts_, credentials_, session_tag_, first_reader});
    if (!losses_.empty() && !losses_unseen_ && judgement.blind_spots().empty()) {
      const Sha256Digest loss = LossDigest(context_.fingerprint_key, losses_);
      judgement.set_loss_digest(std::string(loss.begin(), loss.end()));
    }
    WeighHistory(context_, touched_, &judgement);
    return judgement;
  }

  v1::Footprint Footprint(const v1::Judgement& judgement) const { return FootprintOf(touched_, judgement); }

 private:
  const PromotedOutcome* Changed(const Rule& rule) const {
    const auto it = context_.configuration.policy.changed.find(rule.id);
    return it == context_.configuration.policy.changed.end() ? nullptr : &it->second;
  }

  bool IsEnforced(const Rule& rule) const { return ModeOf(rule, context_.configuration) == RuleMode::kEnforce; }

  // What is only observed takes nothing away from what is enforced.
  bool Replaces(const Rule& rule, const Rule& other) const {
    const auto names = [&other](const std::vector<std::string>& replaced) {
      return std::find(replaced.begin(), replaced.end(), other.id) != replaced.end();
    };
    if (!names(rule.replaces)) return false;
    if (!IsEnforced(rule) && IsEnforced(other)) return false;
    const PromotedOutcome* before = Changed(rule);
    return before == nullptr || names(before->replaces);
  }

  // Without the hits that another one on the same call, request and field replaces.
  std::vector<Hit> Effective() const {
    std::vector<Hit> kept;
    for (const Hit& hit : collected_.hits) {
      const bool replaced = std::any_of(collected_.hits.begin(), collected_.hits.end(), [&](const Hit& other) {
        return other.call == hit.call && other.request.request == hit.request.request &&
               (hit.statement == nullptr || other.statement == nullptr || hit.statement == other.statement) &&
               (hit.request.field == nullptr || hit.request.field == other.request.field) &&
               Replaces(*other.rule, *hit.rule);
      });
      if (!replaced) kept.push_back(hit);
    }
    return kept;
  }

  void FindCarriedCredentials() {
    const Configuration& configuration = context_.configuration;
    if (!collected_.listed) return;
    for (const RequestsOfAct& requests : collected_.requests) {
      for (const RequestView& request : requests.requests) {
        for (const HttpCredential& credential : request.http.credentials) {
          AddCredential(CredentialOf(credential));
        }
      }
    }
    for (FoundCredential& found : FindCredentials(configuration, context_.fingerprint_key, act_.argv, {})) {
      AddCredential(std::move(found));
    }
    for (size_t i = 0; i < collected_.calls.size(); ++i) {
      for (FoundCredential& found : CredentialsOfTool(collected_.calls[i], *collected_.acts_of_calls[i], configuration,
                                                      context_.fingerprint_key, facts_)) {
        AddCredential(std::move(found));
      }
    }
    // Who only starts others uses nothing: the credential counts at the exec of what gets it, under that act's digest.
    for (const FoundCredential& credential : credentials_) {
      if (!collected_.starts_others) credential_tag_ = Strictest(configuration, credential_tag_, credential.tag);
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
    if (hit.request.request == nullptr) {
      for (const Destination& server : ServersOfCall(*hit.call, collected_.ActOf(hit))) {
        tag = Strictest(context_.configuration, tag, DestinationTag(context_.configuration, server));
      }
      return tag;
    }
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
    const ExecAct& act = collected_.ActOf(hit);
    const EnvironmentTag destination = DestinationOf(hit);
    std::vector<std::string> ids = ResourceIds(rule, *hit.call, hit.request, hit.statement, hit.program, act);
    const bool too_many = ids.size() > kMaxResources;
    if (too_many) ids.resize(kMaxResources);
    const bool named = !ids.empty();
    if (!named) {
      // No path, nothing to lose: rm without operands.
      if (IsAboutPaths(rule.evidence) && (as == nullptr || as->same_resource)) return;
      ids.emplace_back();
    }
    const AssessmentInput input{act, context_.session, *hit.call, facts_, SparesFolders(rule, *hit.call),
                                &context_.configuration, hit.statement};
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
      } else if (input.act.place != ExecAct::Place::kHere) {
        assessment = AssessElsewhere(rule.evidence, word, input.act);
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
    AddWhatItIs(hit, &scored);
    // Where a thing lies says that nobody relies on it; its owners say otherwise.
    if (resource.is_protected && !assessment.nothing && rule.recoverability == v1::RECOVERABILITY_UNSPECIFIED &&
        scored.recoverability == v1::RECOVERABILITY_REGENERABLE) {
      scored.recoverability = v1::RECOVERABILITY_IRREVERSIBLE;
      scored.because = absl::StrCat("its owners tagged it ", resource.environment);
    }
    scored.resource.set_type(rule.resource_type);
    scored.named = rule.resource_type == "path" && !id.empty() ? CleanPath(AbsolutePath(input.act, id)) : id;
    if (!input.act.remote_host.empty() && rule.resource_type == "path") {
      scored.named = absl::StrCat(input.act.remote_host, ":", scored.named);
    }
    scored.resource.set_id(scored.named);
    Weigh(destination, resource, assessment.place, &scored);
    // Where loss hurts it matters who did it, and that is not known.
    if (assessment.rests_on_start && scored.tags.column == Column::kProtected &&
        rule.recoverability == v1::RECOVERABILITY_UNSPECIFIED) {
      scored.recoverability = v1::RECOVERABILITY_IRREVERSIBLE;
      Weigh(destination, resource, assessment.place, &scored);
    }
    if (verdict != v1::VERDICT_UNSPECIFIED && !assessment.nothing) scored.verdict = verdict;
    scored.observed = ModeOf(rule, context_.configuration) == RuleMode::kObserve;
    if (!assessment.nothing) Touches(rule, scored.looked_up ? id : word, assessment, input, &scored);
    return scored;
  }

  // Which call or statement it is, where the act says more than its words do.
  static void AddWhatItIs(const Hit& hit, Scored* scored) {
    if (hit.program != nullptr) {
      scored->because =
          absl::StrCat(hit.program->name.substr(0, 80), scored->because.empty() ? "" : ", ", scored->because);
    }
    if (hit.statement == nullptr) return;
    const std::string statement = ShortStatement(hit.statement->statement);
    if (!statement.empty()) {
      scored->because = absl::StrCat(statement, scored->because.empty() ? "" : ", ", scored->because);
    }
  }

  // What this does to which resource. Nothing is looked up for what passes without a word.
  void Touches(const Rule& rule, const std::string& id, const Assessment& assessment, const AssessmentInput& input,
               Scored* scored) const {
    const bool unseen = id.empty() && (IsAboutPaths(rule.evidence) || input.act.unseen_operands);
    const bool elsewhere = input.act.place != ExecAct::Place::kHere && IsAboutPaths(rule.evidence);
    if (scored->verdict < v1::VERDICT_AUDIT || !LeavesItsMark(scored->effect) || unseen || elsewhere) return;
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
    if (loss.resource_type == "path" && act.place != ExecAct::Place::kHere) {
      losses_unseen_ = true;
    } else if (loss.resource_type == "path") {
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
      if (scored.hit->statement != nullptr) loss.where.push_back(ShortStatement(scored.hit->statement->statement));
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
    for (const Hit& hit : collected_.hits) {
      destination = Strictest(context_.configuration, destination, DestinationOf(hit));
    }
    if (!collected_.hits.empty()) scored.hit = collected_.hits.front();
    scored.named = scored.resource.id();
    Weigh(destination, EnvironmentTag{}, Place::kUnknown, &scored);
    if (scored.verdict >= v1::VERDICT_HOLD) AddLoss(scored, act_);
    scored_.push_back(std::move(scored));
  }

  // `at_least`: what hides behind harmless words that fill a bound is more than an audit.
  void ScoreUnseen(std::string blind_spot, v1::Verdict at_least = v1::VERDICT_UNSPECIFIED) {
    collected_.blind_spots.push_back(blind_spot);
    Scored scored;
    scored.rule = "act.unseen";
    scored.effect = v1::EFFECT_UNSEEN;
    scored.why = absl::StrCat("can't be seen whole (", blind_spot, ")");
    Weigh(EnvironmentTag{}, EnvironmentTag{}, Place::kUnknown, &scored);
    scored.verdict = std::max(scored.verdict, at_least);
    scored_.push_back(std::move(scored));
  }

  // A configuration that could not be read may hold anything; so may what goes on past the bound of what is looked at.
  void ScoreUnseenParts() {
    if (act_.argv_cut && collected_.listed) ScoreUnseen("argv truncated");
    for (const Collected::Unseen& unseen : collected_.unseen) {
      ScoreUnseen(unseen.what, unseen.cut ? v1::VERDICT_HOLD : v1::VERDICT_UNSPECIFIED);
    }
    for (const RequestsOfAct& requests : collected_.requests) {
      for (const std::string& blind_spot : requests.blind_spots) {
        const bool cut = absl::StrContains(blind_spot, "are unseen");
        ScoreUnseen(blind_spot, cut ? v1::VERDICT_HOLD : v1::VERDICT_UNSPECIFIED);
      }
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

  const Policy& policy_;
  const ExecAct& act_;
  const EvaluationContext& context_;
  FactBook* facts_;
  EnvironmentTag session_tag_;
  EnvironmentTag credential_tag_;

  bool watching_ = false;  // what is scored now is only observed
  Collected collected_;
  std::vector<FoundCredential> credentials_;
  std::vector<Scored> scored_;
  std::vector<Touch> touched_;  // by rules that are enforced
  std::vector<ActLoss> losses_;  // everything that stops
  bool losses_unseen_ = false;
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
