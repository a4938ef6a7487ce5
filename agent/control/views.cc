#include "agent/control/views.h"

#include <algorithm>

#include "absl/strings/string_view.h"
#include "agent/control/wire.h"
#include "nlohmann/json.hpp"

namespace holdpoint {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kTextMax = 2048;  // of one text in a view: a row of them fits into a body
constexpr size_t kNamesMax = 32;   // owners in one row

std::string Clip(const std::string& text) { return text.size() <= kTextMax ? text : text.substr(0, kTextMax) + "..."; }

Json Names(const std::vector<std::string>& names) {
  Json list = Json::array();
  for (const std::string& name : names) {
    if (list.size() == kNamesMax) break;
    list.push_back(name.substr(0, 256));
  }
  return list;
}

// ASCII: what a terminal would act on becomes \u00xx, and bytes that are no UTF-8 become U+FFFD.
std::string Dump(const Json& json) { return json.dump(-1, ' ', true, Json::error_handler_t::replace); }

Json ToJson(const SessionView& session) {
  Json keys = Json::object();
  for (const auto& [name, value] : session.join_keys) keys[Clip(name)] = Clip(value);
  return {{"id", Clip(session.id)},
          {"number", session.number},
          {"coding_agent", Clip(session.coding_agent)},
          {"environment", Clip(session.environment)},
          {"protected", session.protected_environment},
          {"root_tgid", session.root_tgid},
          {"processes", session.processes},
          {"started", session.started},
          {"execs", session.execs},
          {"asked", session.asked},
          {"refused", session.refused},
          {"workspace", Clip(session.workspace)},
          {"owner", Clip(session.owner)},
          {"user", Clip(session.user)},
          {"ended", session.ended},
          {"recognised_by", Clip(session.recognised_by)},
          {"git_branch", Clip(session.git_branch)},
          {"git_remote", Clip(session.git_remote)},
          {"guards_off", Names(session.guards_off)},
          {"nested", Names(session.nested)},
          {"join_keys", keys},
          {"unattended", session.unattended}};
}

Json ToJson(const HoldView& hold) {
  Json tags = Json::object();
  for (const HoldView::Tag& tag : hold.tags) {
    tags[Clip(tag.what)] = {
        {"environment", Clip(tag.environment)}, {"source", Clip(tag.source)}, {"protected", tag.protected_environment}};
  }
  return {{"ticket", Clip(hold.ticket)},
          {"session", Clip(hold.session)},
          {"state", Clip(hold.state)},
          {"summary", Clip(hold.summary)},
          {"reason", Clip(hold.reason)},
          {"environment", Clip(hold.environment)},
          {"owners", Names(hold.owners)},
          {"rollback", Names(hold.rollback)},
          {"pid", hold.pid},
          {"deadline_unix", hold.deadline_unix},
          {"expires_unix", hold.expires_unix},
          {"digest", Clip(hold.digest)},
          {"rule", Clip(hold.rule)},
          {"verdict", Clip(hold.verdict)},
          {"protected", hold.protected_environment},
          {"coding_agent", Clip(hold.coding_agent)},
          {"user", Clip(hold.user)},
          {"command", Clip(hold.command)},
          {"working_directory", Clip(hold.working_directory)},
          {"started_by", Names(hold.started_by)},
          {"effect", Clip(hold.effect)},
          {"recoverability", Clip(hold.recoverability)},
          {"resource", Clip(hold.resource)},
          {"backups", Clip(hold.backups)},
          {"tags", std::move(tags)},
          {"blind_spots", Names(hold.blind_spots)},
          {"deciders", Names(hold.deciders)},
          {"may_decide", hold.may_decide},
          {"two_persons", hold.two_persons},
          {"approved_by", Names(hold.approved_by)},
          {"decided_by", Clip(hold.decided_by)},
          {"decision_reason", Clip(hold.decision_reason)},
          {"opened_unix", hold.opened_unix},
          {"attempts", hold.attempts},
          {"approvals_wanted", hold.approvals_wanted},
          {"scope", Clip(hold.scope)},
          {"approval", Clip(hold.approval)}};
}

Json ToJson(const ApprovalView& approval) {
  return {{"approval", Clip(approval.approval)},
          {"scope", Clip(approval.scope)},
          {"session", Clip(approval.session)},
          {"session_uid", approval.session_uid},
          {"environment", Clip(approval.environment)},
          {"rule", Clip(approval.rule)},
          {"resource_type", Clip(approval.resource_type)},
          {"resource", Clip(approval.resource)},
          {"reason", Clip(approval.reason)},
          {"by", Names(approval.by)},
          {"since", approval.since},
          {"until", approval.until}};
}

Json ToJson(const LiftedView& lifted) {
  return {{"environment", Clip(lifted.environment)},
          {"by", Clip(lifted.by)},
          {"reason", Clip(lifted.reason)},
          {"since", lifted.since},
          {"ends", lifted.ends},
          {"acts", lifted.acts}};
}

Json ToJson(const DoctorRow& row) {
  return {{"check", Clip(row.check)},
          {"ok", row.ok},
          {"level", !row.ok       ? "bad"
                    : row.warning ? "warning"
                                  : "ok"},
          {"detail", Clip(row.detail)},
          {"advice", Clip(row.advice)}};
}

Json ToJson(const ModeRow& row) {
  Json json = {{"kind", Clip(row.kind)}, {"name", Clip(row.name)},   {"file", Clip(row.file)},
               {"live", Clip(row.live)}, {"by", Clip(row.by)},       {"since", row.since},
               {"mode", Clip(row.mode)}, {"standing", Clip(row.standing)}};
  if (row.kind == "environment") {
    json["protected"] = row.protected_environment;
  } else {
    json["title"] = Clip(row.title);
    json["effect"] = Clip(row.effect);
    json["recoverability"] = Clip(row.recoverability);
  }
  return json;
}

Json ToJson(const PresenceRow& row) {
  return {{"owner", Clip(row.owner)}, {"uid", row.uid}, {"methods", Clip(row.methods)}};
}

Json ToJson(const StatusView::Notices& notices) {
  return {{"state", Clip(notices.state)},
          {"restarts", notices.restarts},
          {"waiting", notices.waiting},
          {"told", notices.told},
          {"lost", notices.lost},
          {"terminals", notices.terminals},
          {"terminals_failed", notices.terminals_failed},
          {"terminals_spared", notices.terminals_spared},
          {"webhook_delivered", notices.webhook_delivered},
          {"webhook_failed", notices.webhook_failed},
          {"watching", notices.watching},
          {"problem", Clip(notices.problem)}};
}

Json ToJson(const StatusView::Latency& latency) {
  return {{"count", latency.count}, {"p50_us", latency.p50_us}, {"p99_us", latency.p99_us}};
}

// One object {"KEY":[...]} per body, as many rows in each as fit. Rows are bounded by Clip: where one is too large
// all the same (every byte of it escaped six times), a row that says so stands in its place.
template <typename Row>
std::vector<std::string> Pages(absl::string_view key, const std::vector<Row>& rows, absl::string_view before = "") {
  const std::string head = "{" + std::string(before) + "\"" + std::string(key) + "\":[";
  const size_t room = kControlBodyMax - head.size() - 2;
  std::vector<std::string> bodies;
  std::string page;
  for (const Row& row : rows) {
    std::string text = Dump(ToJson(row));
    if (text.size() > room) text = Dump({{"cut", "a row too large to send"}});
    if (!page.empty() && page.size() + 1 + text.size() > room) {
      bodies.push_back(head + page + "]}");
      page.clear();
    }
    if (!page.empty()) page += ',';
    page += text;
  }
  if (!page.empty() || bodies.empty()) bodies.push_back(head + page + "]}");
  return bodies;
}

Json ToJson(const StatusView::Spool& spool) {
  return {{"bytes", spool.bytes},
          {"last_sequence", spool.last_sequence},
          {"lost", spool.lost},
          {"losses_unknown", spool.losses_unknown},
          {"oldest", spool.oldest},
          {"in_reserve", spool.in_reserve},
          {"kafka", spool.kafka},
          {"undelivered", spool.undelivered},
          {"last_delivery", spool.last_delivery},
          {"last_delivered_record", spool.last_delivered_record},
          {"trouble", Clip(spool.trouble)}};
}

Json ToJson(const std::map<std::string, uint64_t>& counts) {
  Json json = Json::object();
  for (const auto& [name, count] : counts) {
    if (json.size() == kNamesMax) break;
    json[name.substr(0, 64)] = count;
  }
  return json;
}

// Cumulative, as histograms are exposed; "shorter" has pairs of a bound in nanoseconds and a count.
Json ToJson(const LatencyBuckets& buckets) {
  Json shorter = Json::array();
  for (size_t i = 0; i < LatencyBuckets::kCount; ++i) {
    shorter.push_back({LatencyBuckets::BoundNs(i), buckets.shorter[i]});
  }
  return {{"shorter", std::move(shorter)}, {"count", buckets.count}, {"sum_ns", buckets.sum_ns}};
}

}  // namespace

std::vector<std::string> MetricBodies(const RecordView& record) {
  Json losses = Json::array();
  for (const RecordView::Loss& loss : record.losses) {
    if (losses.size() == kNamesMax) break;
    losses.push_back(
        {{"stage", loss.stage.substr(0, 64)}, {"reason", loss.reason.substr(0, 128)}, {"count", loss.count}});
  }
  const Json json = {{"version", Clip(record.version)},
                     {"uptime_s", record.uptime_s},
                     {"sessions", record.sessions},
                     {"holds", record.holds},
                     {"tickets", record.tickets},
                     {"judge", {{"alive", record.judge_alive}, {"restarts", record.judge_restarts}}},
                     {"record",
                      {{"events", ToJson(record.events)},
                       {"verdicts", ToJson(record.verdicts)},
                       {"bytes", record.bytes},
                       {"evicted_delivered", record.evicted_delivered},
                       {"losses", std::move(losses)}}},
                     {"spool", ToJson(record.spool)},
                     {"delivery",
                      {{"delivered", record.delivered},
                       {"undeliverable", record.undeliverable},
                       {"restarts", record.stream_restarts},
                       {"delay", ToJson(record.delivery_delay)}}},
                     {"consults",
                      {{"to_verdict", ToJson(record.to_verdict)}, {"to_continue", ToJson(record.to_continue)}}}};
  return {Dump(json)};
}

std::vector<std::string> TestAlertBodies(const std::string& id, const std::string& run_id, uint64_t sequence,
                                         const std::string& state, bool kafka) {
  return {Dump({{"id", id}, {"run_id", run_id}, {"sequence", sequence}, {"state", Clip(state)}, {"kafka", kafka}})};
}

std::vector<std::string> StatusBodies(const StatusView& status) {
  Json rungs = Json::array();
  for (const RungView& rung : status.rungs) {
    if (rungs.size() == kNamesMax) break;
    rungs.push_back({{"capability", rung.capability.substr(0, 128)},
                     {"in_use", rung.in_use.substr(0, 256)},
                     {"missing", rung.missing.substr(0, 256)}});
  }
  Json kernel = Json::object();
  for (const auto& [name, value] : status.kernel) {
    if (kernel.size() == 2 * kNamesMax) break;
    kernel[name.substr(0, 64)] = value;
  }
  Json sinks = Json::array();
  for (const std::string& name : status.sinks.names) {
    if (sinks.size() == kNamesMax) break;
    sinks.push_back(name.substr(0, 64));
  }
  Json lifted = Json::array();
  for (const LiftedView& one : status.lifted) {
    if (lifted.size() == kNamesMax) break;
    lifted.push_back(ToJson(one));
  }
  const Json json = {
      {"daemon", Clip(status.daemon)},
      {"scope", Clip(status.scope)},
      {"instance", Clip(status.instance)},
      {"mode", Clip(status.mode)},
      {"state", Clip(status.state)},
      {"uptime_s", status.uptime_s},
      {"sessions", status.sessions},
      {"holds", status.holds},
      {"tickets", status.tickets},
      {"rungs", std::move(rungs)},
      {"judge",
       {{"alive", status.judge.alive},
        {"restarts", status.judge.restarts},
        {"policy_hash", Clip(status.judge.policy_hash)},
        {"rules", status.judge.rules}}},
      {"spool", ToJson(status.spool)},
      {"sinks", {{"names", std::move(sinks)}, {"alive", status.sinks.alive}, {"restarts", status.sinks.restarts}}},
      {"notices", ToJson(status.notices)},
      {"kernel", std::move(kernel)},
      {"lifted", std::move(lifted)},
      {"consults", {{"to_verdict", ToJson(status.to_verdict)}, {"to_continue", ToJson(status.to_continue)}}}};
  return {Dump(json)};
}

std::vector<std::string> SessionBodies(const std::vector<SessionView>& sessions) { return Pages("sessions", sessions); }
std::vector<std::string> HoldBodies(const std::vector<HoldView>& holds) { return Pages("holds", holds); }
std::vector<std::string> WatchBodies(const std::string& change, const std::vector<HoldView>& holds) {
  return Pages("holds", holds, "\"watch\":" + Dump(Clip(change)) + ",");
}
std::vector<std::string> ApprovalBodies(const std::vector<ApprovalView>& rows) { return Pages("approvals", rows); }
std::vector<std::string> DoctorBodies(const std::vector<DoctorRow>& rows) { return Pages("doctor", rows); }
std::vector<std::string> ModeBodies(const std::vector<ModeRow>& rows) { return Pages("modes", rows); }

std::vector<std::string> PresenceRowBodies(const std::vector<PresenceRow>& rows) { return Pages("presence", rows); }

std::vector<std::string> EnrolmentBodies(const std::string& uri) { return {Dump({{"uri", uri}})}; }

std::vector<std::string> ChallengeBodies(const std::string& line) { return {Dump({{"challenge", line}})}; }

std::vector<std::string> PresenceBodies(const std::vector<std::string>& owners) {
  return {Dump({{"presence", "wanted"}, {"owners", Names(owners)}})};
}

}  // namespace holdpoint
