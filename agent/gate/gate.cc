#include "agent/gate/gate.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/base/version.h"
#include "agent/control/views.h"
#include "agent/event/stream_id.h"
#include "agent/spool/cursor.h"
#include "agent/gate/config_files.h"
#include "agent/gate/kept_file.h"
#include "agent/gate/notice_of.h"
#include "agent/gate/notify.h"
#include "agent/gate/rights.h"
#include "agent/gate/stat_names.h"
#include "agent/kernel/decode.h"
#include "agent/sink/sink_args.h"
#include "agent/stream/stream_args.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kBeat = absl::Milliseconds(200);
constexpr absl::Duration kDrainBusy = absl::Milliseconds(10);  // Ordinary events wait this long while sessions run.
constexpr absl::Duration kDrainIdle = absl::Milliseconds(50);  // A coding agent under another name is known this late.
constexpr absl::Duration kSlow = absl::Seconds(1);
constexpr absl::Duration kCountedFor = absl::Seconds(62);  // the longest that a count waits for its record
constexpr size_t kMaxTickets = 4096;

absl::Status MakeDirectory(const std::string& path, mode_t mode) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return absl::FailedPreconditionError(absl::StrCat(path, ": can't be made (", error.message(), ")"));
  if (chmod(path.c_str(), mode) != 0) return ErrnoStatus(absl::StrCat("chmod ", path));
  return absl::OkStatus();
}

// What is said in the record of the automata that came with a configuration.
void SetTriageIn(const v1::Configured& configured, v1::ConfigLoaded* loaded) {
  loaded->set_triage_states(configured.triage_states());
  *loaded->mutable_triage_asked() = configured.triage_asked();
}

}  // namespace

Gate::Gate(const Options& options)
    : options_(options),
      clock_(Clock::Real()),
      started_(clock_.Boot()),
      clock_watch_(clock_),
      tickets_(kMaxTickets) {}

absl::StatusOr<std::unique_ptr<Gate>> Gate::Create(const Options& options) {
  HP_RETURN_IF_ERROR(CheckRights());
  prctl(PR_SET_DUMPABLE, 0);  // Its memory holds passwords for moments, and the sessions' fate for longer.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGCHLD, SIGPIPE}) sigaddset(&signals, signal);
  if (sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) return ErrnoStatus("sigprocmask");

  std::unique_ptr<Gate> gate(new Gate(options));
  HP_ASSIGN_OR_RETURN(gate->loop_, EventLoop::Create(gate->clock_));
  sigdelset(&signals, SIGCHLD);
  sigdelset(&signals, SIGPIPE);
  gate->signals_.reset(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!gate->signals_.ok()) return ErrnoStatus("signalfd");
  HP_RETURN_IF_ERROR(MakeDirectory(options.state, 0700));
  HP_RETURN_IF_ERROR(MakeDirectory(options.run, 0755));
  HP_RETURN_IF_ERROR(gate->OpenRecord());
  HP_RETURN_IF_ERROR(gate->ReadRollout());
  gate->ReadApprovals();
  HP_RETURN_IF_ERROR(gate->StartJudge());
  HP_RETURN_IF_ERROR(gate->OpenKernel());
  gate->MakeDesks();
  HP_RETURN_IF_ERROR(gate->Begin());
  HP_RETURN_IF_ERROR(gate->Listen());
  gate->MakeReporters();
  HP_RETURN_IF_ERROR(gate->StartReporters());
  return gate;
}

Gate::~Gate() = default;

absl::Status Gate::OpenRecord() {
  HP_ASSIGN_OR_RETURN(v1::StreamId stream, MakeStreamId(options_.state, options_.instance));
  SpoolOptions spool;
  spool.cursor_path = CursorPath(options_.state);
  spool.bounds = {.max_bytes = 0};  // Until the configuration says: nothing goes by a bound that is not its own.
  HP_ASSIGN_OR_RETURN(spool_, Spool::Open(absl::StrCat(options_.state, "/spool"), stream.run_id(), spool));
  if (!spool_->report().note.empty()) LogWarning(spool_->report().note);
  recorder_ = std::make_unique<Recorder>(std::move(stream), clock_, *spool_);
  ledger_ = std::make_unique<Ledger>(*recorder_, clock_);
  heartbeats_ = std::make_unique<Heartbeats>(*recorder_, clock_, options_.heartbeat_key, options_.state);
  record_desk_ = std::make_unique<RecordDesk>(*spool_, *ledger_, options_.state);
  return absl::OkStatus();
}

// Damaged, it must not keep the daemon from starting. Then everything is promoted again and nothing switched: strict.
absl::Status Gate::ReadRollout() {
  const std::string path = RolloutPath(options_.state);
  absl::StatusOr<RolloutStore> read = RolloutStore::Read(path);
  if (read.ok()) {
    rollout_ = *std::move(read);
    return absl::OkStatus();
  }
  first_start_ = true;
  if (absl::IsNotFound(read.status())) return absl::OkStatus();
  if (!absl::IsDataLoss(read.status())) return read.status();
  const std::string aside = PutAside(path);
  LogError(read.status().message(), ": kept as ", aside, "; nothing is switched, every rule counts as promoted");
  ledger_->Daemon("rollout damaged", read.status().message());
  return absl::OkStatus();
}

// What can't be read is not there: the next act is asked about.
void Gate::ReadApprovals() {
  const std::string path = ApprovalsPath(options_.state);
  absl::StatusOr<ApprovalBook> read = ApprovalBook::Read(path);
  if (read.ok()) approvals_ = *std::move(read);
  if (read.ok() || absl::IsNotFound(read.status())) return;
  LogError(read.status().message(), ": kept as ", PutAside(path), "; no remembered approval counts");
  ledger_->Daemon("approvals damaged", read.status().message());
}

absl::Status Gate::PutInForce(const v1::Rollout& rollout) {
  HP_ASSIGN_OR_RETURN(v1::Configured configured, judge_->RolloutAndWait(rollout));
  if (!configured.accepted()) return absl::FailedPreconditionError(configured.problem());
  policy_ = ActivePolicy(std::move(configured), policy_.generation(), options_.observe);
  session_desk_->Reprogram();
  return absl::OkStatus();
}

absl::StatusOr<v1::Configured> Gate::Configure() {
  HP_ASSIGN_OR_RETURN(v1::Configure configure, ReadConfigFiles(options_));
  *configure.mutable_rollout() = rollout_.ForJudge();
  configure.mutable_rollout()->set_promote_all(first_start_);
  HP_ASSIGN_OR_RETURN(v1::Configured configured, judge_->ConfigureAndWait(configure));
  if (!configured.accepted()) return absl::FailedPreconditionError(configured.problem());
  // Once more, now that it is known which programs the rules speak of: a copy of one is known by what it is.
  for (v1::KnownFile& known : FindKnownFiles({configured.listed_names().begin(), configured.listed_names().end()})) {
    *configure.add_known_files() = std::move(known);
  }
  HP_ASSIGN_OR_RETURN(configured, judge_->ConfigureAndWait(configure));
  if (!configured.accepted()) return absl::FailedPreconditionError(configured.problem());
  return configured;
}

absl::Status Gate::StartJudge() {
  HP_ASSIGN_OR_RETURN(judge_, JudgeLink::Start(*loop_, clock_, absl::StrCat(options_.bin, "/holdpoint-judge"),
                                               [this](const std::string& why) {
                                                 LogInfo("the judge is back");
                                                 ledger_->Daemon("judge restarted", why);
                                               }));
  judge_->on_quarantined = [this](const std::string& what) { ledger_->Daemon("judge input quarantined", what); };
  HP_ASSIGN_OR_RETURN(v1::Configured configured, Configure());
  policy_ = ActivePolicy(std::move(configured), 1, options_.observe);
  RecordConfigured();
  owners_ = std::make_unique<Owners>(*loop_, clock_, absl::StrCat(options_.bin, "/holdpoint-presence"),
                                     PresenceFolderArgs(options_));
  return absl::OkStatus();
}

void Gate::RecordConfigured() {
  spool_->SetBounds(BoundsOf(policy_.configured().record_limits()));
  record_desk_->set_kafka(!policy_.configured().kafka().brokers().empty());
}

absl::Status Gate::OpenKernel() {
  Kernel::Options kernel;
  kernel.scope_cgroup = options_.scope;
  kernel.pin_dir = options_.pin;
  kernel.without = options_.without;
  HP_ASSIGN_OR_RETURN(kernel_, Kernel::Open(kernel));
  // What an earlier daemon's policy said of a file is no word of this one's.
  policy_ = ActivePolicy(policy_.configured(), kernel_->PolicyGeneration() + 1, options_.observe);
  policy_.LoadTriage(*kernel_);
  for (const Rung& rung : kernel_->Rungs()) {
    LogInfo(rung.capability, ": ", rung.in_use, rung.missing.empty() ? "" : absl::StrCat(" (", rung.missing, ")"));
  }
  StartWarden();  // Before the first heartbeat: until then nothing is stopped.
  HP_ASSIGN_OR_RETURN(responder_, Responder::Create([this](const StoppedTask& task, hp_task_state state) {
                        return kernel_->SetTaskState(task.pidfd->get(), task.exec_id, state);
                      }));
  return loop_->Add(responder_->CompletedFd(), [this] { responder_->DispatchCompleted(); });
}

void Gate::StartWarden() {
  WardenLink::Options warden;
  warden.program = absl::StrCat(options_.bin, "/holdpoint-warden");
  warden.fds = kernel_->WardenFds();
  warden.wedged_after = absl::Milliseconds(options_.wedged_ms);
  absl::StatusOr<std::unique_ptr<WardenLink>> started = WardenLink::Start(
      *loop_, clock_, std::move(warden), [this](const std::string& why) { ledger_->Daemon("warden restarted", why); });
  if (started.ok()) {
    warden_ = *std::move(started);
  } else {
    LogError("no warden (", started.status().message(), "): what is stopped when this gate is killed stays stopped");
  }
}

absl::Status Gate::Begin() {
  v1::Envelope loaded;
  loaded.mutable_config_loaded()->set_policy_hash(policy_.configured().policy_hash());
  loaded.mutable_config_loaded()->set_generation(policy_.generation());
  loaded.mutable_config_loaded()->set_accepted(true);
  loaded.mutable_config_loaded()->set_rules(policy_.configured().rules());
  SetTriageIn(policy_.configured(), loaded.mutable_config_loaded());
  v1::Envelope started;
  v1::DaemonState& state = *started.mutable_daemon();
  state.set_state("started");
  state.set_version(std::string(Version()));
  if (const Spool::Report& before = spool_->report(); before.previous_last_sequence > 0) {
    state.set_previous_run_id(before.previous_run_id);
    state.set_previous_last_sequence(before.previous_last_sequence);
    state.set_previous_last_hash(before.previous_last_hash.data(), before.previous_last_hash.size());
  }
  state.set_heartbeat_key(heartbeats_->public_key());
  for (const Rung& rung : kernel_->Rungs()) (*state.mutable_rungs())[rung.capability] = rung.in_use;
  (*state.mutable_rungs())["credential files"] = credential_desk_->in_use();
  ledger_->Write(nullptr, std::move(started));
  DeclareOwedBefore();
  ledger_->Write(nullptr, std::move(loaded));
  rollout_desk_->OnConfigured(nullptr, std::exchange(first_start_, false));

  HP_RETURN_IF_ERROR(policy_.Apply(*kernel_));
  if (kernel_->TookOver()) {
    HP_RETURN_IF_ERROR(session_desk_->TakeOver());
    connect_desk_->TakeOver();
    emergency_desk_->TakeOver();
    for (const Session* session : sessions_->All()) credential_desk_->Look(session->number);
  }
  emergency_desk_->OnConfigured();
  HP_RETURN_IF_ERROR(kernel_->SetRecognition(
      true, (options_.observe ? 0 : HP_SESSION_ENFORCE), 0));
  HP_RETURN_IF_ERROR(loop_->Add(kernel_->UrgentFd(), [this] { OnUrgent(); }));
  HP_RETURN_IF_ERROR(loop_->Add(signals_.get(), [this] { OnSignal(); }));
  StartNotifier();
  if (absl::StatusOr<int> clocks = clock_watch_.Open(); clocks.ok()) {
    HP_RETURN_IF_ERROR(loop_->Add(*clocks, [this] { LookAtClocks(); }));
  } else {
    LogWarning("that the host slept is seen a second later: ", clocks.status().message());
  }
  kernel_->SetOurs(Ours());
  BeatTick();
  loop_->BeforeEach([this] {
    if (!stopping_) kernel_->Beat(clock_.Boot());
  });
  DrainTick();
  SlowTick();
  HeartbeatTick();
  return absl::OkStatus();
}

// What the run before this one knew of and did not write.
void Gate::DeclareOwedBefore() {
  ledger_->set_account(&kernel_->account());
  const Spool::Report& before = spool_->report();
  const Account::Left& left = kernel_->left_unwritten();
  if (left.known) {
    ledger_->Owed(left, "the gate was killed", before.previous_run_id);
  } else if (kernel_->TookOver() && !left.begun) {
    kernel_losses_.Skip(*kernel_);
    ledger_->OwedUnknown("the kernel's maps are of a version that kept no account", before.previous_last_time,
                         before.previous_run_id);
  } else if (before.previous_last_sequence > 0 && !before.previous_stopped) {
    // Begun and not known: the run before was killed where this one is now, and owed it for one before that.
    ledger_->OwedUnknown("the host went down, or the kernel's maps are gone",
                         left.begun ? absl::InfinitePast() : before.previous_last_time, before.previous_run_id);
  }
  kernel_->account().SetKnown();
}

void Gate::StartNotifier() {
  notifier_ = std::make_unique<NotifierLink>(
      *loop_, clock_, absl::StrCat(options_.bin, "/holdpoint-notify"),
      [this](absl::string_view reason, uint64_t count) { recorder_->CountLoss("notify", reason, count); });
  notifier_->Configure(NoticeSettingsOf(policy_.configured(), recorder_->stream()));
}

absl::Status Gate::Listen() {
  ControlServer::Options control;
  control.path = absl::StrCat(options_.run, "/control.sock");
  HP_ASSIGN_OR_RETURN(control_, ControlServer::Listen(control, [this](std::shared_ptr<ControlCall> call) {
                        control_desk_->Handle(std::move(call));
                      }));
  return loop_->Add(control_->fd(), [this] { control_->Dispatch(); });
}

void Gate::MakeReporters() {
  stream_ = std::make_unique<KeptChild>(*loop_, clock_, absl::StrCat(options_.bin, "/holdpoint-stream"), "the stream process");
  sinks_ = std::make_unique<KeptChild>(*loop_, clock_, absl::StrCat(options_.bin, "/holdpoint-sinks"), "the sinks' process");
}

absl::Status Gate::StartReporters() {
  const auto with_state = [this](std::vector<std::string> args) {
    if (!args.empty()) args.insert(args.end(), {"--state", options_.state, "--with-parent"});
    return args;
  };
  const v1::Configured& configured = policy_.configured();
  const bool kafka = !configured.kafka().brokers().empty();
  HP_RETURN_IF_ERROR(stream_->Run(with_state(kafka ? StreamArgs(configured.kafka()) : std::vector<std::string>())));
  return sinks_->Run(with_state(SinkArgs(configured)));
}

absl::Status Gate::Run() {
  owners_->Refresh(policy_.configured(), [this] {
    malloc_trim(0);  // What it took to load the programs (the kernel's types, several times over) goes back.
    LogInfo("ready: scope ", options_.scope.empty() ? "the whole host" : options_.scope, ", ",
            policy_.configured().rules(), " rules, ", options_.observe ? "observing" : "enforcing");
    NotifyServiceManager("READY=1");
    if (options_.ready_fd >= 0) {
      if (write(options_.ready_fd, "READY\n", 6) != 6) LogWarning("nobody reads the ready descriptor");
      close(options_.ready_fd);
    }
    program_desk_->LookForRunning();
  });
  return loop_->Run();
}

absl::Status Gate::Reload() {
  absl::StatusOr<v1::Configured> configured = Configure();
  v1::Envelope envelope;
  v1::ConfigLoaded& loaded = *envelope.mutable_config_loaded();
  loaded.set_accepted(configured.ok());
  loaded.set_generation(policy_.generation() + (configured.ok() ? 1 : 0));
  loaded.set_policy_hash(configured.ok() ? configured->policy_hash() : policy_.configured().policy_hash());
  if (!configured.ok()) loaded.set_problem(std::string(configured.status().message()));
  if (configured.ok()) loaded.set_rules(configured->rules());
  if (configured.ok()) SetTriageIn(*configured, &loaded);
  ledger_->Write(nullptr, std::move(envelope));
  if (!configured.ok()) {
    LogError("the configuration is not taken, the one before stays in force: ", configured.status().message());
    return configured.status();
  }
  const v1::Configured before = policy_.configured();
  policy_ = ActivePolicy(*std::move(configured), policy_.generation() + 1, options_.observe);
  RecordConfigured();
  policy_.LoadTriage(*kernel_);
  rollout_desk_->OnConfigured(&before, false);
  HP_RETURN_IF_ERROR(policy_.Apply(*kernel_));
  tamper_desk_->PolicyLoaded();
  session_desk_->Reprogram();
  for (const Session* session : sessions_->All()) credential_desk_->Look(session->number);
  emergency_desk_->OnConfigured();
  owners_->Refresh(policy_.configured(), [] {});
  notifier_->Configure(NoticeSettingsOf(policy_.configured(), recorder_->stream()));
  if (absl::Status started = StartReporters(); !started.ok()) LogError("reporting: ", started.message());
  LogInfo("configuration read again: ", policy_.configured().rules(), " rules");
  return absl::OkStatus();
}

void Gate::OnRecord(absl::Span<const std::byte> record) {
  absl::StatusOr<KernelEvent> event = DecodeEvent(record);
  if (!event.ok()) {
    LogError("a kernel event can't be read: ", event.status().message());
    recorder_->CountLoss("ring", "malformed", 1);
    if (const std::optional<hp_act> act = Account::ActOf(record); act.has_value()) kernel_->account().Drop(*act);
    return;
  }
  if (auto* exec = std::get_if<ExecEvent>(&*event)) {
    credential_desk_->OnExec(*exec);
    if (exec->head.kind == HP_EVENT_CANDIDATE) return session_desk_->OnCandidate(*exec);
    if (exec->head.kind == HP_EVENT_PROGRAM) return program_desk_->OnProgram(*exec);
    if (exec->head.kind == HP_EVENT_KILLED) return consult_desk_->OnKilled(*exec);
    if (exec->head.kind == HP_EVENT_ASK) {
      exec->head.session = session_desk_->Carried(*exec);
      session_desk_->Adopt(exec->head.session);
      return consult_desk_->OnAsk(std::move(*exec));
    }
    if (exec->reason == HP_REASON_OBSERVE || exec->reason == HP_REASON_OFF || exec->reason == HP_REASON_JOB_CONTROL) {
      return consult_desk_->OnObserved(std::move(*exec));
    }
    return consult_desk_->OnPassed(*exec);
  }
  if (auto* connect = std::get_if<ConnectEvent>(&*event)) {
    escape_desk_->OnConnect(*connect);
    return connect_desk_->OnConnect(*connect);
  }
  if (auto* server = std::get_if<UnixEvent>(&*event)) return escape_desk_->OnUnix(*server);
  if (auto* left = std::get_if<LeftEvent>(&*event)) {
    escape_desk_->OnLeft(*left);
    return tamper_desk_->OnLeft(*left);
  }
  if (auto* exit = std::get_if<ExitEvent>(&*event)) {
    if (exit->head.boot_ns < started_.ns) consult_desk_->OnEndedBefore(*exit);
    consult_desk_->OnExit(*exit);
    credential_desk_->OnExit(*exit);
    return session_desk_->OnExit(*exit);
  }
  if (auto* tamper = std::get_if<TamperEvent>(&*event)) return tamper_desk_->OnTamper(*tamper);
  if (auto* signal = std::get_if<SignalEvent>(&*event)) return consult_desk_->OnToldToEnd(*signal);
}

void Gate::OnUrgent() {
  if (credential_desk_->Waiting()) DrainEvents();  // Who read a credential is known before its use is judged.
  const absl::Status drained = kernel_->DrainUrgent([this](absl::Span<const std::byte> record) { OnRecord(record); });
  if (!drained.ok()) LogError("urgent kernel events: ", drained.message());
}

void Gate::DrainAll() {
  for (bool more = true; more;) {
    more = false;
    const absl::Status drained = kernel_->DrainEvents([&](absl::Span<const std::byte> record) {
      more = true;
      OnRecord(record);
    });
    if (!drained.ok()) return LogError("kernel events: ", drained.message());
  }
}

void Gate::DrainEvents() {
  const absl::Status drained = kernel_->DrainEvents([this](absl::Span<const std::byte> record) { OnRecord(record); });
  if (!drained.ok()) LogError("kernel events: ", drained.message());
  credential_desk_->Drain();
}

void Gate::DrainTick() {
  DrainEvents();
  const absl::Duration pause = sessions_->empty() ? kDrainIdle : kDrainBusy;
  loop_->At(clock_.Boot() + pause, [this] { DrainTick(); });
}

void Gate::BeatTick() {
  if (stopping_) return;
  kernel_->Beat(clock_.Boot());
  loop_->At(clock_.Boot() + kBeat, [this] { BeatTick(); });
}

std::vector<pid_t> Gate::Ours() const {
  const auto pid_of = [](const std::unique_ptr<KeptChild>& child) { return child != nullptr ? child->pid() : -1; };
  return {getpid(),        judge_->pid(),   warden_ != nullptr ? warden_->pid() : -1,
          pid_of(stream_), pid_of(sinks_), notifier_->pid()};
}

void Gate::Heartbeat(absl::string_view state) {
  Heartbeats::Facts facts{.counters = {}, .policy_hash = policy_.configured().policy_hash(), .rungs = {}, .state = state};
  if (absl::StatusOr<std::vector<uint64_t>> stats = kernel_->Stats(); stats.ok()) {
    for (size_t i = 0; i < stats->size() && i < HP_STAT_COUNT; ++i) facts.counters[kStatNames[i]] = (*stats)[i];
  }
  for (const Rung& rung : kernel_->Rungs()) facts.rungs[rung.capability] = rung.in_use;
  if (absl::Status written = heartbeats_->Beat(facts); !written.ok()) {
    LogError("a heartbeat is not in the record: ", written.message());
  }
}

void Gate::HeartbeatTick() {
  if (stopping_) return;
  Heartbeat("running");
  loop_->At(clock_.Boot() + Heartbeats::kInterval, [this] { HeartbeatTick(); });
}

void Gate::LookAtClocks() {
  if (!stopping_) kernel_->Beat(clock_.Boot());  // After a sleep the heartbeat is old, and every exec gets the fail mode.
  const ClockWatch::Change change = clock_watch_.Look();
  const auto text = [](absl::Duration d) { return absl::FormatDuration(absl::Trunc(d, absl::Milliseconds(1))); };
  if (change.slept > absl::ZeroDuration()) {
    ledger_->Daemon("resumed", absl::StrCat("the host slept for ", text(change.slept),
                                            ": what is past its time is refused, nothing is released"));
  }
  if (change.set != absl::ZeroDuration()) {
    ledger_->Daemon("clock set", absl::StrCat("the wall clock was set by ", text(change.set),
                                              ": tickets and approvals follow it, holds and the heartbeat do not"));
  }
}

void Gate::SlowTick() {
  NotifyServiceManager("WATCHDOG=1");  // From the thread that answers, not from one that only ticks.
  LookAtClocks();
  session_desk_->Tick();
  credential_desk_->Tick();
  // Counts wait for the end of their minute, and what is in nobody's count for the judge.
  const Account::Acts owed = kernel_->account().owed();
  const bool none = std::all_of(owed.begin(), owed.end(), [](uint64_t count) { return count == 0; });
  const absl::Duration longest = none ? absl::ZeroDuration() : kCountedFor + 2 * policy_.consult_budget();
  if (clock_.Boot() - started_ > longest) kernel_->account().SetSince(clock_.Boot() + -longest);
  if (!stopping_) tamper_desk_->Look(Ours());
  if (kernel_losses_.Declare(*kernel_, *recorder_)) session_desk_->EventsLost();
  notifier_->Tick();
  ExpireTickets();
  approvals_desk_->Expire();
  ledger_->Sync();
  loop_->At(clock_.Boot() + kSlow, [this] { SlowTick(); });
}

void Gate::ExpireTickets() {
  for (Ticket* ticket : tickets_.Expire(clock_.Wall())) {
    v1::Decision decision;
    decision.set_ticket(ticket->id);
    decision.set_decision("expire");
    decision.set_accepted(true);
    decision.set_act_digest(ticket->digest);
    decision.set_summary(ticket->judgement.summary());
    ledger_->Decision(sessions_->Find(ticket->session), std::move(decision));
    consult_desk_->holds().on_ticket(*ticket);
  }
}

void Gate::OnSignal() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
    OnUrgent();  // The kernel told of the sender before it sent the signal.
    if (tamper_desk_->IsFromSession(static_cast<pid_t>(info.ssi_pid), static_cast<int>(info.ssi_signo))) continue;
    if (info.ssi_signo == SIGHUP) {
      // The error is logged and recorded where it happens; the last good configuration stays.
      (void)Reload();
    } else {
      Stop(info.ssi_signo == SIGUSR2);
    }
  }
}

void Gate::Stop(bool hand_over) {
  if (std::exchange(stopping_, true)) return;
  NotifyServiceManager("STOPPING=1");
  stream_->StartNoMore();
  sinks_->StartNoMore();
  LogInfo(hand_over ? "handing over: held commands are refused, the kernel programs and the sessions stay"
                    : "stopping: held commands are refused, the kernel programs removed");
  emergency_desk_->EndAll("the daemon ends");
  // From here on nothing more is stopped: the kernel applies the fail mode. What was asked before is answered.
  kernel_->Beat(BootTime{});
  OnUrgent();
  // By a turn of its own: the last one may end by a record of the ring that is being drained.
  consult_desk_->RefuseAll(hand_over ? "the gate is being replaced" : "the gate is being stopped", [this, hand_over] {
    loop_->At(clock_.Boot(), [this, hand_over] { WriteTheRest(hand_over); });
  });
}

// Nothing is taken from the kernel behind it that would not be written.
void Gate::WriteTheRest(bool hand_over) {
  if (!hand_over) {
    if (absl::Status detached = kernel_->Detach(); !detached.ok()) LogError("detach: ", detached.message());
    DrainAll();  // Nobody comes after us who would.
  }
  for (const Rollup& rollup : rollups_.FlushAll()) ledger_->Rolled(sessions_->Find(rollup.session), {rollup});
  kernel_losses_.Declare(*kernel_, *recorder_);
  // What the judge did not say in time.
  ledger_->Owed({.known = true, .acts = kernel_->account().owed(), .since = started_, .last = clock_.Boot()},
                "the gate was stopped", "");
  ledger_->Daemon(hand_over ? "handing over" : "stopping", "");
  Heartbeat("stopping");  // Signed, and the last record of this stream: nothing is cut off behind it.
  ledger_->Sync();
  loop_->Stop();
}

}  // namespace holdpoint
