#include "agent/gate/control_desk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/control/views.h"
#include "agent/gate/asked.h"
#include "agent/gate/hold_view.h"
#include "agent/gate/notice_desk.h"
#include "agent/gate/lineage.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

constexpr int kMaxWaitSeconds = 3600;
constexpr int kExitUndecided = 75;
constexpr int kExitNotPermitted = 77;
constexpr int kExitUnavailable = 69;

// How a ticket's state answers `holdpoint wait`.
std::pair<int, std::string> WaitAnswer(const Ticket& ticket) {
  if (ticket.state == Ticket::State::kUsed && ticket.scope != "once") {
    return {0, absl::StrCat(ticket.id, " is approved by ", ticket.decided_by,
                            ticket.scope == "session" ? " for this session" : " until a date",
                            ": what does the same to the same target passes")};
  }
  switch (ticket.state) {
    case Ticket::State::kApproved:
      return {0, absl::StrCat(ticket.id, " is approved by ", ticket.decided_by, ": the identical command passes one time")};
    case Ticket::State::kUsed:
      return {0, absl::StrCat(ticket.id, " was approved by ", ticket.decided_by, " and has been used")};
    case Ticket::State::kDenied:
      return {kExitNotPermitted, absl::StrCat(ticket.id, " is denied by ", ticket.decided_by)};
    case Ticket::State::kExpired:
      return {kExitUnavailable, absl::StrCat(ticket.id, " ran out without a decision")};
    default:
      return {kExitUndecided, absl::StrCat(ticket.id, " is not decided yet")};
  }
}

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

ControlDesk::ControlDesk(Core core, SessionDesk& sessions, HoldDesk& holds, PresenceDesk& presence, Hooks hooks)
    : core_(core), sessions_(sessions), holds_(holds), presence_(presence), hooks_(std::move(hooks)) {}

ControlDesk::Peer ControlDesk::PeerOf(const ControlCall& call) {
  Peer peer{.uid = call.peer().uid};
  absl::StatusOr<hp_label> label = core_.kernel.Label(call.peer().pidfd->get());
  if (!label.ok() || label->session == 0) return peer;
  const Session* session = core_.sessions.Find(label->session);
  peer.session = label->session;
  peer.in_session = session == nullptr || session->state != SessionState::kDissolved;
  return peer;
}

bool ControlDesk::MaySee(const Peer& peer, SessionNumber session, uint32_t session_uid) const {
  if (peer.in_session) return peer.session == session;
  return peer.uid == 0 || peer.uid == session_uid;
}

bool ControlDesk::MaySee(const Peer& peer, const Ticket& ticket) const {
  if (peer.in_session) return peer.session == ticket.session;
  return NoticeDesk::MaySee(core_, peer.uid, ticket);
}

void ControlDesk::Handle(std::shared_ptr<ControlCall> call) {
  const Peer peer = PeerOf(*call);
  std::vector<std::string> bodies;
  switch (call->request().command) {
    case ControlCommand::kStatus:
      hooks_.status(&bodies, peer.in_session);
      return call->Reply(0, "", std::move(bodies));
    case ControlCommand::kDoctor:
      hooks_.doctor(&bodies);
      return call->Reply(0, "", std::move(bodies));
    case ControlCommand::kSessions:
      return Sessions(call, peer);
    case ControlCommand::kHolds:
      return Holds(call, peer);
    case ControlCommand::kRun:
      return Run(call);
    case ControlCommand::kApprove:
      return Decide(call, peer, true);
    case ControlCommand::kDeny:
      return Decide(call, peer, false);
    case ControlCommand::kWait:
      return Wait(call, peer);
    case ControlCommand::kKillSession:
      return KillSession(call, peer);
    case ControlCommand::kDetach:
      return Detach(call, peer);
    case ControlCommand::kModes:
    case ControlCommand::kModeSet:
    case ControlCommand::kModeUnset:
    case ControlCommand::kPromote:
      return hooks_.rollout(call, peer.in_session);
    case ControlCommand::kWatch:
      return hooks_.watch(call, peer.in_session);
    case ControlCommand::kChallenge:
      return ShowChallenge(call, peer);
    case ControlCommand::kPresence:
    case ControlCommand::kEnrolCode:
    case ControlCommand::kConfirmCode:
    case ControlCommand::kRemoveCode:
      return hooks_.enrol(call, peer.in_session);
    case ControlCommand::kApprovals:
      return Approvals(call, peer);
    case ControlCommand::kApprovalRemove:
      return RemoveApproval(call, peer);
    case ControlCommand::kBreakGlass:
    case ControlCommand::kBreakGlassEnd:
    case ControlCommand::kOff:
    case ControlCommand::kOn:
      return hooks_.emergency(call, peer.in_session);
    case ControlCommand::kReload:
    case ControlCommand::kClass: {
      if (absl::Status may = MayAdminister(peer.uid, peer.in_session); !may.ok()) {
        return call->Reply(ExitCode(may), may.message());
      }
      const absl::Status done = hooks_.reload();
      return call->Reply(ExitCode(done), done.message());
    }
  }
  call->Reply(2, "the daemon does not know this command: are both of one version?");
}

void ControlDesk::Sessions(const Call& call, const Peer& peer) {
  std::vector<SessionView> views;
  for (const Session* session : core_.sessions.All()) {
    if (session->state != SessionState::kConfirmed || !MaySee(peer, session->number, session->uid)) continue;
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

void ControlDesk::Holds(const Call& call, const Peer& peer) {
  std::vector<HoldView> views;
  for (const Ticket* ticket : core_.tickets.All()) {
    if (!MaySee(peer, *ticket)) continue;
    views.push_back(HoldViewOf(core_, *ticket, peer.uid));
  }
  call->Reply(0, peer.in_session ? "" : LiftedLine(core_.emergency), HoldBodies(views));
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

void ControlDesk::Approvals(const Call& call, const Peer& peer) {
  std::vector<ApprovalView> views;
  for (const Approval* approval : core_.approvals.All()) {
    if (peer.in_session || !MaySee(peer, approval->session, approval->session_uid)) continue;
    ApprovalView view;
    view.approval = approval->id;
    view.scope = ApprovalScopeName(approval->scope);
    if (approval->scope == Approval::Scope::kSession) view.session = approval->session_id;
    view.session_uid = approval->session_uid;
    view.environment = approval->environment;
    view.rule = approval->rule;
    view.resource_type = approval->resource_type;
    view.resource = approval->resource_id;
    view.reason = approval->reason;
    view.by = approval->by;
    view.since = absl::ToUnixSeconds(approval->since);
    if (approval->scope == Approval::Scope::kUntil) view.until = absl::ToUnixSeconds(approval->until);
    views.push_back(std::move(view));
  }
  call->Reply(0, "", ApprovalBodies(views));
}

void ControlDesk::RemoveApproval(const Call& call, const Peer& peer) {
  const std::string id = EscapeAndClip(call->request().ticket, 16);
  v1::Decision decision;
  decision.set_decision("remove");
  decision.set_by(EscapeAndClip(call->request().text1, 63));
  decision.set_reason(EscapeAndClip(call->request().text2, 255));
  decision.set_approval(id);
  decision.set_peer_uid(peer.uid);
  decision.set_login_uid(LoginUid(call->peer().pid));
  const Approval* found = core_.approvals.FindById(call->request().ticket);
  absl::Status may = MayAdminister(peer.uid, peer.in_session);
  if (may.ok() && found == nullptr) {
    may = absl::NotFoundError(absl::StrCat(id, ": no such approval; `holdpoint approvals` lists them"));
  }
  if (may.ok()) {
    const Approval removed = *found;
    decision.set_scope(ApprovalScopeName(removed.scope));
    decision.set_environment(removed.environment);
    decision.set_rule(removed.rule);
    decision.mutable_resource()->set_type(removed.resource_type);
    decision.mutable_resource()->set_id(removed.resource_id);
    core_.approvals.Remove(removed.id);  // At once, whatever becomes of the file.
    if (removed.scope == Approval::Scope::kUntil) may = core_.approvals.Write(ApprovalsPath(core_.options.state));
    if (!may.ok()) may = absl::UnavailableError(absl::StrCat("it counts no more, but comes back with the next start: ", may.message()));
  }
  decision.set_accepted(may.ok());
  if (!may.ok()) decision.set_refused_because(std::string(may.message()));
  core_.ledger.Decision(nullptr, std::move(decision));
  core_.ledger.Sync();
  call->Reply(ExitCode(may), may.ok() ? absl::StrCat(id, " is removed: the next attempt is asked about") : std::string(may.message()));
}

DecisionAttempt ControlDesk::AttemptOn(const Ticket& ticket, const ControlCall& call, bool approve) const {
  const v1::Environment* environment = core_.policy.Find(ticket.environment);
  DecisionAttempt attempt;
  attempt.peer_uid = call.peer().uid;
  attempt.as_user = call.request().text1;
  attempt.session_uid = ticket.session_uid;
  attempt.by_signature = (call.request().flags & kControlSignature) != 0;
  if (environment != nullptr) attempt.eligible = core_.owners.Of(environment->approval());
  attempt.two_persons = ActivePolicy::NeedsTwo(ticket.judgement, environment);
  if (!approve || !attempt.two_persons) return attempt;  // Who approved may think better of it.
  for (const EligibleOwner& owner : ticket.approved_by) attempt.approved_by.push_back(owner.uid);
  return attempt;
}

void ControlDesk::Decide(const Call& call, const Peer& peer, bool approve) {
  const ControlRequest& request = call->request();
  const std::string ticket_id = request.ticket;
  Ticket* ticket = core_.tickets.FindById(ticket_id);
  if (ticket == nullptr) {
    return call->Reply(kExitUnavailable, absl::StrCat(EscapeAndClip(ticket_id, 16),
                                                      ": no such ticket; `holdpoint holds` lists what waits"));
  }
  DecisionAttempt attempt = AttemptOn(*ticket, *call, approve);
  attempt.peer_in_session = peer.in_session;
  absl::Status may = MayDecide(attempt);
  if (may.ok() && approve) {
    const absl::StatusOr<Grant> grant = GrantAsked(request, core_.clock.Wall());
    may = grant.ok() ? holds_.MayApprove(*ticket, *grant) : grant.status();
    const v1::Environment* environment = core_.policy.Find(ticket->environment);
    if (may.ok() && environment->protected_() && grant->reason.empty()) {
      may = absl::InvalidArgumentError(absl::StrCat(environment->name(), " is protected: say why, with --reason"));
    }
  } else if (may.ok()) {
    may = holds_.MayDeny(*ticket);
  }
  if (!may.ok()) {
    RecordDecision(ticket, ticket_id, *call, approve, nullptr, nullptr, std::string(may.message()));
    return call->Reply(ExitCode(may), may.message());
  }
  const auto owner = std::find_if(attempt.eligible.begin(), attempt.eligible.end(),
                                  [&](const EligibleOwner& one) { return one.user == attempt.as_user; });
  presence_.Prove(call, *owner, QuestionAsked(*ticket, request, approve), [this, call, ticket_id, approve, proved = *owner](absl::StatusOr<PresenceProof> proof) {
    if (proof.ok()) return Proved(call, ticket_id, proved, *proof, approve);
    RecordDecision(core_.tickets.FindById(ticket_id), ticket_id, *call, approve, &proved, nullptr,
                   std::string(proof.status().message()));
    call->Reply(ExitCode(proof.status()), proof.status().message());
  });
}

// A session sees what its own acts wait for: to sign it takes a key that no session has.
void ControlDesk::ShowChallenge(const Call& call, const Peer& peer) {
  const ControlRequest& request = call->request();
  const Ticket* ticket = core_.tickets.FindById(request.ticket);
  const absl::StatusOr<EligibleOwner> owner = core_.owners.Find(request.text1);
  const bool own = owner.ok() && owner->uid == peer.uid && !peer.in_session;
  if (ticket == nullptr || (!own && !MaySee(peer, ticket->session, ticket->session_uid))) {
    return call->Reply(kExitUnavailable, absl::StrCat(EscapeAndClip(request.ticket, 16), ": no such ticket"));
  }
  if (!owner.ok()) return call->Reply(ExitCode(owner.status()), owner.status().message());
  const bool approve = (request.flags & kControlDeny) == 0;
  // Nobody signs what would then be refused.
  const absl::StatusOr<Grant> scope = approve ? ScopeAsked(request, core_.clock.Wall()) : absl::StatusOr<Grant>(Grant());
  absl::Status may = scope.status();
  if (may.ok()) may = approve ? holds_.MayApprove(*ticket, *scope) : holds_.MayDeny(*ticket);
  if (!may.ok()) return call->Reply(ExitCode(may), may.message());
  call->Reply(0, "", ChallengeBodies(presence_.LineOf(QuestionAsked(*ticket, request, approve))));
}

void ControlDesk::Proved(const Call& call, const std::string& ticket_id, const EligibleOwner& owner,
                         const PresenceProof& proof, bool approve) {
  Ticket* ticket = core_.tickets.FindById(ticket_id);
  if (ticket == nullptr) return call->Reply(kExitUnavailable, absl::StrCat(ticket_id, " is gone"));
  // Meanwhile somebody else may have decided, or the same person twice.
  Grant grant{.reason = EscapeAndClip(call->request().text2, 255)};
  absl::Status may = MayDecide(AttemptOn(*ticket, *call, approve));
  if (may.ok() && approve) {
    absl::StatusOr<Grant> asked = GrantAsked(call->request(), core_.clock.Wall());
    may = asked.ok() ? holds_.MayApprove(*ticket, *asked) : asked.status();
    if (asked.ok()) grant = *std::move(asked);
  } else if (may.ok()) {
    may = holds_.MayDeny(*ticket);
  }
  if (!may.ok()) {
    RecordDecision(ticket, ticket_id, *call, approve, &owner, nullptr, std::string(may.message()));
    return call->Reply(ExitCode(may), may.message());
  }
  grant.owner = owner;
  if (approve) {
    KeepEligible(*ticket);
    ticket->approved_by.push_back(owner);
    ticket->scope = grant.scope;
    ticket->until = std::min(ticket->until, grant.until);
    const bool two = ActivePolicy::NeedsTwo(ticket->judgement, core_.policy.Find(ticket->environment));
    if (two && ticket->approved_by.size() < 2) {
      RecordDecision(ticket, ticket_id, *call, approve, &owner, &proof, "");
      core_.ledger.Sync();
      holds_.Changed(*ticket);
      return call->Reply(0, absl::StrCat(ticket_id, ": approved by ", owner.user, "; a second person has to approve it too"));
    }
    if (grant.scope != "once" && !ticket->connect.has_value()) ticket->remembered = core_.approvals.FreshId(RandomBits());
  }
  // On the disk before anything moves.
  RecordDecision(ticket, ticket_id, *call, approve, &owner, &proof, "");
  core_.ledger.Sync();
  const bool held = ticket->state == Ticket::State::kHeld;
  const absl::Status done = approve ? holds_.Approve(*ticket, grant) : holds_.Deny(*ticket, owner.user, grant.reason);
  if (!done.ok()) {
    if (approve) ticket->approved_by.pop_back();
    ticket->remembered.clear();
    RecordDecision(ticket, ticket_id, *call, approve, &owner, nullptr, std::string(done.message()));
    return call->Reply(kExitUnavailable, done.message());
  }
  std::string what = !approve ? "denied" : held ? "approved: the held command runs now" : "approved: the identical command passes one time";
  if (approve && grant.scope != "once") {
    what = absl::StrCat(held ? "approved: the held command runs now, and " : "approved: ", "the same loss passes ",
                        grant.scope == "session" ? "in this session" : absl::StrCat("until ", absl::FormatTime("%Y-%m-%d %H:%M UTC", ticket->until, absl::UTCTimeZone())),
                        ticket->remembered.empty() ? "" : absl::StrCat(" (", ticket->remembered, ")"));
  }
  call->Reply(0, absl::StrCat(ticket_id, " ", what));
}

// The first approval counts as long as who gave it is an owner.
void ControlDesk::KeepEligible(Ticket& ticket) const {
  const v1::Environment* environment = core_.policy.Find(ticket.environment);
  const std::vector<EligibleOwner> now = environment == nullptr ? std::vector<EligibleOwner>() : core_.owners.Of(environment->approval());
  std::erase_if(ticket.approved_by, [&now](const EligibleOwner& owner) {
    return std::none_of(now.begin(), now.end(), [&owner](const EligibleOwner& one) { return one.uid == owner.uid; });
  });
}

void ControlDesk::RecordDecision(const Ticket* ticket, const std::string& ticket_id, const ControlCall& call,
                                 bool approve, const EligibleOwner* owner, const PresenceProof* proof,
                                 const std::string& refused_because) {
  v1::Decision decision;
  decision.set_ticket(EscapeAndClip(ticket_id, 16));
  decision.set_decision(approve ? "approve" : "deny");
  decision.set_by(owner != nullptr ? owner->user : EscapeAndClip(call.request().text1, 64));
  if (owner != nullptr) decision.set_role(owner->through);
  if (proof != nullptr) {
    decision.set_presence(proof->how);
    decision.set_presence_key(proof->key);
    decision.set_challenge(proof->challenge);
    decision.set_signature(proof->signature);
  }
  decision.set_reason(EscapeAndClip(call.request().text2, 255));
  if (approve) decision.set_scope(ScopeOf(call.request()));
  decision.set_accepted(proof != nullptr);
  decision.set_refused_because(refused_because);
  decision.set_peer_uid(call.peer().uid);
  if (ticket != nullptr) {
    decision.set_act_digest(ticket->digest);
    const absl::Time ends = std::string_view(ScopeOf(call.request())) == "once" ? ticket->expires : ticket->until;
    if (ends != absl::InfiniteFuture()) decision.set_expires_unix_ns(absl::ToUnixNanos(ends));
    decision.set_environment(ticket->environment);
    decision.set_rule(ticket->judgement.rule());
    *decision.mutable_resource() = ticket->judgement.resource();
    decision.set_approval(ticket->remembered);
    for (const EligibleOwner& one : ticket->approved_by) decision.add_approved_by(one.user);
    if (approve && ActivePolicy::NeedsTwo(ticket->judgement, core_.policy.Find(ticket->environment))) {
      decision.set_still_wanted(2 - std::min<uint32_t>(2, static_cast<uint32_t>(ticket->approved_by.size())));
    }
  }
  core_.ledger.Decision(ticket == nullptr ? nullptr : core_.sessions.Find(ticket->session), std::move(decision));
}

void ControlDesk::Wait(const Call& call, const Peer& peer) {
  Ticket* ticket = core_.tickets.FindById(call->request().ticket);
  if (ticket == nullptr || !MaySee(peer, *ticket)) {
    return call->Reply(kExitUnavailable, absl::StrCat(EscapeAndClip(call->request().ticket, 16), ": no such ticket"));
  }
  const auto [exit_code, message] = WaitAnswer(*ticket);
  const auto seconds = static_cast<int>(std::min<uint64_t>(call->request().number, kMaxWaitSeconds));
  if (exit_code != kExitUndecided || seconds == 0) return call->Reply(exit_code, message);
  waiting_.emplace(ticket->id, call);
  core_.loop.At(core_.clock.Boot() + absl::Seconds(seconds), [call, message = message] {
    call->Reply(kExitUndecided, message);  // Nothing where it was answered before.
  });
}

void ControlDesk::OnTicket(const Ticket& ticket) {
  const auto [exit_code, message] = WaitAnswer(ticket);
  if (exit_code == kExitUndecided) return;
  const auto range = waiting_.equal_range(ticket.id);
  for (auto it = range.first; it != range.second; ++it) {
    if (Call call = it->second.lock(); call != nullptr) call->Reply(exit_code, message);
  }
  waiting_.erase(ticket.id);
}

void ControlDesk::KillSession(const Call& call, const Peer& peer) {
  Session* session = core_.sessions.FindById(call->request().text1);
  if (session == nullptr) {
    return call->Reply(kExitUnavailable, absl::StrCat(EscapeAndClip(call->request().text1, 63),
                                                      ": no such session; `holdpoint sessions` lists them"));
  }
  const bool own = peer.uid == session->uid && !peer.in_session;
  if (absl::Status may = MayAdminister(peer.uid, peer.in_session); !may.ok() && !own) {
    return call->Reply(ExitCode(may), may.message());
  }
  const std::string id = session->id;
  sessions_.Kill(session->number, absl::StrCat("holdpoint kill by uid ", peer.uid), [call, id](absl::StatusOr<int> killed) {
    if (killed.ok()) return call->Reply(0, absl::StrCat(id, ": ", *killed, " processes ended"));
    call->Reply(ExitCode(killed.status()), killed.status().message());
  });
}

void ControlDesk::Detach(const Call& call, const Peer& peer) {
  if (absl::Status may = MayAdminister(peer.uid, peer.in_session); !may.ok()) {
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
  decision.set_peer_uid(peer.uid);
  decision.set_reason(absl::StrCat("label taken off process ", process->tgid));
  core_.ledger.Decision(core_.sessions.Find(label->session), std::move(decision));
  call->Reply(0, absl::StrCat("process ", process->tgid, " has no label any more; what it starts is not watched"));
}

}  // namespace holdpoint
