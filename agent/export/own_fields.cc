#include "agent/export/own_fields.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/base/sha256.h"
#include "agent/export/text.h"

namespace holdpoint {
namespace {

using Json = nlohmann::json;

template <typename List>
Json Texts(const List& list) {
  Json out = Json::array();
  for (const auto& text : list) {
    if (out.size() == static_cast<size_t>(kMaxExportItems)) {
      out.push_back(absl::StrCat("...(+", list.size() - kMaxExportItems, ")"));
      break;
    }
    out.push_back(Clipped(text));
  }
  return out;
}

void PutTexts(Json& object, const char* key, const google::protobuf::RepeatedPtrField<std::string>& list) {
  if (!list.empty()) object[key] = Texts(list);
}

Json TagsOf(const v1::Tags& tags) {
  Json out = Json::object();
  const auto put = [&out](const char* name, const v1::Tag& tag) {
    if (tag.environment().empty()) return;
    PutText(out, name, tag.environment());
    PutText(out, absl::StrCat(name, "_source").c_str(), tag.source());
  };
  put("session", tags.session());
  put("destination", tags.destination());
  put("credential", tags.credential());
  put("resource", tags.resource());
  put("target", tags.target());
  if (tags.target().protected_()) out["target_protected"] = true;
  out["crossing"] = tags.crossing();
  return out;
}

void PutResource(Json& out, const v1::Resource& resource) {
  if (resource.type().empty() && resource.id().empty()) return;
  Json object = Json::object();
  PutText(object, "type", resource.type());
  PutText(object, "id", resource.id());
  PutText(object, "backups", resource.backups());
  out["resource"] = std::move(object);
}

void PutJudgement(Json& out, const v1::Judgement& judgement) {
  PutText(out, "verdict", VerdictText(judgement.verdict()));
  PutText(out, "rule", judgement.rule());
  PutText(out, "effect", EffectText(judgement.effect()));
  PutText(out, "recoverability", RecoverabilityText(judgement.recoverability()));
  if (judgement.has_tags()) out["tags"] = TagsOf(judgement.tags());
  PutResource(out, judgement.resource());
  PutText(out, "summary", judgement.summary());
  PutText(out, "policy_hash", judgement.policy_hash());
  PutText(out, "passed_by", judgement.passed_by());
  PutText(out, "repeats", judgement.repeats());
  if (judgement.observed_only()) out["observed_only"] = true;
  if (!judgement.act_digest().empty()) out["act_digest"] = Hex(judgement.act_digest().substr(0, 32));
  if (judgement.credentials().empty()) return;
  Json credentials = Json::array();
  for (const v1::Credential& credential : judgement.credentials()) {
    if (credentials.size() == static_cast<size_t>(kMaxExportItems)) break;
    Json one = Json::object();
    PutText(one, "kind", credential.kind());
    PutText(one, "fingerprint", credential.fingerprint());
    PutText(one, "name", credential.tag_name());
    credentials.push_back(std::move(one));
  }
  out["credentials"] = std::move(credentials);
}

void PutDecision(Json& out, const v1::Decision& decision) {
  Json object = Json::object();
  PutText(object, "what", decision.decision());
  PutText(object, "by", decision.by());
  PutText(object, "role", decision.role());
  PutText(object, "presence", decision.presence());
  PutText(object, "scope", decision.scope());
  PutText(object, "approval", decision.approval());
  PutText(object, "environment", decision.environment());
  PutText(object, "summary", decision.summary());
  PutTexts(object, "approved_by", decision.approved_by());
  PutNumber(object, "still_wanted", decision.still_wanted());
  object["accepted"] = decision.accepted();
  out["decision"] = std::move(object);
  PutText(out, "rule", decision.rule());
  PutResource(out, decision.resource());
}

void PutLoss(Json& out, const v1::Loss& loss) {
  PutText(out, "stage", loss.stage());
  PutText(out, "lost_by_run", loss.run_id(), 64);
  if (loss.unknown()) {
    out["count_unknown"] = true;
  } else {
    out["count"] = loss.count();
  }
}

}  // namespace

void PutText(Json& object, const char* key, absl::string_view text, size_t max) {
  if (!text.empty()) object[key] = Clipped(text, max);
}

void PutNumber(Json& object, const char* key, uint64_t value) {
  if (value != 0) object[key] = value;
}

std::string OneLine(const Json& object) {
  return object.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
}

std::string CodingAgentOf(const v1::Envelope& event, const Story& story) {
  const std::string* name = story.process == nullptr ? nullptr : &story.process->coding_agent();
  if (event.has_session_started()) name = &event.session_started().coding_agent();
  if (event.has_session_updated()) name = &event.session_updated().coding_agent();
  if (event.has_session_ended()) name = &event.session_ended().coding_agent();
  return name == nullptr ? "" : Clipped(*name, 128);
}

Json OwnFields(const v1::Envelope& event, const Story& story) {
  Json out = Json::object();
  out["type"] = story.type;
  PutText(out, "session", event.session(), 128);
  PutNumber(out, "session_sequence", event.session_sequence());
  PutText(out, "environment", event.environment());
  PutText(out, "coding_agent", CodingAgentOf(event, story));
  PutText(out, "instance", event.stream().instance(), 128);
  PutText(out, "rung", event.rung());
  PutTexts(out, "blind_spots", event.blind_spots());
  PutText(out, "ticket", story.ticket);
  if (story.process != nullptr) PutNumber(out, "exec_id", story.process->exec_id());
  if (story.judgement != nullptr) PutJudgement(out, *story.judgement);
  if (event.has_decision()) PutDecision(out, event.decision());
  if (event.has_credential_read()) {
    const v1::CredentialRead& opened = event.credential_read();
    PutText(out, "credential", opened.credential(), 128);
    PutText(out, "credential_environment", opened.environment().environment(), 128);
    out["read"] = opened.read();
    out["own_process"] = opened.own_process();
  }
  if (event.has_outcome()) {
    PutText(out, "outcome", event.outcome().what(), 128);
    PutNumber(out, "held_ns", event.outcome().held_ns());
    out["told"] = event.outcome().told();
  }
  if (event.has_session_started()) {
    const v1::SessionStarted& started = event.session_started();
    PutText(out, "workspace", started.workspace());
    PutText(out, "git_branch", started.git_branch());
    PutText(out, "git_remote", started.git_remote());
    PutText(out, "recognised_by", started.recognised_by());
    PutText(out, "owner", started.owner());
    PutTexts(out, "guards_off", started.guards_off());
  }
  if (event.has_session_ended()) {
    out["execs"] = event.session_ended().execs();
    out["connects"] = event.session_ended().connects();
    out["refused"] = event.session_ended().refused();
  }
  if (event.has_rollup()) PutText(out, "counted", event.rollup().subject());
  if (event.has_rollup()) PutNumber(out, "count", event.rollup().count());
  if (event.has_loss()) PutLoss(out, event.loss());
  if (event.has_tombstone()) {
    out["first_sequence"] = event.tombstone().first_sequence();
    out["last_sequence"] = event.tombstone().last_sequence();
  }
  return out;
}

}  // namespace holdpoint
