#include "agent/policy/compose.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/utf8.h"
#include "agent/environment/fingerprint.h"
#include "agent/environment/redact.h"
#include "agent/policy/host_evidence.h"
#include "agent/policy/reason.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxBlindSpots = 16;
constexpr int kMaxEvidence = 16;
constexpr size_t kMaxEvidenceText = 200;
constexpr int kMaxShownStatements = 16;

v1::Effect ToProto(SqlEffect effect) {
  switch (effect) {
    case SqlEffect::kNone:
      return v1::EFFECT_UNSPECIFIED;
    case SqlEffect::kRead:
      return v1::EFFECT_READ;
    case SqlEffect::kWrite:
      return v1::EFFECT_WRITE;
    case SqlEffect::kDestroy:
      return v1::EFFECT_DESTROY;
    case SqlEffect::kEscalate:
      return v1::EFFECT_ESCALATE;
    case SqlEffect::kUnseen:
      return v1::EFFECT_UNSEEN;
  }
  return v1::EFFECT_UNSEEN;
}

class Composer {
 public:
  Composer(const Scored& scored, const JudgedAct& judged)
      : scored_(scored), judged_(judged), key_(judged.context.fingerprint_key) {}

  v1::Judgement Compose() {
    out_.set_verdict(scored_.verdict);
    out_.set_rule(scored_.rule);
    out_.set_effect(scored_.effect);
    out_.set_recoverability(scored_.recoverability);
    *out_.mutable_tags() = holdpoint::ToProto(scored_.tags);
    if (!scored_.resource.type().empty()) *out_.mutable_resource() = scored_.resource;
    for (const FoundCredential& credential : judged_.credentials) {
      v1::Credential* out = out_.add_credentials();
      out->set_kind(ToValidUtf8(credential.kind));
      out->set_fingerprint(credential.fingerprint);
      out->set_tag_name(credential.tag_name);
    }
    if (IsRequest()) {
      out_.set_summary(
          SummariseRequest(judged_.collected.tool_name, scored_.hit->request, scored_.resource.id(), key_));
    } else {
      out_.set_summary(SummariseCall(judged_.act.argv, key_));
    }
    AddReason();
    AddStatements();
    AddEvidence();
    AddBlindSpots();
    if (scored_.source != nullptr) {
      for (const std::string& technique : scored_.source->techniques) out_.add_techniques(technique);
    }
    const EnvironmentConfig* environment = judged_.context.configuration.Find(judged_.session_tag.environment);
    out_.set_observed_only(scored_.observed || (environment != nullptr && environment->mode == Mode::kObserve));
    AddDigests();
    return std::move(out_);
  }

 private:
  bool IsRequest() const { return scored_.hit.has_value() && scored_.hit->request.request != nullptr; }

  // Those that the rule which decided is about.
  void AddStatements() {
    for (const Hit& hit : judged_.collected.hits) {
      if (hit.statement == nullptr || hit.rule != scored_.source) continue;
      if (out_.statements_size() >= kMaxShownStatements) return;
      const SqlStatement& statement = hit.statement->statement;
      const std::string name = RedactText(key_, ToValidUtf8(statement.name), 200);
      v1::Statement& shown = *out_.add_statements();
      shown.set_verb(EscapeAndClip(statement.verb, 80));
      shown.set_effect(ToProto(statement.effect));
      shown.set_object_kind(EscapeAndClip(statement.kind, 80));
      shown.set_object_name(EscapeAndClip(name, 200));
      shown.set_has_where(statement.has_where);
      shown.set_source(EscapeAndClip(hit.statement->source, 200));
    }
  }

  void AddEvidence() {
    const auto shown = [this](absl::string_view text) {
      return EscapeAndClip(RedactText(key_, ToValidUtf8(text), 400), kMaxEvidenceText);
    };
    for (const v1::Evidence& one : scored_.evidence) {
      if (out_.evidence_size() == kMaxEvidence) return;
      v1::Evidence& out = *out_.add_evidence();
      out.set_fact(shown(one.fact()));
      out.set_value(shown(one.value()));
      out.set_source(shown(one.source()));
      out.set_changed_unix_ns(one.changed_unix_ns());
      out.set_since_start(ChangedSince(one));
    }
  }

  bool ChangedSince(const v1::Evidence& evidence) const {
    const int64_t started = judged_.context.session.started_unix_ns();
    return started > 0 && evidence.changed_unix_ns() > started;
  }

  void AddReason() {
    if (scored_.why.empty()) return;
    ReasonParts parts;
    parts.why = scored_.why;
    parts.because = scored_.because;
    parts.backups = scored_.resource.backups();
    parts.tags = &out_.tags();
    for (const v1::Evidence& one : scored_.evidence) {
      if (ChangedSince(one) && one.source() != kKernel) parts.drifted.push_back(one.source());
    }
    parts.environment_matters =
        scored_.verdict >= v1::VERDICT_HOLD && scored_.tags.column == Column::kUnknown && IsRequest();
    for (const FoundCredential& credential : judged_.credentials) {
      if (credential.kind == "bearer" || absl::StartsWith(credential.kind, "header")) {
        parts.credential_word = "the token";
      }
    }
    parts.first_reader = judged_.first_reader;
    out_.set_reason(ComposeReason(parts, key_));
  }

  // Those of what decided stand behind the others, and are the first to fall where there are too many.
  void AddBlindSpots() {
    std::vector<std::string> all;
    const auto add = [&all](const std::string& text) {
      if (!text.empty() && std::find(all.begin(), all.end(), text) == all.end()) all.push_back(text);
    };
    for (const std::string& text : judged_.collected.blind_spots) add(text);
    if (scored_.source != nullptr) {
      for (const std::string& text : scored_.source->blind_spots) add(text);
    }
    add(scored_.blind_spot);
    add(judged_.facts.problem());
    if (judged_.act.environment_cut && judged_.collected.listed) add("environment truncated");
    if (all.size() > kMaxBlindSpots) all.resize(kMaxBlindSpots);
    for (const std::string& text : all) out_.add_blind_spots(EscapeAndClip(text, 160));
  }

  void AddDigests() {
    const Sha256Digest digest = ActDigest(Identity());
    out_.set_act_digest(std::string(digest.begin(), digest.end()));
    if (scored_.named.empty() || scored_.verdict < v1::VERDICT_HOLD) return;
    const Sha256Digest target =
        TargetDigest(key_, out_.tags().target().environment(), scored_.resource.type(), scored_.named);
    out_.set_target_digest(std::string(target.begin(), target.end()));
  }

  ActIdentity Identity() const {
    const ExecAct& act = judged_.act;
    ActIdentity identity;
    identity.kind = "exec";
    identity.executable = act.executable.path;
    identity.executable_id = act.executable.id;
    identity.argv = SealSecrets(key_, act.argv);
    identity.cwd = act.cwd;
    identity.contents = judged_.facts.Used();
    identity.resource_type = out_.resource().type();
    identity.resource_id = out_.resource().id();
    identity.tags = out_.tags();
    return identity;
  }

  const Scored& scored_;
  const JudgedAct& judged_;
  const absl::string_view key_;
  v1::Judgement out_;
};

}  // namespace

v1::Judgement Compose(const Scored& scored, const JudgedAct& judged) { return Composer(scored, judged).Compose(); }

std::string ShortStatement(const SqlStatement& statement) {
  if (statement.effect == SqlEffect::kUnseen) return statement.note;
  std::string text = statement.verb;
  if (!statement.kind.empty() && statement.kind != "rows") absl::StrAppend(&text, " ", statement.kind);
  if (!statement.name.empty()) absl::StrAppend(&text, " ", statement.name.substr(0, 80));
  if (statement.kind == "rows" && !statement.has_where) text += ", all rows";
  return text;
}

}  // namespace holdpoint
