#include "agent/gate/hold_desk.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/escape.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxCommand = 1500;  // characters of an argv in a ticket
constexpr size_t kMaxDirectory = 512;
constexpr size_t kMaxAncestors = 8;
constexpr size_t kMaxPeer = 160;  // of a database
constexpr char kSmallLossesRule[] = "intent.small-losses";  // as the judge names it
constexpr uint64_t kForever = std::numeric_limits<int64_t>::max();  // of a connect's pass: its session ends before, or the daemon

}  // namespace

void HoldDesk::Stop(const ConsultPtr& consult, Session& session) {
  const v1::Judgement& judgement = consult->judgement;
  const absl::Time now = core_.clock.Wall();
  const v1::Environment* owners = core_.policy.OwnersOf(judgement.tags().target().environment(), session.environment);
  if (const Approval* approval = Remembered(session, judgement, owners); approval != nullptr) {
    return LetPass(consult, session, "", absl::StrCat(approval->id, " by ", absl::StrJoin(approval->by, ", ")));
  }
  // Of two persons break-glass replaces none.
  Lifted* glass = owners == nullptr || ActivePolicy::NeedsTwo(judgement, owners)
                      ? nullptr
                      : core_.emergency.Glass(owners->name(), core_.clock.Boot());
  if (glass != nullptr) {
    ++glass->acts;
    return LetPass(consult, session, "", absl::StrCat("break-glass of ", owners->name(), " by ", glass->by));
  }
  Ticket* ticket = core_.tickets.Find(session.number, judgement.act_digest(), now);
  if (ticket != nullptr && core_.tickets.Use(*ticket, now)) {
    LetPass(consult, session, ticket->id, absl::StrCat(ticket->id, " by ", ticket->decided_by));
    return Changed(*ticket);
  }
  if (ticket != nullptr) ++ticket->attempts;
  if (ticket != nullptr && ticket->state == Ticket::State::kDenied) {
    return consults_.Refuse(consult, ticket, WayOut{.kind = RefusalText::Kind::kDenied, .by = ticket->decided_by});
  }
  if (ticket != nullptr && ticket->state == Ticket::State::kHeld) {
    return consults_.Refuse(consult, ticket, WayOut{.also = "the identical command is held already"});
  }
  bool fresh = false;
  if (ticket == nullptr) {
    ticket = core_.tickets.FindByTarget(session.number, judgement.target_digest(), now);
    if (ticket != nullptr) {
      ++ticket->attempts;
      return consults_.Refuse(consult, ticket, WayOut{.also = absl::StrCat(ticket->id, " asks about another command on "
                                                      "the same target, and only that one can pass by it: ",
                                                      ticket->judgement.summary())});
    }
    ticket = OpenTicket(session, judgement, consult->process);
    fresh = true;
    if (ticket != nullptr && judgement.verdict() == v1::VERDICT_HOLD && MayHold(*consult, session, owners)) {
      return HoldUnlessDatabase(consult, session, *ticket);
    }
  }
  WayOut way;
  if (!AnybodyFor(session, judgement, owners)) {
    way.also = ActivePolicy::NeedsTwo(judgement, owners) ? "two owners have to approve it, and there are no two who may"
                                                         : "there is no owner who may approve it";
  }
  consults_.Refuse(consult, ticket, way);
  if (fresh && ticket != nullptr) Changed(*ticket);
}

void HoldDesk::LetPass(const ConsultPtr& consult, Session& session, const std::string& ticket, const std::string& why) {
  consult->judgement.set_passed_by(why);
  core_.ledger.Exec(&session, consult->event, consult->process, consult->judgement,
                    core_.clock.Boot() - BootTime{consult->event.head.boot_ns}, false, kStopRung, ticket);
  v1::Outcome outcome;
  outcome.set_exec_id(consult->event.exec_id);
  outcome.set_ticket(ticket);
  outcome.set_what("released");
  outcome.set_detail(why);
  *outcome.mutable_process() = consult->process;
  *outcome.mutable_judgement() = consult->judgement;
  core_.ledger.Outcome(&session, std::move(outcome), kStopRung);
  core_.ledger.Sync();
  consults_.Pass(consult);
}

// Who gave it is still an owner; where two are asked for, two gave it.
const Approval* HoldDesk::Remembered(const Session& session, const v1::Judgement& judgement,
                                     const v1::Environment* owners) const {
  if (owners == nullptr) return nullptr;
  for (const Approval* approval :
       core_.approvals.For(session.number, session.uid, judgement.loss_digest(), core_.clock.Wall())) {
    if (approval->environment != owners->name()) continue;
    if (approval->by.size() < (ActivePolicy::NeedsTwo(judgement, owners) ? 2u : 1u)) continue;
    const std::vector<EligibleOwner> eligible = core_.owners.Of(owners->approval());
    const bool all = std::all_of(approval->by.begin(), approval->by.end(), [&eligible](const std::string& name) {
      return std::any_of(eligible.begin(), eligible.end(), [&name](const EligibleOwner& o) { return o.user == name; });
    });
    if (all) return approval;
  }
  return nullptr;
}

bool HoldDesk::AnybodyFor(const Session& session, const v1::Judgement& judgement, const v1::Environment* owners) const {
  return owners != nullptr &&
         core_.owners.AnyFor(owners->approval(), session.uid, ActivePolicy::NeedsTwo(judgement, owners));
}

bool HoldDesk::MayHold(const Consult& consult, const Session& session, const v1::Environment* owners) const {
  if (session.unattended || (consult.event.head.flags & (HP_FLAG_JOB_CONTROL | HP_FLAG_TRACED)) != 0) return false;
  if (core_.policy.hold_time() <= absl::ZeroDuration() || core_.tickets.Held() >= core_.policy.max_holds()) return false;
  return AnybodyFor(session, consult.judgement, owners);
}

Ticket* HoldDesk::OpenTicket(const Session& session, const v1::Judgement& judgement, const v1::Process& process) {
  Ticket ticket;
  ticket.session = session.number;
  ticket.session_id = session.id;
  ticket.session_uid = session.uid;
  ticket.digest = judgement.act_digest();
  ticket.judgement = judgement;
  ticket.command = process.argv().empty() ? EscapeAndClip(process.executable(), kMaxCommand)
                                          : RenderArgv({process.argv().begin(), process.argv().end()}, kMaxCommand);
  ticket.working_directory = EscapeAndClip(process.working_directory(), kMaxDirectory);
  ticket.started_by.assign(process.started_by().begin(), process.started_by().end());
  ticket.started_by.resize(std::min(ticket.started_by.size(), kMaxAncestors));
  ticket.opened = core_.clock.Wall();
  ticket.expires = ticket.opened + core_.policy.ticket_time();
  const v1::Environment* owners = core_.policy.OwnersOf(judgement.tags().target().environment(), session.environment);
  if (owners != nullptr) {
    ticket.environment = owners->name();
    ticket.approval.assign(owners->approval().begin(), owners->approval().end());
    ticket.rollback.assign(owners->rollback().begin(), owners->rollback().end());
  }
  absl::StatusOr<Ticket*> opened = core_.tickets.Open(std::move(ticket), RandomBits());
  if (!opened.ok()) {
    LogWarning("no ticket for a refusal: ", opened.status().message());
    return nullptr;
  }
  return *opened;
}

// Nothing that waits may keep a transaction open: who above it could have one is looked at first, outside this process.
void HoldDesk::HoldUnlessDatabase(const ConsultPtr& consult, const Session& session, const Ticket& opened) {
  core_.facts.DatabaseAbove(
      consult->event.parent.tgid, session.root.tgid, session.uid,
      [this, consult, number = session.number, id = opened.id](absl::StatusOr<std::string> found) {
        if (consults_.Find(consult->event.exec_id) == nullptr || consult->decided) return;
        Session* now = core_.sessions.Find(number);
        Ticket* ticket = core_.tickets.FindById(id);
        // Decided already, or nobody is left who could: as for the next attempt.
        if (now != nullptr && ticket != nullptr && ticket->state != Ticket::State::kOpen) return Stop(consult, *now);
        WayOut way;
        if (!found.ok()) {
          way.also = "it is not held: what waits for it was not looked at in time, and might have a transaction open";
        } else if (!found->empty()) {
          way.also = absl::StrCat("it is not held: what waits for it has a connection to a database (process ",
                                  EscapeAndClip(*found, kMaxPeer), "), and a transaction would stay open meanwhile");
        } else if (now != nullptr && ticket != nullptr) {
          const v1::Environment* owners =
              core_.policy.OwnersOf(consult->judgement.tags().target().environment(), now->environment);
          if (MayHold(*consult, *now, owners)) return Hold(consult, *now, *ticket);
        }
        consults_.Refuse(consult, ticket, way);
        if (ticket != nullptr) Changed(*ticket);
      });
}

void HoldDesk::Hold(const ConsultPtr& consult, Session& session, Ticket& ticket) {
  const BootTime now = core_.clock.Boot();
  absl::Duration time = core_.policy.hold_time();
  if (session.hold_ms != 0) time = std::min(time, absl::Milliseconds(session.hold_ms));
  core_.tickets.Hold(ticket, consult->event.exec_id, now + time);
  ticket.tgid = static_cast<uint32_t>(consult->task.id.tgid);
  consult->ticket = ticket.id;
  consult->held_since = now;
  consult->seen = SurroundingsOf(consult->task.id);
  ++session.counters.held;
  core_.ledger.Exec(&session, consult->event, consult->process, consult->judgement,
                    now - BootTime{consult->event.head.boot_ns}, true, kHoldRung, ticket.id);
  const uint64_t exec_id = consult->event.exec_id;
  consult->timer = core_.loop.At(ticket.hold_deadline, [this, exec_id] { HoldRanOut(exec_id); });
  core_.responder.Own(consult->task, [this, consult](const ResponseResult& result) {
    consult->owned = result.what == ResponseResult::What::kOwned;
    if (!consult->owned && !consult->decided) consults_.Ended(consult, result, consult->ticket);
  });
  Changed(ticket);
}

void HoldDesk::HoldRanOut(uint64_t exec_id) {
  const ConsultPtr consult = consults_.Find(exec_id);
  Ticket* ticket = core_.tickets.FindByExec(exec_id);
  if (consult == nullptr || ticket == nullptr) return;
  consult->timer = 0;
  ticket->state = Ticket::State::kOpen;
  consults_.Refuse(consult, ticket, WayOut{.kind = RefusalText::Kind::kHoldRanOut});
  Changed(*ticket);
}

absl::Status HoldDesk::MayApprove(const Ticket& ticket, const Grant& grant) const {
  if (ticket.state != Ticket::State::kHeld && ticket.state != Ticket::State::kOpen) {
    return absl::NotFoundError(absl::StrCat(ticket.id, " is ", TicketStateName(ticket.state),
                                            ticket.decided_by.empty() ? "" : absl::StrCat(" by ", ticket.decided_by),
                                            " and can't be approved; the next attempt opens a new ticket"));
  }
  const Session* session = core_.sessions.Find(ticket.session);
  if (grant.scope != "until" && (session == nullptr || session->state == SessionState::kEnded)) {
    return absl::NotFoundError(absl::StrCat(ticket.id, ": its session has ended, there is nobody left whom an approval "
                                                       "could serve"));
  }
  if (!ticket.approved_by.empty() && grant.scope != ticket.scope) {
    return absl::InvalidArgumentError(absl::StrCat(ticket.approved_by[0].user, " approved ", ticket.id, " with --",
                                                   ticket.scope, ": two persons have to say the same"));
  }
  if (grant.scope == "once") return absl::OkStatus();
  if (ticket.connect.has_value()) {
    return grant.scope == "session"
               ? absl::OkStatus()
               : absl::InvalidArgumentError("a connection is approved --once or --session; for longer, tag the "
                                            "destination in the configuration");
  }
  if (ticket.judgement.loss_digest().empty()) {
    return absl::InvalidArgumentError("what this act touches was not seen whole or has no name: it can be approved --once, "
                                      "but not for longer");
  }
  if (core_.approvals.All().size() >= ApprovalBook::kMax) {
    return absl::ResourceExhaustedError("too many approvals are remembered: holdpoint approvals remove some");
  }
  return absl::OkStatus();
}

absl::Status HoldDesk::MayDeny(const Ticket& ticket) const {
  if (ticket.state == Ticket::State::kHeld || ticket.state == Ticket::State::kOpen ||
      ticket.state == Ticket::State::kApproved) {
    return absl::OkStatus();
  }
  return absl::NotFoundError(absl::StrCat(ticket.id, " is ", TicketStateName(ticket.state), " already"));
}

absl::Status HoldDesk::Remember(const Ticket& ticket, const Grant& grant) {
  Approval approval;
  approval.id = ticket.remembered;
  approval.scope = grant.scope == "session" ? Approval::Scope::kSession : Approval::Scope::kUntil;
  approval.loss = ticket.judgement.loss_digest();
  approval.session = ticket.session;
  approval.session_id = ticket.session_id;
  approval.session_uid = ticket.session_uid;
  approval.environment = ticket.environment;
  for (const EligibleOwner& owner : ticket.approved_by) approval.by.push_back(owner.user);
  approval.rule = ticket.judgement.rule();
  approval.resource_type = ticket.judgement.resource().type();
  approval.resource_id = ticket.judgement.resource().id();
  approval.reason = grant.reason;
  approval.since = core_.clock.Wall();
  approval.until = ticket.until;
  HP_RETURN_IF_ERROR(core_.approvals.Add(std::move(approval)));
  if (grant.scope == "session") return absl::OkStatus();
  absl::Status kept = core_.approvals.Write(ApprovalsPath(core_.options.state));
  if (!kept.ok()) core_.approvals.Remove(ticket.remembered);
  return kept;
}

absl::Status HoldDesk::Approve(Ticket& ticket, const Grant& grant) {
  HP_RETURN_IF_ERROR(MayApprove(ticket, grant));
  const bool once = grant.scope == "once";
  if (ticket.connect.has_value()) {
    const absl::Time until = once ? ticket.expires : absl::InfiniteFuture();
    const hp_connect_pass pass{
        .expires_boot_ns = once ? (core_.clock.Boot() + (until - core_.clock.Wall())).ns : kForever,
        .uses = once ? 1 : kForever};
    HP_RETURN_IF_ERROR(core_.kernel.AllowConnects(*ticket.connect, pass));
  } else if (!once) {
    HP_RETURN_IF_ERROR(Remember(ticket, grant));
  }
  ticket.scope = grant.scope;
  ticket.decided_by = absl::StrJoin(ticket.approved_by, " and ", [](std::string* out, const EligibleOwner& owner) {
    absl::StrAppend(out, owner.user);
  });
  ticket.decision_reason = grant.reason;
  const ConsultPtr held = ticket.state == Ticket::State::kHeld ? consults_.Find(ticket.exec_id) : nullptr;
  core_.intent.Approved(ticket.session, ticket.session_uid, ticket.id, ticket.judgement.rule() == kSmallLossesRule);
  // What is remembered needs no ticket any more.
  ticket.state = once || held != nullptr ? Ticket::State::kApproved : Ticket::State::kUsed;
  if (held != nullptr) LookAgain(held, ticket);
  Changed(ticket);
  return absl::OkStatus();
}

void HoldDesk::LookAgain(const ConsultPtr& consult, const Ticket& ticket) {
  core_.loop.Cancel(consult->timer);
  consults_.AskAgain(consult, [this, consult, id = ticket.id](absl::StatusOr<v1::FromJudge> answer) {
    if (consult->decided) return;
    Ticket* approved = core_.tickets.FindById(id);
    WayOut way{.also = "it could not be judged once more before its release"};
    if (approved == nullptr || !answer.ok() || !answer->has_exec()) return consults_.Refuse(consult, approved, way);
    if (answer->exec().judgement().act_digest() != consult->judgement.act_digest()) {
      return Drifted(consult, approved, answer->exec());
    }
    ReleaseHeld(consult, *approved);
  });
}

void HoldDesk::Drifted(const ConsultPtr& consult, Ticket* approved, const v1::ExecVerdict& now) {
  const Surroundings seen = SurroundingsOf(consult->task.id);
  WayOut way{.also = "its arguments, what it reads or its tags were changed while it was held"};
  if (seen.working_directory != consult->seen.working_directory) way.also = "its working directory was moved while it was held";
  if (seen.program != consult->seen.program) way.also = "its program was changed while it was held";
  approved->state = Ticket::State::kExpired;
  v1::Decision decision;
  decision.set_ticket(approved->id);
  decision.set_decision("expire");
  decision.set_reason(way.also);
  decision.set_accepted(true);
  decision.set_act_digest(approved->digest);
  decision.set_summary(approved->judgement.summary());
  Session* session = core_.sessions.Find(consult->event.head.session);
  core_.ledger.Decision(session, std::move(decision));
  Changed(*approved);
  if (session == nullptr || now.judgement().verdict() < v1::VERDICT_HOLD) return consults_.Refuse(consult, nullptr, way);
  consult->judgement = now.judgement();
  consult->footprint = now.footprint();
  *consult->process.mutable_argv() = now.argv();
  Ticket* ticket = core_.tickets.Find(session->number, consult->judgement.act_digest(), core_.clock.Wall());
  const bool fresh = ticket == nullptr;
  if (fresh) ticket = OpenTicket(*session, consult->judgement, consult->process);
  core_.ledger.Exec(session, consult->event, consult->process, consult->judgement, absl::ZeroDuration(), false, kHoldRung,
                    ticket == nullptr ? "" : ticket->id);
  consults_.Refuse(consult, ticket, way);
  if (fresh && ticket != nullptr) Changed(*ticket);
}

void HoldDesk::ReleaseHeld(const ConsultPtr& consult, Ticket& ticket) {
  absl::StatusOr<ProcDir> proc = ProcDir::Open(consult->task.id);
  absl::StatusOr<ProcText> now = proc.ok() ? proc->Argv(kMaxArgvBytes) : proc.status();
  if (!now.ok() || now->bytes != consult->argv || !proc->CheckArgvPointers().ok()) {
    ticket.state = Ticket::State::kOpen;
    Changed(ticket);
    return consults_.Refuse(consult, &ticket, WayOut{.also = "its arguments were changed while it was held"});
  }
  if (!core_.tickets.Use(ticket, core_.clock.Wall())) {
    return consults_.Refuse(consult, &ticket, WayOut{.also = "the approval was used up meanwhile"});
  }
  Changed(ticket);
  consult->decided = true;
  // What is approved is on the disk before it happens.
  v1::Outcome outcome;
  outcome.set_exec_id(consult->event.exec_id);
  outcome.set_ticket(ticket.id);
  outcome.set_what("released");
  outcome.set_detail(absl::StrCat("approved by ", ticket.decided_by));
  outcome.set_held_ns(static_cast<uint64_t>(absl::ToInt64Nanoseconds(core_.clock.Boot() - consult->held_since)));
  *outcome.mutable_process() = consult->process;
  *outcome.mutable_judgement() = consult->judgement;
  core_.ledger.Outcome(core_.sessions.Find(consult->event.head.session), std::move(outcome), kHoldRung);
  core_.ledger.Sync();
  core_.responder.Release(consult->task, [this, consult](const ResponseResult& result) {
    if (result.what != ResponseResult::What::kReleased) return consults_.Ended(consult, result, consult->ticket);
    consults_.Forget(consult);
  });
}

absl::Status HoldDesk::Deny(Ticket& ticket, const std::string& by, const std::string& reason) {
  HP_RETURN_IF_ERROR(MayDeny(ticket));
  ticket.decided_by = by;
  ticket.decision_reason = reason;
  const ConsultPtr held = ticket.state == Ticket::State::kHeld ? consults_.Find(ticket.exec_id) : nullptr;
  if (ticket.connect.has_value()) {
    HP_RETURN_IF_ERROR(core_.kernel.ForbidConnects(*ticket.connect));
  }
  ticket.state = Ticket::State::kDenied;
  if (held != nullptr) consults_.Refuse(held, &ticket, WayOut{.kind = RefusalText::Kind::kDenied, .by = by});
  Changed(ticket);
  return absl::OkStatus();
}

}  // namespace holdpoint
