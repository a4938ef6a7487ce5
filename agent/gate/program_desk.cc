#include "agent/gate/program_desk.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/gate/facts.h"
#include "agent/gate/running_program.h"
#include "agent/gate/running_tasks.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxBytes = 256 << 10;  // of argv and of the environment
constexpr size_t kMaxWaiting = 64;       // past it a program is asked about when it starts the next time
constexpr size_t kMaxRunning = 32768;     // looked at when the gate starts
constexpr absl::Duration kBudget = absl::Seconds(3);

}  // namespace

void ProgramDesk::OnProgram(const ExecEvent& event) {
  if (waiting_.size() >= kMaxWaiting) return;
  Asked asked{.file = event.file, .script = event.exec_id, .root = {}};
  asked.root.process = event.head.process;
  asked.root.uid = event.uid;
  asked.root.shown = ProcessOf(event);
  asked.root.shown.set_exec_id(0);
  v1::ConsultSession question;
  question.set_raw_argv(event.argv);
  question.set_raw_executable(event.executable);
  question.set_raw_working_directory(event.cwd);
  if ((event.head.flags & HP_FLAG_SCRIPT) != 0) question.set_raw_script(event.filename);
  question.set_executable_size(event.file_size);
  Ask(std::move(asked), std::move(question));
}

void ProgramDesk::Look(const ProcessId& process) {
  if (waiting_.size() >= kMaxWaiting) return;
  absl::StatusOr<RunningProgram> running = LookAtRunning(process);
  if (!running.ok()) return;
  v1::ToJudge message;
  *message.mutable_session() = std::move(running->question);
  waiting_.emplace_back(Asked{.file = running->file, .script = 0, .root = std::move(running->root)}, std::move(message));
  if (!asking_) Next();
}

void ProgramDesk::Ask(Asked asked, v1::ConsultSession question) {
  question.set_unnamed(true);
  *question.mutable_process() = asked.root.shown;
  if (absl::StatusOr<ProcText> environment = ReadEnviron(asked.root.process, kMaxBytes); environment.ok()) {
    question.set_raw_environment(environment->bytes);
  }
  // It may have ended; what its file is can often be said all the same.
  if (absl::StatusOr<UniqueFd> pidfd = OpenPidfd(asked.root.process); pidfd.ok()) {
    asked.root.pidfd = std::make_shared<UniqueFd>(*std::move(pidfd));
  }
  v1::ToJudge message;
  *message.mutable_session() = std::move(question);
  waiting_.emplace_back(std::move(asked), std::move(message));
  if (!asking_) Next();
}

void ProgramDesk::Next() {
  asking_ = false;
  while (!asking_ && (!waiting_.empty() || NextRunning())) {
    auto [asked, message] = std::move(waiting_.front());
    waiting_.pop_front();
    asking_ = true;
    StoppedTask task{.id = asked.root.process, .exec_id = 0, .pidfd = asked.root.pidfd};
    core_.judge.Ask(std::move(message), kBudget,
                    core_.facts.About(task, asked.file),
                    [this, asked = std::move(asked)](absl::StatusOr<v1::FromJudge> answer) {
                      if (answer.ok() && answer->has_session()) {
                        Answered(asked, answer->session());
                      } else if (asked.root.found_at_start) {
                        ++unanswered_;  // Of others: it is asked about when it starts the next time.
                      }
                      Next();
                    });
  }
}

void ProgramDesk::LookForRunning() {
  absl::StatusOr<std::vector<ProcessId>> running =
      RunningOutsideSessions(core_.kernel, core_.options.scope, sessions_.Live());
  if (!running.ok()) {
    LogError("coding agents that run already are not looked for: ", running.status().message());
    return;
  }
  if (running->size() > kMaxRunning) {
    LogWarning(running->size(), " processes run already, coding agents are looked for among the oldest ", kMaxRunning);
    running->resize(kMaxRunning);
  }
  running_.assign(running->begin(), running->end());
  if (!asking_) Next();
}

bool ProgramDesk::NextRunning() {
  while (!running_.empty()) {
    const ProcessId process = running_.front();
    running_.pop_front();
    absl::StatusOr<RunningProgram> running = LookAtRunning(process);
    Asked asked;
    if (running.ok()) asked = Asked{.file = running->file, .script = 0, .root = std::move(running->root)};
    if (running.ok() && !others_.contains(asked.file) && !IsInSession(asked)) {
      ++looked_at_;
      asked.root.found_at_start = true;
      v1::ToJudge message;
      *message.mutable_session() = std::move(running->question);
      waiting_.emplace_back(std::move(asked), std::move(message));
      return true;
    }
  }
  if (looked_at_ > 0) {
    LogInfo("of what ran already ", looked_at_, " programs were looked at: ", found_, " coding agents, ", unanswered_,
            " could not be judged");
    looked_at_ = 0;
    others_.clear();
  }
  return false;
}

bool ProgramDesk::IsInSession(const Asked& asked) {
  absl::StatusOr<hp_label> label = core_.kernel.Label(asked.root.pidfd->get());
  if (!label.ok() || label->session == 0) return false;
  const Session* inside = core_.sessions.Find(label->session);
  return inside != nullptr && inside->state != SessionState::kDissolved;
}

void ProgramDesk::Answered(const Asked& asked, const v1::SessionVerdict& verdict) {
  sessions_.Learn(asked.file, asked.script, verdict);
  const bool other = verdict.file_class() == v1::PROGRAM_CLASS_OTHER;
  if (asked.root.found_at_start && other) others_.insert(asked.file);
  // "not judged" counts as a session for a candidate by name, never for just any program.
  if (!verdict.is_session() || verdict.coding_agent().empty() || asked.root.pidfd == nullptr) return;
  if (IsInSession(asked)) return;
  SessionRoot root = asked.root;
  *root.shown.mutable_argv() = verdict.argv();
  if (absl::StatusOr<SessionNumber> number = sessions_.Start(root, verdict); !number.ok()) {
    LogWarning("a coding agent (", verdict.coding_agent(), ") can't be followed: ", number.status().message());
  } else if (root.found_at_start) {
    ++found_;
  }
}

}  // namespace holdpoint
