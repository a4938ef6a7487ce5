#include "agent/gate/decision_desk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/control/views.h"
#include "agent/gate/asked.h"

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

}  // namespace

DecisionAttempt DecisionDesk::AttemptOn(const Ticket& ticket, const ControlCall& call, bool approve) const {
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

void DecisionDesk::Decide(const Call& call, const Asker& asker, bool approve) {
  const ControlRequest& request = call->request();
  const std::string ticket_id = request.ticket;
  Ticket* ticket = core_.tickets.FindById(ticket_id);
  if (ticket == nullptr) {
    return call->Reply(kExitUnavailable, absl::StrCat(EscapeAndClip(ticket_id, 16),
                                                      ": no such ticket; `holdpoint holds` lists what waits"));
  }
  DecisionAttempt attempt = AttemptOn(*ticket, *call, approve);
  attempt.peer_in_session = asker.in_session;
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
void DecisionDesk::ShowChallenge(const Call& call, const Asker& asker) {
  const ControlRequest& request = call->request();
  const Ticket* ticket = core_.tickets.FindById(request.ticket);
  const absl::StatusOr<EligibleOwner> owner = core_.owners.Find(request.text1);
  const bool own = owner.ok() && owner->uid == asker.uid && !asker.in_session;
  if (ticket == nullptr || (!own && !MaySee(asker, ticket->session, ticket->session_uid))) {
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

void DecisionDesk::Proved(const Call& call, const std::string& ticket_id, const EligibleOwner& owner,
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
void DecisionDesk::KeepEligible(Ticket& ticket) const {
  const v1::Environment* environment = core_.policy.Find(ticket.environment);
  const std::vector<EligibleOwner> now = environment == nullptr ? std::vector<EligibleOwner>() : core_.owners.Of(environment->approval());
  std::erase_if(ticket.approved_by, [&now](const EligibleOwner& owner) {
    return std::none_of(now.begin(), now.end(), [&owner](const EligibleOwner& one) { return one.uid == owner.uid; });
  });
}

void DecisionDesk::RecordDecision(const Ticket* ticket, const std::string& ticket_id, const ControlCall& call,
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
    decision.set_summary(ticket->judgement.summary());
    *decision.mutable_resource() = ticket->judgement.resource();
    decision.set_approval(ticket->remembered);
    for (const EligibleOwner& one : ticket->approved_by) decision.add_approved_by(one.user);
    if (approve && ActivePolicy::NeedsTwo(ticket->judgement, core_.policy.Find(ticket->environment))) {
      decision.set_still_wanted(2 - std::min<uint32_t>(2, static_cast<uint32_t>(ticket->approved_by.size())));
    }
  }
  core_.ledger.Decision(ticket == nullptr ? nullptr : core_.sessions.Find(ticket->session), std::move(decision));
}

void DecisionDesk::Wait(const Call& call, const Asker& asker) {
  Ticket* ticket = core_.tickets.FindById(call->request().ticket);
  if (ticket == nullptr || !MaySee(core_, asker, *ticket)) {
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

void DecisionDesk::OnTicket(const Ticket& ticket) {
  const auto [exit_code, message] = WaitAnswer(ticket);
  if (exit_code == kExitUndecided) return;
  const auto range = waiting_.equal_range(ticket.id);
  for (auto it = range.first; it != range.second; ++it) {
    if (Call call = it->second.lock(); call != nullptr) call->Reply(exit_code, message);
  }
  waiting_.erase(ticket.id);
}

}  // namespace holdpoint
