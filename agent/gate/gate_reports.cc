// What the gate says of itself: to `holdpoint status`, `metrics` and `doctor`.
#include <unistd.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "agent/base/version.h"
#include "agent/control/views.h"
#include "agent/gate/gate.h"
#include "agent/gate/stat_names.h"

namespace holdpoint {
namespace {

// What this run lost is bad. What one before it left to be declared, and what ran while there was no gate, is to be known.
DoctorRow RecordRow(const RecordCounts& counts) {
  const uint64_t unjudged = counts.unjudged();
  const uint64_t lost = counts.lost() - unjudged - counts.lost_before;
  DoctorRow row{.check = "record", .ok = lost == 0, .detail = absl::StrCat(counts.recorded, " events, ", lost, " lost")};
  if (counts.lost_before > 0) {
    absl::StrAppend(&row.detail, "; an earlier run was killed: ", counts.lost_before,
                    " acts that it knew of are not in the record");
  }
  if (counts.losses_unknown > 0) absl::StrAppend(&row.detail, "; an earlier run lost a number that nobody knows");
  if (unjudged > 0) absl::StrAppend(&row.detail, "; ", unjudged, " acts were judged by nobody");
  row.warning = counts.lost_before > 0 || counts.losses_unknown > 0 || unjudged > 0;
  if (row.warning || !row.ok) row.advice = "each loss is in the record, with its reason: holdpoint events --kind loss";
  return row;
}

}  // namespace

void Gate::StatusReport(std::vector<std::string>* bodies, bool peer_in_session) {
  StatusView view;
  view.daemon = std::string(Version());
  view.scope = options_.scope.empty() ? "host" : options_.scope;
  view.instance = options_.instance;
  int enforcing = 0;
  for (const v1::Environment& environment : policy_.configured().environments()) {
    enforcing += policy_.Enforces(environment.name()) && !emergency_.IsOff(clock_.Boot()) ? 1 : 0;
  }
  const int environments = policy_.configured().environments_size();
  view.mode = options_.observe || enforcing == 0 ? "observe" : enforcing == environments ? "enforce" : "mixed";
  view.state = options_.state;
  view.uptime_s = absl::ToInt64Seconds(clock_.Boot() - started_);
  for (const Session* session : sessions_->All()) view.sessions += session->state == SessionState::kConfirmed ? 1 : 0;
  view.holds = tickets_.Held();
  view.tickets = tickets_.Pending();
  for (const Rung& rung : kernel_->Rungs()) view.rungs.push_back({rung.capability, rung.in_use, rung.missing});
  view.rungs.push_back({"credential files", credential_desk_->Described(), credential_desk_->missing()});
  view.judge.alive = judge_->alive();
  view.judge.restarts = judge_->restarts();
  view.judge.policy_hash = policy_.configured().policy_hash();
  view.judge.rules = policy_.configured().rules();
  view.notices = NoticesReport();
  view.spool = record_desk_->Report();
  view.sinks = SinksReport();
  if (absl::StatusOr<std::vector<uint64_t>> stats = kernel_->Stats(); stats.ok()) {
    for (size_t i = 0; i < stats->size() && i < HP_STAT_COUNT; ++i) view.kernel.emplace_back(kStatNames[i], (*stats)[i]);
  }
  const auto latency = [](const Latency& from) {
    const auto us = [&from](double q) { return static_cast<uint64_t>(absl::ToInt64Microseconds(from.Quantile(q))); };
    return StatusView::Latency{.count = from.count(), .p50_us = us(0.5), .p99_us = us(0.99)};
  };
  view.to_verdict = latency(consult_desk_->to_verdict());
  view.to_continue = latency(consult_desk_->to_continue());
  const auto lifted = [&view](const std::string& environment, const Lifted& from) {
    view.lifted.push_back({.environment = environment,
                           .by = from.by,
                           .reason = from.reason,
                           .since = absl::ToUnixSeconds(from.since),
                           .ends = absl::ToUnixSeconds(from.ends),
                           .acts = from.acts});
  };
  if (!peer_in_session) {  // What would pass is nothing to tell a coding agent.
    if (emergency_.off() != nullptr) lifted("", *emergency_.off());
    for (const auto& [environment, glass] : emergency_.glass()) lifted(environment, glass);
  }
  *bodies = StatusBodies(view);
}

void Gate::MetricsReport(std::vector<std::string>* bodies) {
  RecordView view = record_desk_->Metrics();
  view.version = std::string(Version());
  view.uptime_s = absl::ToInt64Seconds(clock_.Boot() - started_);
  for (const Session* session : sessions_->All()) view.sessions += session->state == SessionState::kConfirmed ? 1 : 0;
  view.holds = tickets_.Held();
  view.tickets = tickets_.Pending();
  view.judge_alive = judge_->alive();
  view.judge_restarts = judge_->restarts();
  view.to_verdict = LatencyBuckets::Of(consult_desk_->to_verdict());
  view.to_continue = LatencyBuckets::Of(consult_desk_->to_continue());
  *bodies = MetricBodies(view);
}

StatusView::Sinks Gate::SinksReport() const {
  StatusView::Sinks view{.alive = sinks_->alive(), .restarts = sinks_->restarts()};
  for (const v1::Sink& sink : policy_.configured().sinks()) view.names.push_back(sink.name());
  return view;
}

StatusView::Notices Gate::NoticesReport() const {
  const NotifierLink::Totals& totals = notifier_->totals();
  StatusView::Notices view;
  view.state = !notifier_->wanted() ? "off" : notifier_->alive() ? "alive" : "restarting";
  view.restarts = totals.restarts;
  view.waiting = notifier_->waiting();
  view.told = totals.told;
  view.terminals = totals.terminals;
  view.terminals_failed = totals.terminals_failed;
  view.terminals_spared = totals.terminals_spared;
  view.webhook_delivered = totals.delivered;
  view.webhook_failed = totals.given_up + totals.dropped;
  view.lost = totals.lost;
  view.problem = totals.problem;
  view.watching = notice_desk_->watching();
  return view;
}

void Gate::DoctorReport(std::vector<std::string>* bodies) {
  std::vector<DoctorRow> rows;
  rows.push_back({"gate", true, absl::StrCat("instance ", options_.instance, ", pid ", getpid()), ""});
  for (const Rung& rung : kernel_->Rungs()) {
    rows.push_back({rung.capability, rung.in_use != "none", rung.in_use, rung.missing, !rung.missing.empty()});
  }
  rows.push_back({"credential files", credential_desk_->missing().empty(), credential_desk_->Described(),
                  credential_desk_->missing()});
  rows.push_back({"judge", judge_->alive(), judge_->alive() ? "answers" : "not answering: the fail mode decides",
                  judge_->alive() ? "" : "see the daemon's log"});
  const bool warden = warden_ != nullptr && warden_->alive();
  rows.push_back({"warden", warden, warden ? absl::StrCat("stands by, pid ", warden_->pid()) : "none",
                  warden ? "" : "what is stopped when the gate is killed stays stopped; see the daemon's log"});
  for (const v1::Environment& environment : policy_.configured().environments()) {
    const std::vector<EligibleOwner> owners = owners_->Of(environment.approval());
    const bool ok = !owners.empty() || !environment.protected_();
    rows.push_back({absl::StrCat("owners of ", environment.name()), ok, absl::StrCat(owners.size(), " users may approve"),
                    ok ? "" : "name users or groups that exist: until then every hold is a refusal"});
  }
  for (const EligibleOwner& owner : owners_->All()) {
    rows.push_back({absl::StrCat("presence of ", owner.user), true, absl::StrCat("can prove to be there by ", owner.methods), ""});
  }
  std::set<std::string> named;
  for (const v1::Environment& environment : policy_.configured().environments()) {
    named.insert(environment.approval().begin(), environment.approval().end());
  }
  for (const std::string& name : named) {
    if (owners_->Knows(name)) continue;
    rows.push_back({absl::StrCat("presence of ", name), true,
                    "cannot decide: not there, or expired, or with no password, no codes and no key",
                    "give that user a password, or write its public key into presence.d; then holdpoint reload", true});
  }
  const StatusView::Notices notices = NoticesReport();
  const bool told = notices.state != "restarting" && notices.problem.empty();
  rows.push_back({"notices", told,
                  !notices.problem.empty() ? notices.problem
                                           : absl::StrCat(notices.state, ", ", notices.told, " told, ", notices.lost, " lost"),
                  told ? "" : "owners hear later, or not at all: see the key notify of the configuration"});
  if (const StatusView::Sinks sinks = SinksReport(); !sinks.names.empty()) {
    rows.push_back({"sinks", sinks.alive,
                    absl::StrCat(sinks.names.size(), " configured, started again ", sinks.restarts, " times"),
                    sinks.alive ? "" : "holdpoint-sinks does not run: its messages say why; the spool keeps every event"});
  }
  rows.push_back(RecordRow(record_desk_->Counts()));
  *bodies = DoctorBodies(rows);
}

}  // namespace holdpoint
