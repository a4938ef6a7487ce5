#include "agent/gate/consult_desk.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/escape.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/gate/facts.h"
#include "agent/gate/fail_mode.h"
#include "agent/gate/lineage.h"
#include "agent/response/proc.h"
#include "agent/response/sys.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxEnvironmentBytes = 256 << 10;
constexpr size_t kMaxWaitingPerSession = 256;
constexpr absl::Duration kLookAgainBudget = absl::Seconds(3);  // Somebody waited for a person: there is no hurry.
constexpr size_t kMaxStartedBy = 200;  // characters of one command line
constexpr absl::Duration kSessionAnswerTime = absl::Seconds(3);
constexpr char kKernelKillRung[] = "exec: killed at sched_process_exec";

// The session that a running process is labelled with by the kernel; 0: none. Nothing where there is no such process.
std::optional<SessionNumber> LabelOf(Kernel& kernel, uint32_t pid) {
  const UniqueFd pidfd = sys::PidfdOpen(static_cast<pid_t>(pid));
  if (!pidfd.ok()) return std::nullopt;
  const absl::StatusOr<hp_label> label = kernel.Label(pidfd.get());
  if (absl::IsNotFound(label.status())) return 0;
  if (!label.ok()) return std::nullopt;
  return label->session;
}

const char* OutcomeName(ResponseResult::What what) {
  switch (what) {
    case ResponseResult::What::kOwned:
      return "held";
    case ResponseResult::What::kReleased:
      return "released";
    case ResponseResult::What::kRefused:
      return "refused";
    case ResponseResult::What::kKilled:
      return "killed";
    case ResponseResult::What::kGone:
      return "gone";
  }
  return "gone";
}

const char* KernelReason(uint16_t reason) {
  switch (reason) {
    case HP_REASON_TRACED:
      return "another program traces it and could swallow the stop";
    case HP_REASON_STALE:
      return "the gate was not alive and this environment fails closed";
    case HP_REASON_RING_FULL:
      return "the gate could not be asked";
    case HP_REASON_KILL_SESSION:
      return "its session was ended";
    default:
      return "by the kernel program";
  }
}

}  // namespace

ConsultDesk::ConsultDesk(Core core, std::function<void(SessionNumber, const std::string&)> kill_session)
    : core_(core),
      holds_(core, *this),
      kill_session_(std::move(kill_session)),
      package_runs_(&ParentOf, &SameProcess) {}

void ConsultDesk::OnAsk(ExecEvent event) {
  Session* session = core_.sessions.Find(event.head.session);
  core_.sessions.ProcessSeen(event.head.session, event.head.process);
  if (session == nullptr || session->state == SessionState::kCandidate) {
    // The judge is still looking at the coding agent itself; this is one of its first children.
    std::vector<ExecEvent>& queue = waiting_[event.head.session];
    if (queue.size() < kMaxWaitingPerSession) {
      const SessionNumber number = event.head.session;
      queue.push_back(std::move(event));
      if (queue.size() == 1) {
        core_.loop.At(core_.clock.Boot() + kSessionAnswerTime, [this, number] { OnSessionKnown(number); });
      }
      return;
    }
  }
  Begin(std::move(event));
}

void ConsultDesk::OnSessionKnown(SessionNumber number) {
  auto node = waiting_.extract(number);
  if (node.empty()) return;
  for (ExecEvent& event : node.mapped()) Begin(std::move(event));
}

void ConsultDesk::Begin(ExecEvent event) {
  event.head.session = CarriedSession(core_, event);
  absl::StatusOr<OpenedProcess> opened = OpenProcess(event.head.process);
  // What was stopped and has ended meanwhile leaves nothing to decide; what only ran is judged for the record all the same.
  if (!opened.ok() && event.head.kind == HP_EVENT_ASK) return Gone(event);
  auto consult = std::make_shared<Consult>();
  consult->task.id = event.head.process;
  consult->task.exec_id = event.exec_id;
  if (opened.ok()) consult->task.pidfd = std::make_shared<UniqueFd>(std::move(opened->pidfd));
  consult->process = ProcessOf(event);
  consult->stopped = event.head.kind == HP_EVENT_ASK;
  consult->owed = event.head.kind == HP_EVENT_EXEC;
  consult->task.waits = (event.head.flags & HP_FLAG_WAITS) != 0;
  consult->event = std::move(event);
  consults_[consult->event.exec_id] = consult;
  package_runs_.Execed(consult->task.id, consult->event.exec_id);

  Session* session = core_.sessions.Find(consult->event.head.session);
  if (session == nullptr && consult->stopped) {  // There is no room for one more session.
    core_.ledger.recorder().CountLoss("judge", "its session is not known", 1);
    return Refuse(consult, nullptr, WayOut{});
  }
  if (session == nullptr || session->state == SessionState::kDissolved) return Pass(consult);
  ++session->counters.asked;
  ++session->counters.execs;

  Ask(consult, *session, opened.ok() ? &*opened : nullptr, core_.policy.consult_budget(),
      [this, consult](absl::StatusOr<v1::FromJudge> answer) { Answered(consult, std::move(answer)); });
}

void ConsultDesk::Gone(const ExecEvent& event) {
  v1::Outcome outcome;
  outcome.set_exec_id(event.exec_id);
  outcome.set_what("gone");
  outcome.set_detail("it was ended before anybody could look at it");
  *outcome.mutable_process() = ProcessOf(event);
  core_.ledger.Outcome(core_.sessions.Find(event.head.session), std::move(outcome), kStopRung);
}

void ConsultDesk::Ask(const ConsultPtr& consult, const Session& session, OpenedProcess* opened,
                      absl::Duration budget, JudgeLink::Answer answered) {
  consult->generation = core_.policy.generation();
  v1::ToJudge question;
  v1::ConsultExec& exec = *question.mutable_exec();
  *exec.mutable_session() = ContextOf(session);
  *exec.mutable_session()->mutable_history() =
      core_.intent.Of(session.number, session.uid, core_.clock.Boot(), core_.policy.losses_window());
  *exec.mutable_process() = consult->process;
  exec.set_raw_executable(consult->event.executable);
  exec.set_raw_working_directory(consult->event.cwd);
  if ((consult->event.head.flags & HP_FLAG_SCRIPT) != 0) exec.set_raw_script(consult->event.filename);
  exec.set_ctime_ns(consult->event.file.ctime_ns);
  const absl::Time changed = absl::FromUnixNanos(static_cast<int64_t>(consult->event.file.ctime_ns));
  exec.set_executable_may_change((consult->event.head.flags & HP_FLAG_TIMELESS) != 0 ||
                                 core_.clock.Wall() - changed < kFreshFile);
  exec.set_describe_only(!consult->stopped);
  std::string argv_now = consult->event.argv;
  exec.set_argv_cut((consult->event.head.flags & (HP_FLAG_ARGV_CUT | HP_FLAG_ARGV_FAILED)) != 0);
  exec.set_environment_cut(true);
  if (opened != nullptr) {
    exec.set_stdin_kind(StdinKind(opened->dir));
    exec.set_executable_size(opened->dir.ExecutableSize().value_or(0));
    if (absl::StatusOr<ProcText> argv = opened->dir.Argv(kMaxArgvBytes); argv.ok() && consult->stopped) {
      argv_now = std::move(argv->bytes);
      exec.set_argv_cut(argv->cut);
    }
    if (absl::StatusOr<ProcText> env = opened->dir.Environ(kMaxEnvironmentBytes); env.ok()) {
      exec.set_raw_environment(std::move(env->bytes));
      exec.set_environment_cut(env->cut);
    }
  }
  exec.set_raw_argv(argv_now);
  if (consult->judgement.verdict() == v1::VERDICT_UNSPECIFIED) consult->argv = std::move(argv_now);
  JudgeLink::FactsSource facts;
  if (consult->stopped) {
    facts = core_.facts.About(consult->task, std::nullopt, [this](uint32_t pid) { return LabelOf(core_.kernel, pid); });
  }
  core_.judge.Ask(std::move(question), budget, std::move(facts), std::move(answered));
}

void ConsultDesk::AskAgain(const ConsultPtr& consult, JudgeLink::Answer answered) {
  const Session* session = core_.sessions.Find(consult->event.head.session);
  absl::StatusOr<OpenedProcess> opened = OpenProcess(consult->task.id);
  if (session == nullptr || !opened.ok()) return;
  const Surroundings now = SurroundingsOf(consult->task.id);
  if (now.working_directory != consult->seen.working_directory) consult->event.cwd = now.working_directory;
  if (now.program != consult->seen.program) consult->event.file = now.program;
  Ask(consult, *session, &*opened, std::max(core_.policy.consult_budget(), kLookAgainBudget), std::move(answered));
}

void ConsultDesk::Answered(const ConsultPtr& consult, absl::StatusOr<v1::FromJudge> answer) {
  if (consult->decided) return;
  if (!answer.ok()) return FailMode(consult, std::string(answer.status().message()));
  if (consult->stopped) to_verdict_.Add(core_.clock.Boot() - BootTime{consult->event.head.boot_ns});
  if (!answer->has_exec()) return FailMode(consult, "the judge answered with something else");
  if (answer->exec().judgement().verdict() > v1::VERDICT_ALLOW) return Trace(consult, std::move(*answer->mutable_exec()));
  Decide(consult, std::move(*answer->mutable_exec()));
}

void ConsultDesk::Trace(const ConsultPtr& consult, v1::ExecVerdict verdict) {
  const Session* session = core_.sessions.Find(consult->event.head.session);
  v1::ToJudge question;
  for (std::string& argv : AncestorsOf(consult->event.parent, session == nullptr ? ProcessId{} : session->root)) {
    question.mutable_describe()->add_raw_argv(std::move(argv));
  }
  if (!question.has_describe()) return Decide(consult, std::move(verdict));
  core_.judge.Ask(std::move(question), core_.policy.consult_budget(), nullptr,
                  [this, consult, verdict = std::move(verdict)](absl::StatusOr<v1::FromJudge> answer) {
                    if (consult->decided) return;
                    if (answer.ok() && answer->has_described()) {
                      for (const v1::Described::Argv& argv : answer->described().argv()) {
                        consult->process.add_started_by(
                            RenderArgv({argv.words().begin(), argv.words().end()}, kMaxStartedBy));
                      }
                    }
                    Decide(consult, verdict);
                  });
}

bool ConsultDesk::Enforces(const Session& session) const {
  return core_.policy.Enforces(session.environment) && !core_.emergency.IsOff(core_.clock.Boot());
}

void ConsultDesk::FailMode(const ConsultPtr& consult, const std::string& why) {
  Session* session = core_.sessions.Find(consult->event.head.session);
  if (session == nullptr) return PassUnknown(consult);
  const bool closed = core_.policy.FailsClosed(session->environment) && Enforces(*session);
  consult->judgement = FailModeJudgement(*session, why, closed);
  consult->process.clear_argv();
  core_.ledger.recorder().CountLoss("judge", "not judged", 1);
  if (closed && consult->stopped) return Refuse(consult, nullptr, WayOut{});
  Record(consult, *session, absl::ZeroDuration());
  Pass(consult);
}

// Its session ended while the judge looked at it.
void ConsultDesk::PassUnknown(const ConsultPtr& consult) {
  if (consult->owed) CountOnly(consult, consult->event.head.session);
  Pass(consult);
}

void ConsultDesk::Record(const ConsultPtr& consult, const Session& session, absl::Duration took) {
  core_.ledger.Exec(&session, consult->event, consult->process, consult->judgement, took, false, kStopRung);
  if (std::exchange(consult->owed, false)) core_.kernel.account().Settle(HP_ACT_EXEC, 1);
}

// It ran, or goes on after this: one more of the session's execs of this program.
void ConsultDesk::CountOnly(const ConsultPtr& consult, SessionNumber session) {
  if (!std::exchange(consult->owed, false)) core_.kernel.account().Add(HP_ACT_EXEC, core_.clock.Boot());
  core_.rollups.Add(session, Rollups::Kind::kExec, consult->process.executable(), core_.clock.Wall());
}

void ConsultDesk::Decide(const ConsultPtr& consult, v1::ExecVerdict verdict) {
  Session* session = core_.sessions.Find(consult->event.head.session);
  if (session == nullptr) return PassUnknown(consult);
  Learn(consult->event, verdict, consult->generation);
  consult->judgement = std::move(*verdict.mutable_judgement());
  consult->footprint = std::move(*verdict.mutable_footprint());
  *consult->process.mutable_argv() = std::move(*verdict.mutable_argv());
  consult->process.set_executable_sha256(verdict.executable_sha256());
  *consult->process.mutable_join_keys() = verdict.join_keys();
  if (!verdict.join_keys().empty() && on_join_keys) on_join_keys(*session, verdict);
  if (on_judged) on_judged(*session);
  v1::Judgement& judgement = consult->judgement;
  const absl::Duration took = core_.clock.Boot() - BootTime{consult->event.head.boot_ns};

  BelowPackageRun(consult.get());
  if (!verdict.package_run().empty() && consult->stopped && judgement.verdict() <= v1::VERDICT_AUDIT) {
    package_runs_.Began(consult->task.id, consult->event.exec_id, session->number, verdict.package_run());
  }
  const bool stops = judgement.verdict() >= v1::VERDICT_HOLD;
  if (stops && (!consult->stopped || !Enforces(*session))) judgement.set_observed_only(true);
  if (!verdict.server().empty() && on_server && judgement.verdict() <= v1::VERDICT_AUDIT) {
    on_server(*session, consult->process, verdict.server());
  }
  if (!stops || judgement.observed_only()) {
    core_.intent.Passed(session->number, session->uid, consult->footprint, core_.clock.Boot());
  }
  const bool fileless = (consult->event.head.flags & HP_FLAG_FILELESS) != 0;  // Always worth a record.
  if (judgement.verdict() <= v1::VERDICT_ALLOW && judgement.blind_spots().empty() && !fileless) {
    if (core_.policy.records_allowed()) {
      Record(consult, *session, took);
    } else {
      CountOnly(consult, session->number);
    }
    return Pass(consult);
  }
  if (!stops || judgement.observed_only()) {
    Record(consult, *session, took);
    return Pass(consult);
  }
  if (judgement.verdict() == v1::VERDICT_KILL || judgement.verdict() == v1::VERDICT_KILL_SESSION) {
    Record(consult, *session, took);
    return Kill(consult, judgement.verdict() == v1::VERDICT_KILL_SESSION);
  }

  holds_.Stop(consult, *session);
}

void ConsultDesk::BelowPackageRun(Consult* consult) const {
  v1::Judgement& judgement = consult->judgement;
  if (judgement.verdict() < v1::VERDICT_HOLD || consult->event.uid != 0) return;
  const std::string run = package_runs_.Above(consult->event.parent, consult->event.head.session);
  if (run.empty()) return;
  judgement.add_blind_spots(absl::StrCat("not stopped: a maintainer script below ", EscapeAndClip(run, 80)));
  judgement.set_verdict(v1::VERDICT_AUDIT);
}

std::string ConsultDesk::Text(const Session& session, const v1::Judgement& judgement, const Ticket* ticket,
                              const WayOut& way) const {
  RefusalText text;
  text.kind = way.kind;
  text.by = way.by;
  text.escalated = !judgement.repeats().empty();
  text.summary = judgement.summary();
  text.reason = way.also.empty() ? judgement.reason() : absl::StrCat(judgement.reason(), "; ", way.also);
  if (ticket == nullptr) return RenderRefusal(text);
  text.ticket = ticket->id;
  text.open_until = absl::FormatTime("%H:%M UTC", ticket->expires, absl::UTCTimeZone());
  const v1::Environment* owners = core_.policy.OwnersOf(judgement.tags().target().environment(), session.environment);
  if (owners == nullptr) return RenderRefusal(text);
  for (const std::string& name : owners->approval()) text.approvers.push_back({name, owners->name()});
  text.rollback = absl::StrJoin(owners->rollback(), ", ");
  return RenderRefusal(text);
}

void ConsultDesk::Refuse(const ConsultPtr& consult, Ticket* ticket, const WayOut& way) {
  if (consult->decided) return;
  Session* session = core_.sessions.Find(consult->event.head.session);
  core_.loop.Cancel(consult->timer);
  consult->decided = true;
  if (session == nullptr) {  // All of it has ended; should this one not have, it ends now.
    return core_.responder.Kill(consult->task, "", [this, consult](const ResponseResult& result) {
      Ended(consult, result, consult->ticket);
    });
  }
  if (ticket != nullptr) {
    consult->ticket = ticket->id;
    core_.intent.Refused(session->number, consult->judgement, ticket->id, consult->footprint);
  }
  ++session->counters.refused;
  const bool recorded = consult->held_since.ns != 0;  // When the hold began.
  if (!recorded) {
    core_.ledger.Exec(session, consult->event, consult->process, consult->judgement,
                      core_.clock.Boot() - BootTime{consult->event.head.boot_ns}, false, kStopRung, consult->ticket);
  }
  const std::string text = Text(*session, consult->judgement, ticket, way);
  core_.responder.Refuse(consult->task, text, [this, consult](const ResponseResult& result) {
    Ended(consult, result, consult->ticket);
  });
}

void ConsultDesk::Kill(const ConsultPtr& consult, bool whole_session) {
  Session* session = core_.sessions.Find(consult->event.head.session);
  consult->decided = true;
  ++session->counters.killed;
  const SessionNumber number = session->number;
  const std::string why = absl::StrCat("rule ", consult->judgement.rule());
  WayOut way;
  way.kind = whole_session ? RefusalText::Kind::kSessionKilled : RefusalText::Kind::kKilled;
  const std::string text = Text(*session, consult->judgement, nullptr, way);
  if (whole_session) kill_session_(number, why);  // First, so that nobody sees this one end and goes on.
  const auto ended = [this, consult](const ResponseResult& result) { Ended(consult, result, ""); };
  if (whole_session) return core_.responder.Kill(consult->task, text, ended);
  // Its caller goes on and has to see that it has ended.
  core_.responder.End(consult->task, text, ended);
}

void ConsultDesk::Ended(const ConsultPtr& consult, const ResponseResult& result, const std::string& ticket_id) {
  core_.loop.Cancel(consult->timer);
  Session* session = core_.sessions.Find(consult->event.head.session);
  if (Ticket* ticket = core_.tickets.FindByExec(consult->event.exec_id); ticket != nullptr) {
    ticket->state = Ticket::State::kOpen;  // What was held is gone; the question stays.
    holds_.Changed(*ticket);
  }
  v1::Outcome outcome;
  outcome.set_exec_id(consult->event.exec_id);
  outcome.set_ticket(ticket_id);
  outcome.set_what(OutcomeName(result.what));
  if (result.what == ResponseResult::What::kRefused) outcome.set_exit_status(126);
  outcome.set_told(result.told);
  outcome.set_detail(result.detail);
  if (consult->held_since.ns != 0) {
    outcome.set_held_ns(static_cast<uint64_t>(absl::ToInt64Nanoseconds(core_.clock.Boot() - consult->held_since)));
  }
  *outcome.mutable_process() = consult->process;
  if (consult->judgement.verdict() != v1::VERDICT_UNSPECIFIED) *outcome.mutable_judgement() = consult->judgement;
  core_.ledger.Outcome(session, std::move(outcome), consult->owned ? kHoldRung : kStopRung);
  Forget(consult);
}

void ConsultDesk::Pass(const ConsultPtr& consult) {
  consult->decided = true;
  if (std::exchange(consult->owed, false)) core_.kernel.account().Drop(HP_ACT_EXEC);
  consults_.erase(consult->event.exec_id);
  if (!consult->stopped) return;
  if (absl::Status released = core_.responder.ReleaseNow(consult->task);
      !released.ok() && !absl::IsNotFound(released)) {
    LogError("a task can't be continued: ", released.message());
    core_.responder.Kill(consult->task, "", [](const ResponseResult&) {});
  } else if (released.ok()) {
    to_continue_.Add(core_.clock.Boot() - BootTime{consult->event.head.boot_ns});
  }
  MaybeAllEnded();
}

void ConsultDesk::Forget(const ConsultPtr& consult) {
  consults_.erase(consult->event.exec_id);
  MaybeAllEnded();
}

void ConsultDesk::MaybeAllEnded() {
  if (consults_.empty() && describing_.empty() && all_ended_) std::exchange(all_ended_, nullptr)();
}

ConsultPtr ConsultDesk::Find(uint64_t exec_id) {
  const auto found = consults_.find(exec_id);
  return found == consults_.end() ? nullptr : found->second;
}

void ConsultDesk::Learn(const ExecEvent& event, const v1::ExecVerdict& verdict, uint32_t generation) {
  const v1::ExecutableClass value = verdict.executable_class();
  // What a policy said that is gone says nothing of this one.
  if (value == v1::EXECUTABLE_CLASS_UNKNOWN || event.file.ino == 0 || generation != core_.policy.generation()) return;
  const absl::Status set = core_.kernel.SetClass(event.file, static_cast<hp_class_value>(value),
                                                 core_.policy.TriageState(verdict), generation);
  if (!set.ok()) LogWarning("the class of an executable can't be kept: ", set.message());
}

void ConsultDesk::OnKilled(const ExecEvent& event) {
  Session* session = core_.sessions.Find(event.head.session);
  if (session != nullptr) ++session->counters.killed;
  v1::Outcome outcome;
  outcome.set_exec_id(event.exec_id);
  outcome.set_what("killed");
  outcome.set_detail(KernelReason(event.reason));
  *outcome.mutable_process() = ProcessOf(event);
  core_.ledger.Outcome(session, std::move(outcome), kKernelKillRung);
  if (event.reason != HP_REASON_TRACED || session == nullptr) return;
  // Learn what it was: a harmless program is not killed a second time.
  v1::ToJudge question;
  v1::ConsultExec& exec = *question.mutable_exec();
  *exec.mutable_session() = ContextOf(*session);
  *exec.mutable_process() = ProcessOf(event);
  exec.set_raw_executable(event.executable);
  exec.set_raw_working_directory(event.cwd);
  exec.set_raw_argv(event.argv);
  exec.set_ctime_ns(event.file.ctime_ns);
  exec.set_describe_only(true);
  core_.judge.Ask(std::move(question), core_.policy.consult_budget(), nullptr,
                  [this, event, generation = core_.policy.generation()](absl::StatusOr<v1::FromJudge> answer) {
                    if (answer.ok() && answer->has_exec()) Learn(event, answer->exec(), generation);
                  });
}

void ConsultDesk::OnObserved(ExecEvent event) {
  if (refuses_all_) return CountPassed(event);
  core_.sessions.ProcessSeen(event.head.session, event.head.process);
  Begin(std::move(event));
}

void ConsultDesk::OnToldToEnd(const SignalEvent& event) {
  const auto found = consults_.find(event.exec_id);
  if (found == consults_.end() || found->second->decided) return;
  const ConsultPtr consult = found->second;
  if (event.guard == HP_GUARD_WAIT) return WaitRanOut(consult, event.signal != 0);
  if (event.guard == HP_GUARD_TOLD && consult->held_since.ns == 0) return;  // Not held: the verdict is on its way.
  consult->decided = true;
  core_.responder.Kill(consult->task, "", [this, consult, event](const ResponseResult& result) {
    ResponseResult told = result;
    told.detail = event.guard == HP_GUARD_TOLD ? absl::StrCat("its caller ended it with signal ", event.signal)
                                   : "something tried to make it run while it was held";
    Ended(consult, told, consult->ticket);
  });
}

void ConsultDesk::WaitRanOut(const ConsultPtr& consult, bool killed) {
  consult->decided = true;
  Session* session = core_.sessions.Find(consult->event.head.session);
  core_.ledger.recorder().CountLoss("judge", "not judged", 1);
  if (session != nullptr) {
    consult->judgement = FailModeJudgement(*session, "it waited in the kernel for too long", killed);
    core_.ledger.Exec(session, consult->event, consult->process, consult->judgement, absl::ZeroDuration(), false, kStopRung);
  }
  if (killed) return Ended(consult, ResponseResult{.what = ResponseResult::What::kKilled, .told = false, .detail = ""}, "");
  if (consult->held_since.ns != 0) {  // Its hold came too late: it may run already, and is not stopped half-way.
    core_.loop.Cancel(consult->timer);
    if (Ticket* ticket = core_.tickets.FindByExec(consult->event.exec_id); ticket != nullptr) ticket->state = Ticket::State::kOpen;
    core_.responder.Release(consult->task, [](const ResponseResult&) {});
  }
  Forget(consult);
}

void ConsultDesk::OnEndedBefore(const ExitEvent& event) {
  if (event.state != HP_TASK_HELD && event.state != HP_TASK_OWNED) return;
  v1::Outcome outcome;
  outcome.set_exec_id(event.exec_id);
  outcome.set_what("killed");
  outcome.set_detail("it was held when the gate ended: what nobody answers for does not run");
  outcome.mutable_process()->set_tgid(static_cast<uint32_t>(event.head.process.tgid));
  outcome.mutable_process()->set_start_boot_ns(event.head.process.start_boot_ns);
  outcome.mutable_process()->set_exec_id(event.exec_id);
  core_.ledger.Outcome(core_.sessions.Find(event.head.session), std::move(outcome), "fail mode");
}

void ConsultDesk::OnExit(const ExitEvent& event) {
  package_runs_.Ended(event.head.process);
  const auto found = consults_.find(event.exec_id);
  if (found == consults_.end() || found->second->decided || found->second->held_since.ns == 0) return;
  const ConsultPtr consult = found->second;
  if (event.head.process.tgid != consult->task.id.tgid) return;
  consult->decided = true;
  ResponseResult result;
  result.detail = absl::StrCat("it was ended while it was held, by signal ", event.exit_code & 0x7f);
  Ended(consult, result, consult->ticket);
}

void ConsultDesk::RefuseAll(const std::string& why, std::function<void()> done) {
  refuses_all_ = true;
  for (const ExecEvent& event : std::exchange(undescribed_, {})) CountPassed(event);
  for (auto& [number, events] : std::exchange(waiting_, {})) {
    for (ExecEvent& event : events) Begin(std::move(event));
  }
  const std::map<uint64_t, ConsultPtr> now = consults_;
  for (const auto& [exec_id, consult] : now) {
    if (consult->decided) continue;
    if (!consult->stopped) {
      consult->decided = true;
      CountOnly(consult, consult->event.head.session);
      consults_.erase(exec_id);
      continue;
    }
    if (consult->judgement.verdict() == v1::VERDICT_UNSPECIFIED) {
      FailMode(consult, why);
      continue;
    }
    Ticket* ticket = core_.tickets.FindByExec(exec_id);
    if (ticket != nullptr) ticket->state = Ticket::State::kOpen;
    Refuse(consult, ticket, WayOut{.also = why});
    if (ticket != nullptr) holds_.Changed(*ticket);
  }
  all_ended_ = std::move(done);
  MaybeAllEnded();
}

}  // namespace holdpoint
