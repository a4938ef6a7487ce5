#include "agent/gate/control_desk.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/control/decide.h"
#include "agent/control/views.h"
#include "agent/gate/hold_view.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

constexpr int kExitUnavailable = 69;

// Above the list of what waits: why so little does.
std::string LiftedLine(const Emergency& emergency) {
  std::vector<std::string> lines;
  const auto add = [&lines](const std::string& what, const Lifted& lifted) {
    lines.push_back(absl::StrCat(what, " until ", absl::FormatTime("%H:%M:%S UTC", lifted.ends, absl::UTCTimeZone()), ", by ",
                                 lifted.by, ": ", lifted.reason));
  };
  if (emergency.off() != nullptr) add("OFF, nothing is stopped,", *emergency.off());
  for (const auto& [environment, glass] : emergency.glass()) add("BREAK-GLASS in " + environment, glass);
  return absl::StrJoin(lines, "; ");
}

}  // namespace

ControlDesk::ControlDesk(Core core, SessionDesk& sessions, DecisionDesk& decisions, ApprovalsDesk& approvals, Hooks hooks)
    : core_(core), sessions_(sessions), decisions_(decisions), approvals_(approvals), hooks_(std::move(hooks)) {}

void ControlDesk::Handle(std::shared_ptr<ControlCall> call) {
  const Asker asker = AskerOf(core_, *call);
  std::vector<std::string> bodies;
  switch (call->request().command) {
    case ControlCommand::kStatus:
      hooks_.status(&bodies, asker.in_session);
      return call->Reply(0, "", std::move(bodies));
    case ControlCommand::kDoctor:
      hooks_.doctor(&bodies);
      return call->Reply(0, "", std::move(bodies));
    case ControlCommand::kMetrics:
      hooks_.metrics(&bodies);
      return call->Reply(0, "", std::move(bodies));
    case ControlCommand::kTestAlert:
      return hooks_.test_alert(call, asker.in_session);
    case ControlCommand::kSessions:
      return Sessions(call, asker);
    case ControlCommand::kHolds:
      return Holds(call, asker);
    case ControlCommand::kRun:
      return Run(call);
    case ControlCommand::kApprove:
      return decisions_.Decide(call, asker, true);
    case ControlCommand::kDeny:
      return decisions_.Decide(call, asker, false);
    case ControlCommand::kWait:
      return decisions_.Wait(call, asker);
    case ControlCommand::kKillSession:
      return KillSession(call, asker);
    case ControlCommand::kDetach:
      return Detach(call, asker);
    case ControlCommand::kModes:
    case ControlCommand::kModeSet:
    case ControlCommand::kModeUnset:
    case ControlCommand::kPromote:
      return hooks_.rollout(call, asker.in_session);
    case ControlCommand::kWatch:
      return hooks_.watch(call, asker.in_session);
    case ControlCommand::kChallenge:
      return decisions_.ShowChallenge(call, asker);
    case ControlCommand::kPresence:
    case ControlCommand::kEnrolCode:
    case ControlCommand::kConfirmCode:
    case ControlCommand::kRemoveCode:
      return hooks_.enrol(call, asker.in_session);
    case ControlCommand::kApprovals:
      return approvals_.List(call, asker);
    case ControlCommand::kApprovalRemove:
      return approvals_.Remove(call, asker);
    case ControlCommand::kBreakGlass:
    case ControlCommand::kBreakGlassEnd:
    case ControlCommand::kOff:
    case ControlCommand::kOn:
      return hooks_.emergency(call, asker.in_session);
    case ControlCommand::kReload:
    case ControlCommand::kClass: {
      if (absl::Status may = MayAdminister(asker.uid, asker.in_session); !may.ok()) {
        return call->Reply(ExitCode(may), may.message());
      }
      const absl::Status done = hooks_.reload();
      return call->Reply(ExitCode(done), done.message());
    }
  }
  call->Reply(2, "the daemon does not know this command: are both of one version?");
}

void ControlDesk::Sessions(const Call& call, const Asker& asker) {
  std::vector<SessionView> views;
  for (const Session* session : core_.sessions.All()) {
    if (session->state != SessionState::kConfirmed || !MaySee(asker, session->number, session->uid)) continue;
    SessionView view;
    view.id = session->id;
    view.number = session->number;
    view.coding_agent = session->coding_agent;
    view.environment = session->environment;
    const v1::Environment* environment = core_.policy.Find(session->environment);
    view.protected_environment = environment != nullptr && environment->protected_();
    view.root_tgid = session->root.tgid;
    view.processes = core_.sessions.LiveProcesses(session->number);
    view.started = absl::ToUnixSeconds(session->started);
    view.execs = session->counters.execs;
    view.asked = session->counters.asked;
    view.refused = session->counters.refused;
    view.workspace = session->workspace;
    view.owner = session->owner;
    view.user = session->user.empty() ? absl::StrCat(session->uid) : session->user;
    view.recognised_by = session->recognised_by;
    view.git_branch = session->git_branch;
    view.git_remote = session->git_remote;
    view.guards_off = session->guards_off;
    view.nested = session->nested;
    view.join_keys.assign(session->join_keys.begin(), session->join_keys.end());
    view.unattended = session->unattended;
    views.push_back(std::move(view));
  }
  call->Reply(0, "", SessionBodies(views));
}

void ControlDesk::Holds(const Call& call, const Asker& asker) {
  std::vector<HoldView> views;
  for (const Ticket* ticket : core_.tickets.All()) {
    if (!MaySee(core_, asker, *ticket)) continue;
    views.push_back(HoldViewOf(core_, *ticket, asker.uid));
  }
  call->Reply(0, asker.in_session ? "" : LiftedLine(core_.emergency), HoldBodies(views));
}

void ControlDesk::Run(const Call& call) {
  absl::StatusOr<ProcessId> process = IdentifyPid(call->peer().pid);
  if (!process.ok()) return call->Reply(kExitUnavailable, "the process that asked is gone");
  SessionDesk::Launch launch;
  launch.process = *process;
  launch.pidfd = call->peer().pidfd;
  launch.uid = call->peer().uid;
  launch.gid = call->peer().gid;
  launch.environment = call->request().text1;
  launch.owner = call->request().text2;
  launch.coding_agent = call->request().text3;
  sessions_.Run(std::move(launch), [call](absl::StatusOr<std::string> started) {
    if (started.ok()) return call->Reply(0, *started);
    call->Reply(ExitCode(started.status()), started.status().message());
  });
}

void ControlDesk::KillSession(const Call& call, const Asker& asker) {
  Session* session = core_.sessions.FindById(call->request().text1);
  if (session == nullptr) {
    return call->Reply(kExitUnavailable, absl::StrCat(EscapeAndClip(call->request().text1, 63),
                                                      ": no such session; `holdpoint sessions` lists them"));
  }
  const bool own = asker.uid == session->uid && !asker.in_session;
  if (absl::Status may = MayAdminister(asker.uid, asker.in_session); !may.ok() && !own) {
    return call->Reply(ExitCode(may), may.message());
  }
  const std::string id = session->id;
  sessions_.Kill(session->number, absl::StrCat("holdpoint kill by uid ", asker.uid), [call, id](absl::StatusOr<int> killed) {
    if (killed.ok()) return call->Reply(0, absl::StrCat(id, ": ", *killed, " processes ended"));
    call->Reply(ExitCode(killed.status()), killed.status().message());
  });
}

void ControlDesk::Detach(const Call& call, const Asker& asker) {
  if (absl::Status may = MayAdminister(asker.uid, asker.in_session); !may.ok()) {
    return call->Reply(ExitCode(may), may.message());
  }
  absl::StatusOr<ProcessId> process = IdentifyPid(static_cast<pid_t>(call->request().number));
  absl::StatusOr<UniqueFd> pidfd = process.ok() ? OpenPidfd(*process) : process.status();
  absl::StatusOr<hp_label> label = pidfd.ok() ? core_.kernel.Label(pidfd->get()) : pidfd.status();
  if (!label.ok() || label->session == 0) {
    return call->Reply(kExitUnavailable, absl::StrCat("process ", call->request().number, " carries no label"));
  }
  hp_label none = *label;
  none.session = 0;
  if (absl::Status set = core_.kernel.SetLabel(pidfd->get(), none); !set.ok()) {
    return call->Reply(ExitCode(set), set.message());
  }
  core_.sessions.ProcessExited(label->session, *process);
  v1::Decision decision;
  decision.set_decision("detach");
  decision.set_accepted(true);
  decision.set_peer_uid(asker.uid);
  decision.set_reason(absl::StrCat("label taken off process ", process->tgid));
  core_.ledger.Decision(core_.sessions.Find(label->session), std::move(decision));
  call->Reply(0, absl::StrCat("process ", process->tgid, " has no label any more; what it starts is not watched"));
}

}  // namespace holdpoint
