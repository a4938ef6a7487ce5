#include "agent/gate/session_desk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/gate/kept_session.h"
#include "agent/gate/session_facts.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kReconcile = absl::Minutes(1);
// So many acts of a coding agent's session are asked about whatever they are: its ids are read in those alone.
constexpr uint64_t kAskedWithIds = 4;   // once ids have shown: there may be several of one name
constexpr uint64_t kAskedForIds = 256;  // while none has
constexpr int64_t kReconcileShare = 20;  // so many times as long as it took, everything else has its turn

// Whether nothing is lost by what passes without being asked about. Only a coding agent that somebody knows has ids, and
// not each of those.
bool IsKnownEnough(const Session& session) {
  if (session.coding_agent == "run" || session.coding_agent == kUnknownAgent || session.without_ids) return true;
  const uint64_t asked = session.counters.asked - session.asked_before_named;
  return asked >= (session.join_keys.empty() ? kAskedForIds : kAskedWithIds);
}

}  // namespace

void SessionDesk::Program(const Session& session, uint32_t extra_flags) {
  if (session.triage) extra_flags |= HP_SESSION_TRIAGE;
  const hp_session entry{.environment = session.environment_number,
                         .flags = core_.policy.SessionFlags(session.environment) | extra_flags};
  if (absl::Status set = core_.kernel.SetSession(session.number, entry); !set.ok()) {
    LogError("the kernel can't be told of session ", session.id, ": ", set.message());
  }
}

void SessionDesk::Confirm(SessionNumber number, const v1::SessionVerdict& verdict, v1::Process process) {
  Session* session = core_.sessions.Find(number);
  if (session == nullptr) return;
  session->state = SessionState::kConfirmed;
  session->coding_agent = verdict.coding_agent();
  session->recognised_by = verdict.recognised_by();
  session->environment = verdict.environment().environment();
  session->environment_source = verdict.environment().source();
  session->environment_number = core_.policy.NumberOf(session->environment);
  session->workspace = verdict.workspace();
  session->home = verdict.home().empty() ? PasswdOf(session->uid).home : verdict.home();
  session->git_branch = verdict.git_branch();
  session->git_remote = verdict.git_remote();
  session->start_root = verdict.start().root();
  session->start_changes = verdict.start().changes();
  session->start_whole = verdict.start().whole();
  session->guards_off.assign(verdict.guards_off().begin(), verdict.guards_off().end());
  session->unattended = verdict.unattended();
  session->hold_ms = verdict.hold_ms();
  session->without_ids = verdict.without_ids();
  for (const auto& [key, value] : verdict.join_keys()) session->join_keys[key] = value;
  session->triage = IsKnownEnough(*session);
  Program(*session, 0);
  *process.mutable_argv() = verdict.argv();
  WriteStarted(*session, process, verdict);
  Guards();
  if (on_known) on_known(number);
  auto waiting = nested_.extract(number);
  if (waiting.empty()) return;
  for (const ExecEvent& event : waiting.mapped()) Enrich(event);
}

void SessionDesk::WriteStarted(const Session& session, const v1::Process& process, const v1::SessionVerdict& verdict) {
  v1::Envelope envelope;
  envelope.set_boot_ns(session.started_boot.ns);
  envelope.set_rung("session: label in task storage");
  v1::SessionStarted& started = *envelope.mutable_session_started();
  *started.mutable_root() = process;
  started.set_coding_agent(session.coding_agent);
  started.set_recognised_by(session.recognised_by);
  started.set_owner(session.owner);
  started.set_workspace(session.workspace);
  started.set_git_branch(session.git_branch);
  *started.mutable_environment() = verdict.environment();
  started.set_unattended(session.unattended);
  started.set_user(session.user);
  started.set_found_at_start(session.found_at_start);
  for (const std::string& flag : session.guards_off) started.add_guards_off(flag);
  started.set_git_remote(session.git_remote);
  started.set_started_unix_ns(absl::ToUnixNanos(session.started));
  for (const auto& [key, value] : session.join_keys) (*started.mutable_join_keys())[key] = value;
  if (absl::Status kept = KeepSession(core_.options.run, session, started); !kept.ok()) {
    LogWarning("session ", session.id, " could not be kept for a restart: ", kept.message());
  }
  core_.ledger.Write(&session, std::move(envelope));
}

Session* SessionDesk::Adopt(SessionNumber number) {
  if (Session* known = core_.sessions.Find(number); known != nullptr) return known;
  Session session;
  session.number = number;
  session.state = SessionState::kConfirmed;
  session.coding_agent = kUnknownAgent;
  session.recognised_by = "label found, its beginning was not seen";
  session.started = StartTime(core_.clock);
  session.started_boot = core_.clock.Boot();
  session.triage = IsKnownEnough(session);
  absl::StatusOr<Session*> added = core_.sessions.Add(std::move(session));
  if (!added.ok()) return nullptr;
  Program(**added, 0);
  WriteStarted(**added, v1::Process(), v1::SessionVerdict());
  Guards();
  return *added;
}

std::set<SessionNumber> SessionDesk::Live(SessionNumber except) const {
  std::set<SessionNumber> live;
  for (const Session* session : core_.sessions.All()) {
    const bool counts = session->state == SessionState::kCandidate || session->state == SessionState::kConfirmed;
    if (counts && session->number != except) live.insert(session->number);
  }
  return live;
}

void SessionDesk::OnExit(const ExitEvent& event) { core_.sessions.ProcessExited(event.head.session, event.head.process); }

void SessionDesk::Tick() {
  EndDescribed();
  for (Rollup& rollup : core_.rollups.Flush(core_.clock.Wall())) {
    core_.ledger.Rolled(core_.sessions.Find(rollup.session), {rollup});
  }
  // Lost events leave things behind: once a minute the kernel says how it is, whatever the table thinks.
  const BootTime now = core_.clock.Boot();
  const bool due = !core_.sessions.empty() && now - reconciled_ >= kReconcile;
  if (now < reconcile_not_before_ || (!due && core_.sessions.MaybeEnded().empty())) return;
  reconciled_ = now;
  absl::StatusOr<std::vector<Kernel::LabelledTask>> tasks = core_.kernel.LabelledTasks();
  if (!tasks.ok()) {
    LogWarning("labelled tasks can't be listed: ", tasks.status().message());
    return;
  }
  std::vector<std::pair<SessionNumber, ProcessId>> alive;
  for (const Kernel::LabelledTask& task : *tasks) alive.emplace_back(task.label.session, task.id);
  for (const SessionNumber number : core_.sessions.Reconcile(alive)) ending_.insert(number);
  EndDescribed();
  const BootTime after = core_.clock.Boot();
  reconcile_not_before_ = after + std::min(kReconcileShare * (after - now), kReconcile);
}

void SessionDesk::EndDescribed() {
  for (auto it = ending_.begin(); it != ending_.end();) {
    const SessionNumber number = *it;
    if (is_described && is_described(number)) {
      ++it;
      continue;
    }
    it = ending_.erase(it);
    End(number, "");
  }
}

void SessionDesk::End(SessionNumber number, const std::string& reason) {
  Session* session = core_.sessions.Find(number);
  if (session == nullptr) return;
  for (const Rollup& rollup : core_.rollups.FlushSession(number)) core_.ledger.Rolled(session, {rollup});
  if (session->coding_agent.empty()) {
    // A candidate that was none: no session was ever recorded.
  } else {
    v1::Envelope envelope;
    v1::SessionEnded& ended = *envelope.mutable_session_ended();
    ended.set_reason(!reason.empty() ? reason : session->kill_requested ? "killed" : "exited");
    ended.set_execs(session->counters.execs);
    ended.set_connects(session->counters.connects);
    ended.set_refused(session->counters.refused);
    ended.set_started_unix_ns(absl::ToUnixNanos(session->started));
    ended.set_coding_agent(session->coding_agent);
    core_.ledger.Write(session, std::move(envelope));
  }
  if (absl::Status erased = core_.kernel.EraseSession(number); !erased.ok() && !absl::IsNotFound(erased)) {
    LogWarning("session ", session->id, " stays in the kernel's table: ", erased.message());
  }
  ForgetSession(core_.options.run, number);
  nested_.erase(number);
  core_.intent.Forget(number);
  core_.sessions.Erase(number);
  Guards();
}

void SessionDesk::Guards() {
  bool wanted = false;
  for (const Session* session : core_.sessions.All()) wanted |= session->state != SessionState::kDissolved;
  if (wanted == guards_on_) return;
  if (absl::Status set = core_.kernel.SetGuards(wanted); !set.ok()) {
    LogError("the hold guards: ", set.message());
    return;
  }
  guards_on_ = wanted;
}

void SessionDesk::Kill(SessionNumber number, const std::string& why, std::function<void(absl::StatusOr<int>)> done) {
  Session* session = core_.sessions.Find(number);
  if (session == nullptr) {
    if (done) done(absl::NotFoundError("no such session"));
    return;
  }
  if (!session->kill_requested) {
    session->kill_requested = true;
    v1::Decision decision;
    decision.set_decision("kill");
    decision.set_reason(why);
    decision.set_accepted(true);
    core_.ledger.Decision(session, std::move(decision));
  }
  Program(*session, HP_SESSION_KILL);
  killer_.Kill(number, std::move(done));
}

void SessionDesk::LetTriage(Session& session) {
  if (session.triage || session.state != SessionState::kConfirmed || !IsKnownEnough(session)) return;
  session.triage = true;
  Program(session, session.kill_requested ? HP_SESSION_KILL : 0);
}

void SessionDesk::Reprogram() {
  for (const Session* listed : core_.sessions.All()) {
    Session* session = core_.sessions.Find(listed->number);
    if (session->state != SessionState::kConfirmed) continue;
    session->environment_number = core_.policy.NumberOf(session->environment);
    Program(*session, session->kill_requested ? HP_SESSION_KILL : 0);
  }
}

}  // namespace holdpoint
