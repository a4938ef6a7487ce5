// The sessions of a daemon before this one.
#include "agent/gate/session_desk.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <set>
#include <utility>

#include "agent/base/status.h"
#include "agent/gate/kept_session.h"
#include "agent/gate/session_facts.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

// Until the rings have been read, and the judge has described what was in them.
constexpr absl::Duration kReadFirst = absl::Seconds(2);

}  // namespace

// A session whose last process ended without a gate: what it did is in the rings still, and is recorded under its name.
bool SessionDesk::EndedBefore(SessionNumber number) {
  const absl::StatusOr<KeptFile> kept = ReadKeptSession(core_.options.run, number);
  if (!kept.ok()) return false;
  Session session = SessionOf(number, *kept);
  session.root = ProcessId();  // It is not alive.
  if (!core_.sessions.Add(std::move(session)).ok()) return false;
  reconcile_not_before_ = core_.clock.Boot() + kReadFirst;
  return true;
}

// As the daemon before kept it.
Session SessionDesk::SessionOf(SessionNumber number, const KeptFile& kept) const {
  const v1::SessionStarted& started = kept.started;
  Session session;
  session.number = number;
  session.state = SessionState::kConfirmed;
  session.root = ProcessId{static_cast<pid_t>(started.root().tgid()), started.root().start_boot_ns()};
  session.uid = started.root().uid();
  session.coding_agent = started.coding_agent();
  session.recognised_by = started.recognised_by();
  session.owner = started.owner();
  session.workspace = started.workspace();
  session.git_branch = started.git_branch();
  session.git_remote = started.git_remote();
  session.guards_off.assign(started.guards_off().begin(), started.guards_off().end());
  session.environment = started.environment().environment();
  session.environment_source = started.environment().source();
  session.environment_number = core_.policy.NumberOf(session.environment);
  session.unattended = started.unattended();
  session.user = started.user();
  session.found_at_start = true;
  session.started = started.started_unix_ns() == 0 ? core_.clock.Wall() : absl::FromUnixNanos(started.started_unix_ns());
  session.started_boot = core_.clock.Boot();
  Restore(kept.rest, &session);
  for (const auto& [key, value] : started.join_keys()) session.join_keys[key] = value;
  return session;
}

absl::Status SessionDesk::TakeOver() {
  HP_ASSIGN_OR_RETURN(std::vector<Kernel::LabelledTask> tasks, core_.kernel.LabelledTasks());
  using Known = std::map<SessionNumber, hp_session>;
  HP_ASSIGN_OR_RETURN(Known known, core_.kernel.Sessions());
  std::set<SessionNumber> alive;
  for (const Kernel::LabelledTask& task : tasks) {
    if (task.label.session != 0) alive.insert(task.label.session);
  }
  for (const auto& [number, entry] : known) {
    const bool dissolved = (entry.flags & HP_SESSION_DISSOLVED) != 0;
    if (!alive.contains(number) && !dissolved && EndedBefore(number)) continue;
    if (!alive.contains(number) || dissolved) {
      HP_RETURN_IF_ERROR(core_.kernel.EraseSession(number));
      ForgetSession(core_.options.run, number);
      alive.erase(number);
    }
  }
  for (const SessionNumber number : alive) {
    absl::StatusOr<KeptFile> kept = ReadKeptSession(core_.options.run, number);
    if (!kept.ok()) {
      Adopt(number);
      continue;
    }
    const v1::SessionStarted& started = kept->started;
    HP_ASSIGN_OR_RETURN(Session * added, core_.sessions.Add(SessionOf(number, *kept)));
    Program(*added, 0);
    LetTriage(*added);
    v1::SessionVerdict verdict;
    *verdict.mutable_environment() = started.environment();
    WriteStarted(*added, started.root(), verdict);
  }
  for (const Kernel::LabelledTask& task : tasks) {
    core_.sessions.ProcessSeen(task.label.session, task.id);
    if (task.label.state != HP_TASK_HELD && task.label.state != HP_TASK_OWNED) continue;
    // Stopped by the daemon that is gone, in the moment before it was traced: nobody remembers why. It ends.
    absl::StatusOr<UniqueFd> pidfd = OpenPidfd(task.id);
    if (!pidfd.ok()) continue;
    syscall(SYS_pidfd_send_signal, pidfd->get(), SIGKILL, nullptr, 0);
    v1::Outcome outcome;
    outcome.set_exec_id(task.label.exec_id);
    outcome.set_what("killed");
    outcome.set_detail("it was held when the gate ended");
    outcome.mutable_process()->set_tgid(static_cast<uint32_t>(task.id.tgid));
    core_.ledger.Outcome(core_.sessions.Find(task.label.session), std::move(outcome), "takeover");
  }
  Guards();
  return absl::OkStatus();
}

}  // namespace holdpoint
