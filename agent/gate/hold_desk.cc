#include "agent/gate/hold_desk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxCommand = 1500;  // characters of an argv in a ticket
constexpr size_t kMaxDirectory = 512;
constexpr size_t kMaxAncestors = 8;
constexpr char kSmallLossesRule[] = "intent.small-losses";  // as the judge names it

}  // namespace

void HoldDesk::Stop(const ConsultPtr& consult, Session& session) {
  const v1::Judgement& judgement = consult->judgement;
  const absl::Time now = core_.clock.Wall();
  Ticket* ticket = core_.tickets.Find(session.number, judgement.act_digest(), now);
  if (ticket != nullptr && core_.tickets.Use(*ticket, now)) return PassApproved(consult, session, *ticket);
  if (ticket != nullptr && ticket->state == Ticket::State::kDenied) {
    return consults_.Refuse(consult, ticket, WayOut{.kind = RefusalText::Kind::kDenied, .by = ticket->decided_by});
  }
  if (ticket != nullptr && ticket->state == Ticket::State::kHeld) {
    return consults_.Refuse(consult, ticket, WayOut{.also = "the identical command is held already"});
  }
  const bool fresh = ticket == nullptr;
  if (fresh) ticket = OpenTicket(session, judgement, consult->process);
  const v1::Environment* owners = core_.policy.OwnersOf(judgement.tags().target().environment(), session.environment);
  if (fresh && ticket != nullptr && judgement.verdict() == v1::VERDICT_HOLD && MayHold(*consult, session, owners)) {
    return Hold(consult, session, *ticket);
  }
  consults_.Refuse(consult, ticket, WayOut{});
  if (fresh && ticket != nullptr) Changed(*ticket);
}

void HoldDesk::PassApproved(const ConsultPtr& consult, Session& session, const Ticket& ticket) {
  core_.ledger.Exec(&session, consult->event, consult->process, consult->judgement,
                    core_.clock.Boot() - BootTime{consult->event.head.boot_ns}, false, kStopRung);
  v1::Outcome outcome;
  outcome.set_exec_id(consult->event.exec_id);
  outcome.set_ticket(ticket.id);
  outcome.set_what("released");
  outcome.set_detail(absl::StrCat("approved by ", ticket.decided_by, ", used up"));
  *outcome.mutable_process() = consult->process;
  core_.ledger.Outcome(&session, std::move(outcome), kStopRung);
  core_.ledger.Sync();
  Changed(ticket);
  consults_.Pass(consult);
}

bool HoldDesk::MayHold(const Consult& consult, const Session& session, const v1::Environment* owners) const {
  if (session.unattended || (consult.event.head.flags & (HP_FLAG_JOB_CONTROL | HP_FLAG_TRACED | HP_FLAG_WAITS)) != 0) return false;
  if (core_.policy.hold_time() <= absl::ZeroDuration() || core_.tickets.Held() >= core_.policy.max_holds()) return false;
  if (owners == nullptr) return false;
  return core_.owners.AnyFor(owners->approval(), session.uid, core_.policy.configured().limits().two_persons());
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
                    now - BootTime{consult->event.head.boot_ns}, true, kHoldRung);
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

absl::Status HoldDesk::Approve(Ticket& ticket, const std::string& by, const std::string& reason) {
  if (ticket.state != Ticket::State::kHeld && ticket.state != Ticket::State::kOpen) {
    return absl::NotFoundError(absl::StrCat(ticket.id, " is ", TicketStateName(ticket.state),
                                            " and can't be approved; the next attempt opens a new ticket"));
  }
  ticket.decided_by = by;
  ticket.decision_reason = reason;
  const ConsultPtr held = ticket.state == Ticket::State::kHeld ? consults_.Find(ticket.exec_id) : nullptr;
  ticket.state = Ticket::State::kApproved;
  core_.intent.Approved(ticket.session, ticket.session_uid, ticket.id, ticket.judgement.rule() == kSmallLossesRule);
  if (ticket.connect.has_value()) {
    const hp_connect_pass pass{.expires_boot_ns = (core_.clock.Boot() + (ticket.expires - core_.clock.Wall())).ns,
                               .uses = 1};
    HP_RETURN_IF_ERROR(core_.kernel.AllowConnects(*ticket.connect, pass));
  }
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
  Session* session = core_.sessions.Find(consult->event.head.session);
  core_.ledger.Decision(session, std::move(decision));
  Changed(*approved);
  if (session == nullptr || now.judgement().verdict() < v1::VERDICT_HOLD) return consults_.Refuse(consult, nullptr, way);
  consult->judgement = now.judgement();
  consult->footprint = now.footprint();
  *consult->process.mutable_argv() = now.argv();
  core_.ledger.Exec(session, consult->event, consult->process, consult->judgement, absl::ZeroDuration(), false, kHoldRung);
  Ticket* ticket = core_.tickets.Find(session->number, consult->judgement.act_digest(), core_.clock.Wall());
  const bool fresh = ticket == nullptr;
  if (fresh) ticket = OpenTicket(*session, consult->judgement, consult->process);
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
  core_.ledger.Outcome(core_.sessions.Find(consult->event.head.session), std::move(outcome), kHoldRung);
  core_.ledger.Sync();
  core_.responder.Release(consult->task, [this, consult](const ResponseResult& result) {
    if (result.what != ResponseResult::What::kReleased) return consults_.Ended(consult, result, consult->ticket);
    consults_.Forget(consult);
  });
}

absl::Status HoldDesk::Deny(Ticket& ticket, const std::string& by, const std::string& reason) {
  if (ticket.state != Ticket::State::kHeld && ticket.state != Ticket::State::kOpen &&
      ticket.state != Ticket::State::kApproved) {
    return absl::NotFoundError(absl::StrCat(ticket.id, " is ", TicketStateName(ticket.state), " already"));
  }
  ticket.decided_by = by;
  ticket.decision_reason = reason;
  const ConsultPtr held = ticket.state == Ticket::State::kHeld ? consults_.Find(ticket.exec_id) : nullptr;
  if (ticket.connect.has_value()) {
    HP_RETURN_IF_ERROR(core_.kernel.AllowConnects(*ticket.connect, hp_connect_pass{.expires_boot_ns = 0, .uses = 0}));
  }
  ticket.state = Ticket::State::kDenied;
  if (held != nullptr) consults_.Refuse(held, &ticket, WayOut{.kind = RefusalText::Kind::kDenied, .by = by});
  Changed(ticket);
  return absl::OkStatus();
}

}  // namespace holdpoint
