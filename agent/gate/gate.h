#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/control/server.h"
#include "agent/control/views.h"
#include "agent/event/recorder.h"
#include "agent/gate/clock_watch.h"
#include "agent/gate/consult_desk.h"
#include "agent/gate/connect_desk.h"
#include "agent/gate/control_desk.h"
#include "agent/gate/core.h"
#include "agent/gate/credential_desk.h"
#include "agent/gate/heartbeat.h"
#include "agent/gate/kept_child.h"
#include "agent/gate/kernel_losses.h"
#include "agent/gate/emergency_desk.h"
#include "agent/gate/notice_desk.h"
#include "agent/gate/enrol_desk.h"
#include "agent/gate/notifier_link.h"
#include "agent/gate/escape_desk.h"
#include "agent/gate/presence_desk.h"
#include "agent/gate/program_desk.h"
#include "agent/gate/record_desk.h"
#include "agent/gate/rollout_desk.h"
#include "agent/gate/rollout_store.h"
#include "agent/gate/session_desk.h"
#include "agent/gate/tamper_desk.h"
#include "agent/gate/warden_link.h"
#include "agent/spool/spool.h"

namespace holdpoint {

// The daemon: makes every part in the right order, carries events from the kernel to the desks, keeps the heartbeat,
// and takes everything down again. One thread, besides the Responder's own.
//
// The kernel programs are attached last, when somebody is there to answer them, and removed first when the daemon is
// told to stop. A daemon that is killed leaves them: then the fail mode of each environment is in force.
class Gate {
 public:
  // Everything up to the point where the host is watched. Errors are sentences for the person who started it.
  static absl::StatusOr<std::unique_ptr<Gate>> Create(const Options& options);
  ~Gate();

  // Serves until SIGTERM or SIGINT, which take the kernel programs away, or SIGUSR2, which leaves them and the sessions
  // to the next daemon. SIGHUP reads the configuration again.
  absl::Status Run();

 private:
  explicit Gate(const Options& options);
  absl::Status OpenRecord();
  absl::Status StartJudge();
  absl::Status OpenKernel();
  void StartWarden();
  void MakeDesks();
  absl::Status Begin();  // the first records, what the run before left, and the loop
  void StartNotifier();
  void MakeReporters();
  absl::Status StartReporters();  // As the configuration says; what changed is started again.
  absl::Status Listen();

  absl::Status ReadRollout();
  void ReadApprovals();
  void ExpireTickets();
  absl::StatusOr<v1::Configured> Configure();
  absl::Status PutInForce(const v1::Rollout& rollout);
  absl::Status Reload();
  void OnRecord(absl::Span<const std::byte> record);
  void OnUrgent();
  void DrainAll();
  void DrainEvents();
  void DrainTick();
  void BeatTick();
  void SlowTick();
  void HeartbeatTick();
  void Heartbeat(absl::string_view state);
  void LookAtClocks();
  std::vector<pid_t> Ours() const;
  void OnSignal();
  void Stop(bool hand_over);
  void WriteTheRest(bool hand_over);
  StatusView::Notices NoticesReport() const;
  StatusView::Sinks SinksReport() const;
  void StatusReport(std::vector<std::string>* bodies, bool peer_in_session);
  void MetricsReport(std::vector<std::string>* bodies);
  void RecordConfigured();
  void DeclareOwedBefore();
  void DoctorReport(std::vector<std::string>* bodies);

  const Options options_;
  const Clock& clock_;
  const BootTime started_;
  ClockWatch clock_watch_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Heartbeats> heartbeats_;
  std::unique_ptr<FactsReader> facts_;
  std::unique_ptr<JudgeLink> judge_;
  std::unique_ptr<Owners> owners_;
  std::unique_ptr<Kernel> kernel_;
  std::unique_ptr<WardenLink> warden_;  // null: could not be started
  std::unique_ptr<Responder> responder_;
  std::unique_ptr<SessionTable> sessions_;
  Rollups rollups_;
  TicketTable tickets_;
  IntentLedger intent_;
  ActivePolicy policy_;
  ApprovalBook approvals_;
  Emergency emergency_;
  RolloutStore rollout_;
  bool first_start_ = false;  // nothing was promoted on this host yet
  std::unique_ptr<PresenceDesk> presence_desk_;
  std::unique_ptr<EnrolDesk> enrol_desk_;
  std::unique_ptr<RolloutDesk> rollout_desk_;
  std::unique_ptr<SessionDesk> session_desk_;
  std::unique_ptr<ConsultDesk> consult_desk_;
  std::unique_ptr<ProgramDesk> program_desk_;
  std::unique_ptr<EscapeDesk> escape_desk_;
  std::unique_ptr<ConnectDesk> connect_desk_;
  std::unique_ptr<TamperDesk> tamper_desk_;
  std::unique_ptr<CredentialDesk> credential_desk_;
  std::unique_ptr<NotifierLink> notifier_;
  std::unique_ptr<NoticeDesk> notice_desk_;
  std::unique_ptr<EmergencyDesk> emergency_desk_;
  std::unique_ptr<DecisionDesk> decision_desk_;
  std::unique_ptr<ApprovalsDesk> approvals_desk_;
  std::unique_ptr<RecordDesk> record_desk_;
  std::unique_ptr<ControlDesk> control_desk_;
  std::unique_ptr<ControlServer> control_;
  UniqueFd signals_;
  std::unique_ptr<KeptChild> stream_;
  std::unique_ptr<KeptChild> sinks_;
  KernelLosses kernel_losses_;
  bool stopping_ = false;
};

}  // namespace holdpoint
