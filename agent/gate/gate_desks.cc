// The desks, and who tells whom.
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/gate/gate.h"
#include "agent/gate/notice_of.h"
#include "bpf/shared/hp_limits.h"

namespace holdpoint {
namespace {

std::string BootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

}  // namespace

void Gate::MakeDesks() {
  sessions_ = std::make_unique<SessionTable>(BootId(), SessionTable::Limits{.sessions = HP_SESSIONS_MAX});
  facts_ = std::make_unique<FactsReader>(*loop_, clock_, absl::StrCat(options_.bin, "/holdpoint-reader"));
  const Core core{.options = options_,
                  .clock = clock_,
                  .loop = *loop_,
                  .kernel = *kernel_,
                  .responder = *responder_,
                  .judge = *judge_,
                  .ledger = *ledger_,
                  .sessions = *sessions_,
                  .rollups = rollups_,
                  .tickets = tickets_,
                  .intent = intent_,
                  .owners = *owners_,
                  .policy = policy_,
                  .facts = *facts_,
                  .approvals = approvals_,
                  .emergency = emergency_};
  session_desk_ = std::make_unique<SessionDesk>(core);
  consult_desk_ = std::make_unique<ConsultDesk>(
      core, [this](SessionNumber number, const std::string& why) { session_desk_->Kill(number, why, nullptr); });
  connect_desk_ = std::make_unique<ConnectDesk>(core, consult_desk_->holds());
  program_desk_ = std::make_unique<ProgramDesk>(core, *session_desk_);
  escape_desk_ = std::make_unique<EscapeDesk>(core);
  session_desk_->is_described = [this](SessionNumber number) { return consult_desk_->Describes(number); };
  session_desk_->on_unseen = [this](const ProcessId& process) { program_desk_->Look(process); };
  consult_desk_->on_join_keys = [this](Session& session, const v1::ExecVerdict& verdict) {
    session_desk_->OnJoinKeys(session, verdict.join_keys());
  };
  consult_desk_->on_judged = [this](Session& session) { session_desk_->LetTriage(session); };
  consult_desk_->on_server = [this](const Session& session, const v1::Process& process, const std::string& kind) {
    escape_desk_->OnCommand(session, process, kind);
  };
  tamper_desk_ = std::make_unique<TamperDesk>(core);
  credential_desk_ = std::make_unique<CredentialDesk>(core);
  session_desk_->on_known = [this](SessionNumber number) {
    credential_desk_->Look(number);
    consult_desk_->OnSessionKnown(number);
  };
  presence_desk_ = std::make_unique<PresenceDesk>(core);
  enrol_desk_ = std::make_unique<EnrolDesk>(core, *presence_desk_);
  rollout_desk_ = std::make_unique<RolloutDesk>(
      core, rollout_, *presence_desk_, [this](const v1::Rollout& rollout) { return PutInForce(rollout); });
  ControlDesk::Hooks hooks;
  hooks.rollout = [this](const std::shared_ptr<ControlCall>& call, bool in_session) {
    rollout_desk_->Handle(call, in_session);
  };
  hooks.watch = [this](const std::shared_ptr<ControlCall>& call, bool in_session) {
    notice_desk_->Watch(call, in_session);
  };
  hooks.enrol = [this](const std::shared_ptr<ControlCall>& call, bool in_session) { enrol_desk_->Handle(call, in_session); };
  emergency_desk_ = std::make_unique<EmergencyDesk>(core, *presence_desk_);
  hooks.emergency = [this](const std::shared_ptr<ControlCall>& call, bool in_session) {
    emergency_desk_->Handle(call, in_session);
  };
  hooks.reload = [this] { return Reload(); };
  hooks.metrics = [this](std::vector<std::string>* bodies) { MetricsReport(bodies); };
  hooks.test_alert = [this](const std::shared_ptr<ControlCall>& call, bool in_session) {
    record_desk_->TestAlert(call, in_session);
  };
  hooks.status = [this](std::vector<std::string>* bodies, bool in_session) { StatusReport(bodies, in_session); };
  hooks.doctor = [this](std::vector<std::string>* bodies) { DoctorReport(bodies); };
  decision_desk_ = std::make_unique<DecisionDesk>(core, consult_desk_->holds(), *presence_desk_);
  approvals_desk_ = std::make_unique<ApprovalsDesk>(core);
  control_desk_ = std::make_unique<ControlDesk>(core, *session_desk_, *decision_desk_, *approvals_desk_, std::move(hooks));
  notice_desk_ = std::make_unique<NoticeDesk>(core);
  notice_desk_->on_notice = [this, core](const std::string& change, const Ticket& ticket) {
    if (notifier_->wanted()) notifier_->Send(NoticeOf(core, change, ticket));
  };
  consult_desk_->holds().on_ticket = [this](const Ticket& ticket) {
    decision_desk_->OnTicket(ticket);
    notice_desk_->OnTicket(ticket);
  };
}

}  // namespace holdpoint
