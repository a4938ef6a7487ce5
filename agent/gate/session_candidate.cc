// A process that looks like a coding agent: is it one?
#include "agent/gate/session_desk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_split.h"
#include "agent/base/log.h"
#include "agent/gate/facts.h"
#include "agent/gate/session_facts.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxPrograms = 16;  // of one candidate that are looked at

// Whether the kernel proposed it by a name that is listed. Else it knows the file or the script from an earlier look.
bool IsNamed(const ExecEvent& event, const google::protobuf::RepeatedPtrField<std::string>& names) {
  const std::vector<absl::string_view> words = absl::StrSplit(event.argv, absl::MaxSplits('\0', 2));
  const absl::string_view script = words.size() > 1 ? words[1] : "";
  for (absl::string_view path : {absl::string_view(event.executable), absl::string_view(event.filename), script}) {
    path.remove_prefix(path.rfind('/') + 1);  // npos + 1 is 0
    if (std::find(names.begin(), names.end(), path) != names.end()) return true;
  }
  return false;
}

v1::SessionVerdict Unjudged(const absl::Status& why) {
  LogWarning("a candidate was not judged (", why.message(), "): it counts as a session");
  v1::SessionVerdict unjudged;
  unjudged.set_is_session(true);
  unjudged.set_coding_agent(kUnknownAgent);
  unjudged.set_recognised_by("name only: the judge did not answer");
  return unjudged;
}

}  // namespace

void SessionDesk::OnCandidate(const ExecEvent& event) {
  core_.sessions.ProcessSeen(event.head.session, event.head.process);
  if ((event.head.flags & HP_FLAG_NESTED) != 0) return Enrich(event);
  const SessionNumber number = event.head.session;
  // Its process may have been taken into another session while this event was under way.
  if (const SessionNumber carried = CarriedSession(core_, event); carried != number && core_.sessions.Find(carried) != nullptr) {
    if (absl::Status erased = core_.kernel.EraseSession(number); !erased.ok() && !absl::IsNotFound(erased)) {
      LogWarning("a session that nobody is in stays in the kernel's table: ", erased.message());
    }
    ExecEvent nested = event;
    nested.head.session = carried;
    return Enrich(nested);
  }
  Session session;
  session.number = number;
  session.root = event.head.process;
  session.uid = event.uid;
  session.user = PasswdOf(event.uid).name;
  session.started = StartTime(core_.clock);
  session.started_boot = BootTime{event.head.boot_ns};
  if (absl::StatusOr<Session*> added = core_.sessions.Add(std::move(session)); !added.ok()) {
    LogWarning("a session can't be followed: ", added.status().message());
    return;
  }
  Guards();
  StoppedTask task{.id = event.head.process, .exec_id = event.exec_id, .pidfd = nullptr};
  absl::StatusOr<UniqueFd> pidfd = OpenPidfd(event.head.process);
  if (!pidfd.ok()) return Reconsider(number, {event.exec_id});  // It has ended; what it started may run.
  task.pidfd = std::make_shared<UniqueFd>(*std::move(pidfd));
  const v1::Process process = ProcessOf(event);
  v1::ConsultSession question = SessionQuestion(event, process);
  question.set_unnamed(!IsNamed(event, core_.policy.configured().agent_names()));
  AskAbout(std::move(question), task, event.file,
           [this, number, process, seen = Seen{event.exec_id}, file = event.file](absl::StatusOr<v1::FromJudge> answer) {
             const Session* candidate = core_.sessions.Find(number);
             if (candidate == nullptr || candidate->state != SessionState::kCandidate) return;  // Joined meanwhile.
             if (!answer.ok() || !answer->has_session()) return Confirm(number, Unjudged(answer.status()), process);
             Learn(file, 0, answer->session());
             if (!answer->session().is_session()) return Reconsider(number, seen);
             Confirm(number, answer->session(), process);
           });
}

void SessionDesk::AskAbout(v1::ConsultSession question, const StoppedTask& task, const FileId& file,
                           JudgeLink::Answer answer) {
  v1::ToJudge message;
  *message.mutable_session() = std::move(question);
  core_.judge.Ask(std::move(message), kSessionBudget,
                  core_.facts.About(task, file),
                  std::move(answer));
}

// The program that was asked about is no coding agent. But a candidate may have become another program since
// ("#!/usr/bin/env node" is two execs), or have started one: each is looked at, parents before children, while the label
// still holds all of them together.
void SessionDesk::Reconsider(SessionNumber number, Seen seen) {
  while (seen.size() < kMaxPrograms) {
    absl::StatusOr<std::vector<Kernel::LabelledTask>> tasks = core_.kernel.LabelledTasks();
    if (!tasks.ok()) break;
    const Kernel::LabelledTask* next = nullptr;
    for (const Kernel::LabelledTask& task : *tasks) {
      if (task.label.session != number || seen.contains(task.label.exec_id)) continue;
      if (next == nullptr || task.id.start_boot_ns < next->id.start_boot_ns) next = &task;
    }
    if (next == nullptr) break;
    seen.insert(next->label.exec_id);
    absl::StatusOr<RunningProgram> running = LookAtRunning(next->id);
    if (!running.ok()) continue;  // It has ended.
    const StoppedTask task{.id = next->id, .exec_id = next->label.exec_id, .pidfd = running->root.pidfd};
    v1::ConsultSession question = running->question;
    return AskAbout(std::move(question), task, running->file,
                    [this, number, seen, running = *running](absl::StatusOr<v1::FromJudge> answer) {
                      const Session* candidate = core_.sessions.Find(number);
                      if (candidate == nullptr || candidate->state != SessionState::kCandidate) return;
                      if (!answer.ok() || !answer->has_session()) {
                        return Confirm(number, Unjudged(answer.status()), running.root.shown);
                      }
                      Learn(running.file, 0, answer->session());
                      if (answer->session().is_session()) Reconsidered(number, running, answer->session());
                      candidate = core_.sessions.Find(number);
                      if (candidate != nullptr && candidate->state == SessionState::kCandidate) Reconsider(number, seen);
                    });
  }
  Dissolve(number, seen);
}

// A coding agent runs in a process of a candidate. In the candidate's own, the session is that one. Below it, what
// started the coding agent stays outside.
void SessionDesk::Reconsidered(SessionNumber number, const RunningProgram& running, const v1::SessionVerdict& verdict) {
  Session* candidate = core_.sessions.Find(number);
  if (SameProcess(candidate->root, running.root.process)) return Confirm(number, verdict, running.root.shown);
  SessionRoot root = running.root;
  *root.shown.mutable_argv() = verdict.argv();
  if (absl::StatusOr<SessionNumber> started = Start(root, verdict, number); !started.ok()) {
    LogWarning("a coding agent (", verdict.coding_agent(), ") can't be followed: ", started.status().message());
  }
}

void SessionDesk::Learn(const FileId& file, uint64_t script, const v1::SessionVerdict& verdict) {
  const v1::ProgramClass value = script == 0 ? verdict.file_class() : verdict.script_class();
  if (value == v1::PROGRAM_CLASS_UNKNOWN || file.ino == 0) return;
  const absl::Status set =
      core_.kernel.SetProgram(file, script, static_cast<hp_program_value>(value), core_.policy.generation());
  if (!set.ok()) LogWarning("what a program is can't be kept: ", set.message());
}

void SessionDesk::Dissolve(SessionNumber number, const Seen& seen) {
  Session* session = core_.sessions.Find(number);
  if (session == nullptr) return;
  session->state = SessionState::kDissolved;
  nested_.erase(number);
  if (absl::Status set = core_.kernel.SetSession(number, hp_session{.environment = 0, .flags = HP_SESSION_DISSOLVED});
      !set.ok()) {
    LogError("a label can't be taken back: ", set.message());
  }
  if (on_known) on_known(number);
  absl::StatusOr<std::vector<Kernel::LabelledTask>> tasks = core_.kernel.LabelledTasks();
  if (!tasks.ok() || !on_unseen) return;
  for (const Kernel::LabelledTask& task : *tasks) {
    if (task.label.session == number && !seen.contains(task.label.exec_id)) on_unseen(task.id);
  }
}

}  // namespace holdpoint
