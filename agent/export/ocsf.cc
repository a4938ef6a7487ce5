#include "agent/export/ocsf.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "agent/export/own_fields.h"
#include "agent/export/story.h"
#include "agent/export/text.h"

namespace holdpoint {
namespace {

using Json = nlohmann::json;

constexpr char kSchema[] = "1.9.0";

enum Class { kBaseEvent = 0, kFileActivity = 1001, kProcessActivity = 1007, kFinding = 2004, kNetworkActivity = 4001 };

// activity_id: of files, of processes, of the network, of findings.
enum { kOther = 99, kFileRead = 2, kFileOpen = 14, kFileUpdate = 3, kFileDelete = 4, kLaunch = 1, kOpen = 1, kCreate = 1, kUpdate = 2, kClose = 3 };

struct Kind {
  Class class_uid = kBaseEvent;
  int activity = kOther;
};

bool IsStoppedFileAct(const Story& story) {
  if (story.disposition != Disposition::kBlocked && story.disposition != Disposition::kHeld) return false;
  const v1::Judgement& judgement = *story.judgement;
  return judgement.resource().type() == "path" && !judgement.resource().id().empty() &&
         (judgement.effect() == v1::EFFECT_DESTROY || judgement.effect() == v1::EFFECT_WRITE);
}

Kind KindOf(const v1::Envelope& event, const Story& story) {
  if (event.has_exec()) {
    // A program that was stopped before its first instruction launched nothing: what it was about to do is the event.
    if (IsStoppedFileAct(story)) {
      return {kFileActivity, story.judgement->effect() == v1::EFFECT_DESTROY ? kFileDelete : kFileUpdate};
    }
    return {kProcessActivity, kLaunch};
  }
  if (event.has_connect() || (event.has_rollup() && event.rollup().kind() == "connect")) return {kNetworkActivity, kOpen};
  if (event.has_credential_read()) return {kFileActivity, event.credential_read().read() ? kFileRead : kFileOpen};
  if (event.has_session_started() && event.session_started().has_root()) {
    return {kProcessActivity, event.session_started().found_at_start() ? kOther : kLaunch};
  }
  if (event.has_outcome()) {
    if (story.disposition == Disposition::kBlocked) return {kFinding, kCreate};
    if (!story.ticket.empty()) return {kFinding, story.disposition == Disposition::kApproved ? kUpdate : kClose};
    return {kBaseEvent, kOther};
  }
  if (event.has_decision()) {
    if (!event.decision().accepted()) return {kFinding, kCreate};
    if (story.ticket.empty()) return {kBaseEvent, kOther};
    return {kFinding, event.decision().decision() == "approve" ? kUpdate : kClose};
  }
  if (event.has_escaped() || event.has_loss() || event.has_tombstone() || event.has_test_alert() ||
      event.daemon().state() == "tamper") {
    return {kFinding, kCreate};
  }
  return {kBaseEvent, kOther};
}

// OCSF's integer_t; what is larger has no place in it.
void PutInteger(const char* key, uint64_t value, Json* out) {
  if (value <= std::numeric_limits<int32_t>::max()) (*out)[key] = value;
}

Json UserOf(uint32_t uid, absl::string_view name = "") {
  Json user = {{"uid", absl::StrCat(uid)}, {"type_id", uid == 0 ? 2 : 1}};
  PutText(user, "name", name, 128);
  return user;
}

Json FileOf(absl::string_view path, int type_id) {
  Json file = {{"name", Clipped(LastPart(path).empty() ? path : LastPart(path), 256)}, {"type_id", type_id}};
  PutText(file, "path", path);
  return file;
}

Json ProcessOf(const v1::StreamId& stream, const v1::Process& process) {
  Json out = Json::object();
  out["pid"] = process.tgid();
  PutText(out, "uid", ProcessUid(stream, process.tgid(), process.start_boot_ns()));
  if (!process.executable().empty()) {
    constexpr int kExecutableFile = 8;
    PutText(out, "name", LastPart(process.executable()), 256);
    out["file"] = FileOf(process.executable(), kExecutableFile);
    if (!process.executable_sha256().empty()) {
      constexpr int kSha256 = 3;
      out["file"]["hashes"] = Json::array(
          {{{"algorithm", "SHA-256"}, {"algorithm_id", kSha256}, {"value", Clipped(process.executable_sha256(), 64)}}});
    }
  }
  PutText(out, "cmd_line", CommandLine(process), 2 * kMaxExportCommand);
  PutText(out, "working_directory", process.working_directory());
  out["user"] = UserOf(process.uid());
  if (process.parent_tgid() != 0) {
    out["parent_process"] = {{"pid", process.parent_tgid()},
                             {"uid", ProcessUid(stream, process.parent_tgid(), process.parent_start_boot_ns())}};
  }
  Json ancestry = Json::array();
  for (const std::string& line : process.started_by()) {
    if (!line.empty() && ancestry.size() < static_cast<size_t>(kMaxExportItems)) {
      ancestry.push_back({{"cmd_line", Clipped(line)}});
    }
  }
  if (!ancestry.empty()) out["ancestry"] = std::move(ancestry);
  return out;
}

Json AgentOf(const v1::Envelope& event, const Story& story) {
  const std::string name = CodingAgentOf(event, story);
  Json agent = {{"uid", name.empty() ? "unknown" : name}, {"type_id", 0}};
  PutText(agent, "name", name);
  PutText(agent, "instance_uid", event.session(), 128);
  return agent;
}

Json DeviceOf(const v1::StreamId& stream) {
  constexpr int kLinux = 200;
  Json device = {{"type_id", 0}, {"hostname", stream.host().empty() ? "unknown" : Clipped(stream.host(), 255)}};
  device["os"] = {{"name", "Linux"}, {"type_id", kLinux}};
  PutText(device, "uid", stream.host_id(), 128);
  PutText(device, "boot_uid", stream.boot_id(), 64);
  return device;
}

Json EndpointOf(const std::string& address, uint32_t port) {
  Json endpoint = Json::object();
  endpoint[IsIpAddress(address) ? "ip" : "name"] = address.empty() ? "unknown" : Clipped(address, 255);
  if (port != 0 && port <= 65535) endpoint["port"] = port;
  return endpoint;
}

// "ADDRESS:PORT", as rollups count them.
Json EndpointOf(const std::string& subject) {
  const size_t colon = subject.rfind(':');
  uint32_t port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(subject.substr(colon + 1), &port)) return EndpointOf(subject, 0);
  std::string address = subject.substr(0, colon);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') address = address.substr(1, address.size() - 2);
  return EndpointOf(address, port);
}

Json ConnectionOf(const std::string& protocol) {
  constexpr int kOutbound = 2;
  Json info = {{"direction_id", kOutbound}};
  PutText(info, "protocol_name", protocol, 32);
  if (protocol == "tcp") info["protocol_num"] = 6;
  if (protocol == "udp") info["protocol_num"] = 17;
  return info;
}

// T1070.004 is a sub-technique of T1070.
Json AttacksOf(const v1::Judgement& judgement) {
  Json attacks = Json::array();
  for (const std::string& technique : judgement.techniques()) {
    if (technique.empty() || attacks.size() == static_cast<size_t>(kMaxExportItems)) continue;
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(technique, absl::MaxSplits('.', 1));
    Json attack = {{"technique", {{"uid", Clipped(parts.first, 32)}}}};
    if (!parts.second.empty()) attack["sub_technique"] = {{"uid", Clipped(technique, 32)}};
    attacks.push_back(std::move(attack));
  }
  return attacks;
}

struct Control {
  int action, disposition;
  const char* name;
};

Control ControlOf(Disposition disposition) {
  switch (disposition) {
    case Disposition::kNone:
      return {0, 0, "Unknown"};
    case Disposition::kAllowed:
      return {1, 1, "Allowed"};
    case Disposition::kLogged:
      return {3, 17, "Logged"};
    case Disposition::kDetected:
      return {3, 15, "Detected"};
    case Disposition::kApproved:
      return {1, 8, "Approved"};
    case Disposition::kHeld:
      return {0, 14, "Delayed"};
    case Disposition::kBlocked:
      return {2, 2, "Blocked"};
  }
  return {0, 0, "Unknown"};
}

void PutControl(const Story& story, Json* out) {
  const Control control = ControlOf(story.disposition);
  (*out)["action_id"] = control.action;
  (*out)["disposition_id"] = control.disposition;
  (*out)["disposition"] = control.name;
  (*out)["is_alert"] = story.alert;
  if (story.judgement == nullptr) return;
  if (Json attacks = AttacksOf(*story.judgement); !attacks.empty()) (*out)["attacks"] = std::move(attacks);
  if (story.judgement->rule().empty()) return;
  Json policy = {{"name", Clipped(story.judgement->rule(), 128)}};
  PutText(policy, "uid", story.judgement->policy_hash(), 128);
  (*out)["policy"] = policy;
  (*out)["authorizations"] =
      Json::array({{{"decision", VerdictText(story.judgement->verdict())}, {"policy", std::move(policy)}}});
}

void PutStatus(const Story& story, Json* out) {
  constexpr int kUnknown = 0, kSuccess = 1, kFailure = 2;
  (*out)["status_id"] = story.disposition == Disposition::kBlocked                                             ? kFailure
                        : story.disposition == Disposition::kNone || story.disposition == Disposition::kHeld ? kUnknown
                                                                                                               : kSuccess;
  PutText(*out, "status_detail", story.reason);
}

std::string RuleOf(const v1::Envelope& event, const Story& story) {
  if (story.judgement != nullptr && !story.judgement->rule().empty()) return story.judgement->rule();
  return event.has_decision() && !event.decision().rule().empty() ? event.decision().rule() : story.action;
}

void PutFinding(const v1::Envelope& event, const Story& story, int activity, Json* out) {
  constexpr int kNew = 1, kInProgress = 2, kResolved = 4, kRule = 1;
  // All events of one ticket are one finding.
  Json info = {{"uid", story.ticket.empty() ? story.uid : story.ticket},
               {"title", absl::StrReplaceAll(story.action, {{"-", " "}})}};
  if (!story.ticket.empty()) info["uid_alt"] = story.uid;
  PutText(info, "desc", Message(story), 2 * kMaxExportText);
  const std::string rule = Clipped(RuleOf(event, story), 128);
  info["analytic"] = {{"uid", rule}, {"name", rule}, {"type_id", kRule}};
  if (story.judgement != nullptr) {
    if (Json attacks = AttacksOf(*story.judgement); !attacks.empty()) info["attacks"] = std::move(attacks);
  }
  (*out)["finding_info"] = std::move(info);
  (*out)["status_id"] = activity == kCreate ? kNew : activity == kUpdate ? kInProgress : kResolved;
  if (story.process != nullptr) {
    Json evidence = {{"process", ProcessOf(event.stream(), *story.process)}};
    if (!event.session().empty()) evidence["ai_agent"] = AgentOf(event, story);
    (*out)["evidences"] = Json::array({std::move(evidence)});
  } else if (event.has_decision()) {
    Json user = Json::object();
    PutText(user, "name", event.decision().by(), 128);
    if (user.empty()) user["uid"] = absl::StrCat(event.decision().peer_uid());
    Json evidence = Json::object();
    evidence["user"] = std::move(user);
    (*out)["evidences"] = Json::array({std::move(evidence)});
  }
  const v1::Resource& resource = story.judgement != nullptr ? story.judgement->resource() : event.decision().resource();
  if (resource.id().empty()) return;
  Json one = {{"uid", Clipped(resource.id())}, {"name", Clipped(resource.id())}};
  PutText(one, "type", resource.type(), 128);
  const std::string& environment =
      story.judgement != nullptr ? story.judgement->tags().target().environment() : event.decision().environment();
  if (!environment.empty()) one["labels"] = Json::array({absl::StrCat("environment: ", Clipped(environment, 128))});
  (*out)["resources"] = Json::array({std::move(one)});
}

void PutActor(const v1::Envelope& event, const v1::Process& process, bool itself, Json* out) {
  Json actor = {{"user", UserOf(process.uid(), event.session_started().user())}};
  if (itself) {
    actor["process"] = ProcessOf(event.stream(), process);
  } else if (process.parent_tgid() != 0) {
    actor["process"] = {{"pid", process.parent_tgid()},
                        {"uid", ProcessUid(event.stream(), process.parent_tgid(), process.parent_start_boot_ns())}};
  }
  (*out)["actor"] = std::move(actor);
}

const char* ClassName(Class class_uid) {
  switch (class_uid) {
    case kBaseEvent:
      return "Base Event";
    case kFileActivity:
      return "File System Activity";
    case kProcessActivity:
      return "Process Activity";
    case kFinding:
      return "Detection Finding";
    case kNetworkActivity:
      return "Network Activity";
  }
  return "";
}

const char* ActivityName(const Kind& kind) {
  switch (kind.class_uid) {
    case kFileActivity:
      return kind.activity == kFileDelete ? "Delete"
             : kind.activity == kFileRead ? "Read"
             : kind.activity == kFileOpen ? "Open"
                                          : "Update";
    case kProcessActivity:
      return kind.activity == kLaunch ? "Launch" : "Found running";
    case kNetworkActivity:
      return "Open";
    case kFinding:
      return kind.activity == kCreate ? "Create" : kind.activity == kUpdate ? "Update" : "Close";
    case kBaseEvent:
      break;
  }
  return nullptr;
}

Json MetadataOf(const v1::Envelope& event, const Story& story, Json profiles) {
  Json metadata = {{"version", kSchema},
                   {"product", {{"name", "Holdpoint"}, {"vendor_name", "Holdpoint"}}},
                   {"uid", story.uid},
                   {"event_code", story.action},
                   {"log_name", "holdpoint"},
                   {"profiles", std::move(profiles)}};
  PutInteger("sequence", event.sequence(), &metadata);
  PutText(metadata, "correlation_uid", event.session(), 128);
  if (story.process != nullptr && story.process->argv_truncated()) metadata["is_truncated"] = true;
  return metadata;
}

}  // namespace

std::string EventToOcsf(const v1::Envelope& event) {
  const Story story = StoryOf(event);
  const Kind kind = KindOf(event, story);
  const int category = kind.class_uid / 1000;
  Json out = {{"class_uid", static_cast<int>(kind.class_uid)},
              {"class_name", ClassName(kind.class_uid)},
              {"category_uid", category},
              {"activity_id", kind.activity},
              {"type_uid", kind.class_uid * 100 + kind.activity},
              {"severity_id", static_cast<int>(story.level)},
              {"time", event.time_unix_ns() / 1'000'000},
              {"message", Message(story)},
              {"device", DeviceOf(event.stream())}};
  const char* activity = ActivityName(kind);
  out["activity_name"] = activity == nullptr ? story.action : activity;
  Json profiles = {"host"};
  if (story.disposition != Disposition::kNone) {
    profiles.push_back("security_control");
    PutControl(story, &out);
    PutStatus(story, &out);
  } else if (kind.class_uid == kFinding) {
    out["is_alert"] = story.alert;
  }
  const bool activity_class =
      kind.class_uid == kProcessActivity || kind.class_uid == kNetworkActivity || kind.class_uid == kFileActivity;
  if (activity_class && !event.session().empty()) {
    profiles.push_back("ai_operation");
    out["ai_agent"] = AgentOf(event, story);
  }
  switch (kind.class_uid) {
    case kProcessActivity:
      PutActor(event, *story.process, false, &out);
      out["process"] = ProcessOf(event.stream(), *story.process);
      if (kind.activity == kLaunch) out["launch_type_id"] = 3;  // Exec
      break;
    case kFileActivity:
      PutActor(event, *story.process, true, &out);
      if (event.has_credential_read()) {
        constexpr int kRegularFile = 1;
        out["file"] = FileOf(event.credential_read().file(), kRegularFile);
      } else {
        out["file"] = FileOf(story.judgement->resource().id(), 0);
      }
      break;
    case kNetworkActivity:
      if (story.process != nullptr) PutActor(event, *story.process, true, &out);
      if (event.has_connect()) {
        out["dst_endpoint"] = EndpointOf(event.connect().address(), event.connect().port());
        out["connection_info"] = ConnectionOf(event.connect().protocol());
      } else {
        out["dst_endpoint"] = EndpointOf(event.rollup().subject());
      }
      break;
    case kFinding:
      PutFinding(event, story, kind.activity, &out);
      break;
    case kBaseEvent:
      break;
  }
  if (event.has_rollup()) {
    PutInteger("count", event.rollup().count(), &out);
    out["start_time"] = event.rollup().first_unix_ns() / 1'000'000;
    out["end_time"] = event.rollup().last_unix_ns() / 1'000'000;
  }
  if (event.has_loss()) {
    if (!event.loss().unknown()) PutInteger("count", event.loss().count(), &out);
    if (event.loss().unknown()) out["status_detail"] = "how many is not known";
    if (event.loss().first_unix_ns() > 0) out["start_time"] = event.loss().first_unix_ns() / 1'000'000;
    if (event.loss().last_unix_ns() > 0) out["end_time"] = event.loss().last_unix_ns() / 1'000'000;
  }
  out["metadata"] = MetadataOf(event, story, std::move(profiles));
  out["unmapped"] = {{"holdpoint", OwnFields(event, story)}};
  return OneLine(out);
}

}  // namespace holdpoint
