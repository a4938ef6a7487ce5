#include "agent/gate/approvals_desk.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/control/decide.h"
#include "agent/control/views.h"
#include "agent/gate/lineage.h"

namespace holdpoint {

void ApprovalsDesk::List(const Call& call, const Asker& asker) {
  std::vector<ApprovalView> views;
  for (const Approval* approval : core_.approvals.All()) {
    if (asker.in_session || !MaySee(asker, approval->session, approval->session_uid)) continue;
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

void ApprovalsDesk::Remove(const Call& call, const Asker& asker) {
  const std::string id = EscapeAndClip(call->request().ticket, 16);
  v1::Decision decision;
  decision.set_decision("remove");
  decision.set_by(EscapeAndClip(call->request().text1, 63));
  decision.set_reason(EscapeAndClip(call->request().text2, 255));
  decision.set_approval(id);
  decision.set_peer_uid(asker.uid);
  decision.set_login_uid(LoginUid(call->peer().pid));
  const Approval* found = core_.approvals.FindById(call->request().ticket);
  absl::Status may = MayAdminister(asker.uid, asker.in_session);
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

void ApprovalsDesk::Expire() {
  const std::vector<Approval> gone = core_.approvals.Expire(core_.clock.Wall(), [this](SessionNumber number) {
    const Session* session = core_.sessions.Find(number);
    return session != nullptr && session->state != SessionState::kEnded;
  });
  bool kept = false;
  for (const Approval& approval : gone) {
    kept = kept || approval.scope == Approval::Scope::kUntil;
    v1::Decision decision;
    decision.set_decision("expire");
    decision.set_accepted(true);
    decision.set_approval(approval.id);
    decision.set_scope(ApprovalScopeName(approval.scope));
    decision.set_environment(approval.environment);
    decision.set_rule(approval.rule);
    core_.ledger.Decision(core_.sessions.Find(approval.session), std::move(decision));
  }
  if (!kept) return;
  if (absl::Status written = core_.approvals.Write(ApprovalsPath(core_.options.state)); !written.ok()) {
    LogWarning("approvals that ran out stay in their file, where they count for nothing: ", written.message());
  }
}

}  // namespace holdpoint
