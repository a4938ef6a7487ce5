#include "agent/gate/hold_view.h"

#include "absl/strings/str_cat.h"
#include "agent/base/sha256.h"
#include "agent/control/decide.h"

namespace holdpoint {
namespace {

const v1::Environment* OwningEnvironment(const Core& core, const Ticket& ticket) {
  return core.policy.Find(ticket.environment);
}

bool NeedsTwo(const Core& core, const Ticket& ticket) {
  return ActivePolicy::NeedsTwo(ticket.judgement, OwningEnvironment(core, ticket));
}

std::vector<EligibleOwner> EligibleOf(const Core& core, const Ticket& ticket) {
  const v1::Environment* environment = OwningEnvironment(core, ticket);
  return environment == nullptr ? std::vector<EligibleOwner>() : core.owners.Of(environment->approval());
}

const char* EffectName(v1::Effect effect) {
  switch (effect) {
    case v1::EFFECT_READ:
      return "read";
    case v1::EFFECT_WRITE:
      return "write";
    case v1::EFFECT_USE_CREDENTIAL:
      return "use credential";
    case v1::EFFECT_EXPOSE:
      return "expose";
    case v1::EFFECT_ESCALATE:
      return "escalate";
    case v1::EFFECT_DESTROY:
      return "destroy";
    case v1::EFFECT_UNSEEN:
      return "unseen";
    default:
      return "";
  }
}

const char* RecoverabilityName(v1::Recoverability recoverability) {
  switch (recoverability) {
    case v1::RECOVERABILITY_REGENERABLE:
      return "regenerable";
    case v1::RECOVERABILITY_RECOVERABLE:
      return "recoverable";
    case v1::RECOVERABILITY_IRREVERSIBLE:
      return "irreversible";
    default:
      return "";
  }
}

void AddTag(const char* what, const v1::Tag& tag, HoldView* view) {
  if (tag.environment().empty() && tag.source().empty()) return;
  view->tags.push_back({.what = what,
                        .environment = tag.environment(),
                        .source = tag.source(),
                        .protected_environment = tag.protected_()});
}

void DescribeAct(const v1::Judgement& judgement, HoldView* view) {
  view->summary = judgement.summary();
  view->reason = judgement.reason();
  view->rule = judgement.rule();
  view->verdict = judgement.verdict() == v1::VERDICT_HOLD ? "hold" : "refuse";
  view->effect = EffectName(judgement.effect());
  view->recoverability = RecoverabilityName(judgement.recoverability());
  const v1::Resource& resource = judgement.resource();
  if (!resource.id().empty()) view->resource = absl::StrCat(resource.type(), " ", resource.id());
  view->backups = resource.backups();
  view->blind_spots.assign(judgement.blind_spots().begin(), judgement.blind_spots().end());
  AddTag("session", judgement.tags().session(), view);
  AddTag("destination", judgement.tags().destination(), view);
  AddTag("credential", judgement.tags().credential(), view);
  AddTag("resource", judgement.tags().resource(), view);
}

}  // namespace

std::vector<EligibleOwner> DecidersOf(const Core& core, const Ticket& ticket) {
  return WhoMayDecide(EligibleOf(core, ticket), ticket.session_uid, NeedsTwo(core, ticket));
}

HoldView HoldViewOf(const Core& core, const Ticket& ticket, uint32_t uid) {
  HoldView view;
  view.ticket = ticket.id;
  view.session = ticket.session_id;
  view.state = TicketStateName(ticket.state);
  view.environment = ticket.judgement.tags().target().environment();
  view.owners = ticket.approval;
  view.rollback = ticket.rollback;
  if (ticket.state == Ticket::State::kHeld) {
    view.pid = ticket.tgid;
    view.deadline_unix = absl::ToUnixSeconds(core.clock.Wall() + (ticket.hold_deadline - core.clock.Boot()));
  }
  view.opened_unix = absl::ToUnixSeconds(ticket.opened);
  view.expires_unix = absl::ToUnixSeconds(ticket.expires);
  view.digest = Hex(ticket.digest);
  DescribeAct(ticket.judgement, &view);
  const v1::Environment* environment = OwningEnvironment(core, ticket);
  view.protected_environment = environment != nullptr && environment->protected_();
  if (const Session* session = core.sessions.Find(ticket.session); session != nullptr) {
    view.coding_agent = session->coding_agent;
    view.user = session->user;
  }
  if (view.user.empty()) view.user = absl::StrCat("uid ", ticket.session_uid);
  view.command = ticket.command;
  view.working_directory = ticket.working_directory;
  view.started_by = ticket.started_by;
  view.two_persons = NeedsTwo(core, ticket);
  view.attempts = ticket.attempts;
  view.approvals_wanted = view.two_persons ? 2 : 1;
  view.scope = ticket.approved_by.empty() ? "" : ticket.scope;
  view.approval = ticket.remembered;
  for (const EligibleOwner& owner : DecidersOf(core, ticket)) {
    view.deciders.push_back(owner.user);
    view.may_decide = view.may_decide || owner.uid == uid;
  }
  for (const EligibleOwner& owner : ticket.approved_by) view.approved_by.push_back(owner.user);
  view.decided_by = ticket.decided_by;
  view.decision_reason = ticket.decision_reason;
  return view;
}

}  // namespace holdpoint
