#include "agent/export/ecs.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "agent/export/own_fields.h"
#include "agent/export/story.h"
#include "agent/export/text.h"

namespace holdpoint {
namespace {

using Json = nlohmann::json;

constexpr char kVersion[] = "8.17.0";
constexpr size_t kMaxWord = 512;

std::string Time(int64_t unix_ns) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E9SZ", absl::FromUnixNanos(unix_ns), absl::UTCTimeZone());
}

// ECS's closed lists: what an event is about, and what happened to it.
struct Sort {
  std::vector<const char*> category, type;
};

Sort OfAct(const char* category, const char* type, Disposition disposition) {
  switch (disposition) {
    case Disposition::kBlocked:
      return {{category, "intrusion_detection"}, {"denied"}};
    case Disposition::kHeld:
      return {{category, "intrusion_detection"}, {"info"}};
    case Disposition::kApproved:
      return {{category, "intrusion_detection"}, {type, "allowed"}};
    default:
      return {{category}, {type}};
  }
}

Sort SortOf(const v1::Envelope& event, const Story& story) {
  if (event.has_exec()) return OfAct("process", "start", story.disposition);
  if (event.has_connect()) return OfAct("network", "connection", story.disposition);
  if (event.has_outcome()) {
    return {{"process", "intrusion_detection"},
            {story.disposition == Disposition::kBlocked    ? "denied"
             : story.disposition == Disposition::kApproved ? "allowed"
                                                           : "end"}};
  }
  if (event.has_decision()) {
    const char* type = story.disposition == Disposition::kApproved  ? "allowed"
                       : story.disposition == Disposition::kBlocked ? "denied"
                                                                    : "info";
    return {{"intrusion_detection"}, {type}};
  }
  if (event.has_credential_read()) return {{"file"}, {"access"}};
  if (event.has_session_started()) return {{"session", "process"}, {"start"}};
  if (event.has_session_ended()) return {{"session"}, {"end"}};
  if (event.has_session_updated()) return {{"session"}, {"info"}};
  if (event.has_escaped() || event.has_test_alert() || event.daemon().state() == "tamper") {
    return {{"intrusion_detection"}, {"info"}};
  }
  if (event.has_rollup()) {
    return event.rollup().kind() == "connect" ? Sort{{"network"}, {"connection"}} : Sort{{"process"}, {"start"}};
  }
  if (event.has_config_loaded() || event.has_mode_changed()) return {{"configuration"}, {"change"}};
  return {{"host"}, {"info"}};
}

const char* OutcomeOf(const v1::Envelope& event, const Story& story) {
  if (event.has_decision()) return event.decision().accepted() ? "success" : "failure";
  if (event.has_config_loaded()) return event.config_loaded().accepted() ? "success" : "failure";
  if (event.has_mode_changed()) return event.mode_changed().accepted() ? "success" : "failure";
  if (story.disposition == Disposition::kBlocked) return "failure";
  return story.disposition == Disposition::kNone || story.disposition == Disposition::kHeld ? "unknown" : "success";
}

Json EventOf(const v1::Envelope& event, const Story& story) {
  const Sort sort = SortOf(event, story);
  Json out = {{"kind", story.alert ? "alert" : event.has_heartbeat() ? "state" : "event"},
              {"category", sort.category},
              {"type", sort.type},
              {"action", story.action},
              {"outcome", OutcomeOf(event, story)},
              {"severity", CefSeverity(story.level)},
              {"id", story.uid},
              {"sequence", event.sequence()},
              {"code", story.type},
              {"module", "holdpoint"},
              {"dataset", "holdpoint.events"},
              {"provider", "holdpointd"}};
  PutText(out, "reason", story.reason);
  if (event.has_rollup()) {
    out["start"] = Time(event.rollup().first_unix_ns());
    out["end"] = Time(event.rollup().last_unix_ns());
  }
  if (event.has_loss() && event.loss().first_unix_ns() > 0) out["start"] = Time(event.loss().first_unix_ns());
  if (event.has_loss() && event.loss().last_unix_ns() > 0) out["end"] = Time(event.loss().last_unix_ns());
  if (event.has_outcome()) PutNumber(out, "duration", event.outcome().held_ns());
  return out;
}

Json ProcessOf(const v1::StreamId& stream, const v1::Process& process) {
  Json out = {{"pid", process.tgid()}};
  PutText(out, "entity_id", ProcessUid(stream, process.tgid(), process.start_boot_ns()));
  PutText(out, "executable", process.executable());
  PutText(out, "name", LastPart(process.executable()), 256);
  PutText(out, "command_line", CommandLine(process), 2 * kMaxExportCommand);
  PutText(out, "working_directory", process.working_directory());
  if (!process.executable_sha256().empty()) out["hash"] = {{"sha256", Clipped(process.executable_sha256(), 64)}};
  if (process.argv_size() > 0) {
    Json args = Json::array();
    size_t left = kMaxExportCommand;
    for (const std::string& word : process.argv()) {
      if (left == 0) break;
      args.push_back(Clipped(word, std::min(kMaxWord, left)));
      left -= std::min(left, word.size() + 1);
    }
    out["args"] = std::move(args);
    out["args_count"] = process.argv_size();
  }
  if (process.parent_tgid() != 0) {
    out["parent"] = {{"pid", process.parent_tgid()},
                     {"entity_id", ProcessUid(stream, process.parent_tgid(), process.parent_start_boot_ns())}};
    if (process.started_by_size() > 0) PutText(out["parent"], "command_line", process.started_by(0));
  }
  return out;
}

void PutThreat(const v1::Judgement& judgement, Json* out) {
  Json techniques = Json::array(), subtechniques = Json::array();
  for (const std::string& technique : judgement.techniques()) {
    if (technique.empty() || techniques.size() == static_cast<size_t>(kMaxExportItems)) continue;
    techniques.push_back(Clipped(absl::string_view(technique).substr(0, technique.find('.')), 32));
    if (absl::StrContains(technique, '.')) subtechniques.push_back(Clipped(technique, 32));
  }
  if (techniques.empty()) return;
  Json technique = {{"id", std::move(techniques)}};
  if (!subtechniques.empty()) technique["subtechnique"] = {{"id", std::move(subtechniques)}};
  (*out)["threat"] = {{"framework", "MITRE ATT&CK"}, {"technique", std::move(technique)}};
}

void PutConnect(const v1::Connect& connect, Json* out) {
  Json destination = {{"address", Clipped(connect.address(), 255)}};
  if (IsIpAddress(connect.address())) destination["ip"] = connect.address();
  if (connect.port() != 0) destination["port"] = connect.port();
  (*out)["destination"] = std::move(destination);
  Json network = {{"direction", "egress"}};
  PutText(network, "transport", connect.protocol(), 32);
  (*out)["network"] = std::move(network);
}

void PutUser(const v1::Envelope& event, const Story& story, Json* out) {
  Json user = Json::object();
  if (story.process != nullptr && story.process->tgid() != 0) user["id"] = absl::StrCat(story.process->uid());
  if (event.has_session_started()) PutText(user, "name", event.session_started().user(), 128);
  if (event.has_decision()) PutText(user, "name", event.decision().by(), 128);
  if (!user.empty()) (*out)["user"] = std::move(user);
}

}  // namespace

std::string EventToEcs(const v1::Envelope& event) {
  const Story story = StoryOf(event);
  const v1::StreamId& stream = event.stream();
  Json out = {{"@timestamp", Time(event.time_unix_ns())},
              {"ecs", {{"version", kVersion}}},
              {"message", Message(story)},
              {"event", EventOf(event, story)},
              {"log", {{"level", LevelName(story.level)}}}};
  Json host = {{"os", {{"type", "linux"}}}};
  PutText(host, "hostname", stream.host(), 255);
  PutText(host, "name", stream.host(), 255);
  PutText(host, "id", stream.host_id(), 128);
  if (!stream.boot_id().empty()) host["boot"] = {{"id", Clipped(stream.boot_id(), 64)}};
  out["host"] = std::move(host);
  Json agent = {{"type", "holdpoint"}};
  PutText(agent, "id", stream.host_id(), 128);
  PutText(agent, "name", stream.instance(), 128);
  PutText(agent, "ephemeral_id", stream.run_id(), 64);
  out["agent"] = std::move(agent);
  if (story.process != nullptr) out["process"] = ProcessOf(stream, *story.process);
  PutUser(event, story, &out);
  if (event.has_connect()) PutConnect(event.connect(), &out);
  if (event.has_credential_read()) {
    const std::string& file = event.credential_read().file();
    out["file"] = {{"path", Clipped(file)}, {"name", Clipped(LastPart(file), 256)}};
  }
  if (story.judgement != nullptr) {
    const v1::Judgement& judgement = *story.judgement;
    if (!judgement.rule().empty()) {
      const std::string rule = Clipped(judgement.rule(), 128);
      out["rule"] = {{"id", rule}, {"name", rule}, {"ruleset", "holdpoint"}};
      PutText(out["rule"], "version", judgement.policy_hash(), 128);
    }
    PutThreat(judgement, &out);
    if (judgement.resource().type() == "path" && !judgement.resource().id().empty()) {
      out["file"] = {{"path", Clipped(judgement.resource().id())},
                     {"name", Clipped(LastPart(judgement.resource().id()), 256)}};
    }
  } else if (!event.decision().rule().empty()) {
    out["rule"] = {{"id", Clipped(event.decision().rule(), 128)}, {"ruleset", "holdpoint"}};
  }
  if (event.has_test_alert()) out["tags"] = {"test"};
  out["holdpoint"] = OwnFields(event, story);
  return OneLine(out);
}

}  // namespace holdpoint
