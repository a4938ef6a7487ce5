#include "agent/gate/session_desk.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/base/escape.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/gate/facts.h"
#include "agent/gate/kept_session.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxArgvBytes = 256 << 10;
constexpr size_t kMaxEnvironmentBytes = 256 << 10;
constexpr absl::Duration kSessionBudget = absl::Seconds(2);
constexpr absl::Duration kKillRound = absl::Milliseconds(5);
constexpr int kMaxKillRounds = 1000;
constexpr absl::Duration kReconcile = absl::Minutes(1);
constexpr int64_t kReconcileShare = 20;  // so many times as long as it took, everything else has its turn
constexpr size_t kMaxPrograms = 16;  // of one candidate that are looked at
constexpr size_t kMaxNested = 16;    // that wait until their candidate is known
constexpr char kUnknownAgent[] = "unknown";
constexpr size_t kMaxKeyValues = 8;  // of one join key: an app server runs several threads

// From /etc/passwd alone: no NSS module is ever loaded into the gate. Empty for a user from elsewhere.
std::string UserName(uint32_t uid) {
  FILE* const file = fopen("/etc/passwd", "re");
  if (file == nullptr) return "";
  std::string name;
  while (const passwd* entry = fgetpwent(file)) {
    if (entry->pw_uid != uid) continue;
    name = EscapeAndClip(entry->pw_name, 64);
    break;
  }
  fclose(file);
  return name;
}

// File systems stamp with a clock that goes in steps and lags behind: what is made from here on is not older than this.
absl::Time StartTime(const Clock& clock) {
  struct timespec stamp {};
  if (clock_gettime(CLOCK_REALTIME_COARSE, &stamp) != 0) return clock.Wall();
  return std::min(clock.Wall(), absl::TimeFromTimespec(stamp));
}

void SetRawPaths(const ExecEvent& event, v1::ConsultSession* question) {
  question->set_raw_executable(event.executable);
  question->set_raw_working_directory(event.cwd);
  if ((event.head.flags & HP_FLAG_SCRIPT) != 0) question->set_raw_script(event.filename);
  question->set_executable_size(event.file_size);
}

// What the judge is told of a candidate. It runs, so this is what it shows at this moment.
v1::ConsultSession Question(const ProcessId& id, v1::Process process) {
  v1::ConsultSession question;
  *question.mutable_process() = std::move(process);
  if (absl::StatusOr<ProcText> argv = ReadArgv(id, kMaxArgvBytes); argv.ok()) question.set_raw_argv(argv->bytes);
  if (absl::StatusOr<ProcText> env = ReadEnviron(id, kMaxEnvironmentBytes); env.ok()) {
    question.set_raw_environment(env->bytes);
  }
  return question;
}

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
  session.user = UserName(event.uid);
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
  v1::ConsultSession question = Question(event.head.process, process);
  SetRawPaths(event, &question);
  if (question.raw_argv().empty()) question.set_raw_argv(event.argv);
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
                  FactsAbout(core_.loop, core_.clock, absl::StrCat(core_.options.bin, "/holdpoint-reader"), task, file),
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

// A coding agent inside a session makes none of its own: where its own place is stricter, the whole session is there.
void SessionDesk::Enrich(const ExecEvent& event) {
  Session* session = core_.sessions.Find(event.head.session);
  if (session == nullptr) return;
  if (session->state == SessionState::kCandidate) {
    std::vector<ExecEvent>& waiting = nested_[session->number];
    if (waiting.size() < kMaxNested) waiting.push_back(event);
    return;
  }
  if (session->state != SessionState::kConfirmed) return;
  absl::StatusOr<UniqueFd> pidfd = OpenPidfd(event.head.process);
  if (!pidfd.ok()) return;
  const StoppedTask task{.id = event.head.process,
                         .exec_id = event.exec_id,
                         .pidfd = std::make_shared<UniqueFd>(*std::move(pidfd))};
  v1::ConsultSession question = Question(event.head.process, ProcessOf(event));
  SetRawPaths(event, &question);
  if (question.raw_argv().empty()) question.set_raw_argv(event.argv);
  question.set_enclosing_environment(session->environment);
  const SessionNumber number = event.head.session;
  AskAbout(std::move(question), task, event.file, [this, number](absl::StatusOr<v1::FromJudge> answer) {
    if (answer.ok() && answer->has_session() && answer->session().is_session()) Merge(number, answer->session(), false);
  });
}

// What is known of a second coding agent of a session. `outer`: it started the one that the session is known by.
void SessionDesk::Merge(SessionNumber number, const v1::SessionVerdict& nested, bool outer) {
  Session* named = core_.sessions.Find(number);
  if (named == nullptr || named->state != SessionState::kConfirmed) return;
  std::string inner = nested.coding_agent();
  if (outer || named->coding_agent == "run" || named->coding_agent == kUnknownAgent) {
    inner = std::exchange(named->coding_agent, nested.coding_agent());
    named->recognised_by = nested.recognised_by();
    named->hold_ms = nested.hold_ms();
    if (inner == "run" || inner == kUnknownAgent) inner = named->coding_agent;
  } else if (named->coding_agent == nested.coding_agent()) {
    return;  // A launcher and its program, or the coding agent's own helper.
  }
  if (inner != named->coding_agent && named->nested.size() < kMaxKeyValues &&
      std::find(named->nested.begin(), named->nested.end(), inner) == named->nested.end()) {
    named->nested.push_back(inner);
  }
  for (const std::string& flag : nested.guards_off()) {
    if (std::find(named->guards_off.begin(), named->guards_off.end(), flag) == named->guards_off.end()) {
      named->guards_off.push_back(flag);
    }
  }
  for (const auto& [key, value] : nested.join_keys()) named->join_keys[key] = value;
  // The judge gives the stricter of the two.
  if (nested.environment().environment() != named->environment) {
    named->environment = nested.environment().environment();
    named->environment_source = absl::StrCat(nested.environment().source(), " of a nested ", nested.coding_agent());
    named->environment_number = core_.policy.NumberOf(named->environment);
    Program(*named, named->kill_requested ? HP_SESSION_KILL : 0);
  }
  WriteUpdated(*named, outer ? "what started it is a coding agent" : "nested coding agent");
}

void SessionDesk::OnJoinKeys(Session& session, const google::protobuf::Map<std::string, std::string>& keys) {
  bool fresh = false;
  for (const auto& [name, value] : keys) {
    std::string& known = session.join_keys[name];
    const std::vector<std::string> values = absl::StrSplit(known, ',', absl::SkipEmpty());
    if (values.size() >= kMaxKeyValues || std::find(values.begin(), values.end(), value) != values.end()) continue;
    absl::StrAppend(&known, known.empty() ? "" : ",", value);
    fresh = true;
  }
  if (fresh) WriteUpdated(session, "ids of its tools");
}

void SessionDesk::WriteUpdated(const Session& session, const std::string& because) {
  v1::Envelope envelope;
  v1::SessionUpdated& updated = *envelope.mutable_session_updated();
  updated.set_because(because);
  updated.set_coding_agent(session.coding_agent);
  updated.set_recognised_by(session.recognised_by);
  for (const auto& [key, value] : session.join_keys) (*updated.mutable_join_keys())[key] = value;
  for (const std::string& flag : session.guards_off) updated.add_guards_off(flag);
  for (const std::string& nested : session.nested) updated.add_nested(nested);
  updated.mutable_environment()->set_environment(session.environment);
  updated.mutable_environment()->set_source(session.environment_source);
  const v1::Environment* environment = core_.policy.Find(session.environment);
  updated.mutable_environment()->set_protected_(environment != nullptr && environment->protected_());
  if (absl::StatusOr<v1::SessionStarted> kept = ReadKeptSession(core_.options.run, session.number); kept.ok()) {
    kept->set_coding_agent(session.coding_agent);
    kept->set_recognised_by(session.recognised_by);
    *kept->mutable_environment() = updated.environment();
    *kept->mutable_join_keys() = updated.join_keys();
    *kept->mutable_guards_off() = updated.guards_off();
    if (absl::Status again = KeepSession(core_.options.run, session.number, *kept); !again.ok()) {
      LogWarning("session ", session.id, " could not be kept for a restart: ", again.message());
    }
  }
  core_.ledger.Write(&session, std::move(envelope));
}

void SessionDesk::Program(const Session& session, uint32_t extra_flags) {
  const hp_session entry{.environment = session.environment_number,
                         .flags = core_.policy.SessionFlags(session.environment) | extra_flags};
  if (absl::Status set = core_.kernel.SetSession(session.number, entry); !set.ok()) {
    LogError("the kernel can't be told of session ", session.id, ": ", set.message());
  }
}

void SessionDesk::Confirm(SessionNumber number, const v1::SessionVerdict& verdict, v1::Process process) {
  Session* session = core_.sessions.Find(number);
  if (session == nullptr) return;
  session->state = SessionState::kConfirmed;
  session->coding_agent = verdict.coding_agent();
  session->recognised_by = verdict.recognised_by();
  session->environment = verdict.environment().environment();
  session->environment_source = verdict.environment().source();
  session->environment_number = core_.policy.NumberOf(session->environment);
  session->workspace = verdict.workspace();
  session->git_branch = verdict.git_branch();
  session->git_remote = verdict.git_remote();
  session->start_root = verdict.start().root();
  session->start_changes = verdict.start().changes();
  session->start_whole = verdict.start().whole();
  session->guards_off.assign(verdict.guards_off().begin(), verdict.guards_off().end());
  session->unattended = verdict.unattended();
  session->hold_ms = verdict.hold_ms();
  for (const auto& [key, value] : verdict.join_keys()) session->join_keys[key] = value;
  Program(*session, 0);
  *process.mutable_argv() = verdict.argv();
  WriteStarted(*session, process, verdict);
  Guards();
  if (on_known) on_known(number);
  auto waiting = nested_.extract(number);
  if (waiting.empty()) return;
  for (const ExecEvent& event : waiting.mapped()) Enrich(event);
}

void SessionDesk::WriteStarted(const Session& session, const v1::Process& process, const v1::SessionVerdict& verdict) {
  v1::Envelope envelope;
  envelope.set_boot_ns(session.started_boot.ns);
  envelope.set_rung("session: label in task storage");
  v1::SessionStarted& started = *envelope.mutable_session_started();
  *started.mutable_root() = process;
  started.set_coding_agent(session.coding_agent);
  started.set_recognised_by(session.recognised_by);
  started.set_owner(session.owner);
  started.set_workspace(session.workspace);
  started.set_git_branch(session.git_branch);
  *started.mutable_environment() = verdict.environment();
  started.set_unattended(session.unattended);
  started.set_user(session.user);
  started.set_found_at_start(session.found_at_start);
  for (const std::string& flag : session.guards_off) started.add_guards_off(flag);
  started.set_git_remote(session.git_remote);
  started.set_started_unix_ns(absl::ToUnixNanos(session.started));
  for (const auto& [key, value] : session.join_keys) (*started.mutable_join_keys())[key] = value;
  if (absl::Status kept = KeepSession(core_.options.run, session.number, started); !kept.ok()) {
    LogWarning("session ", session.id, " could not be kept for a restart: ", kept.message());
  }
  core_.ledger.Write(&session, std::move(envelope));
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

Session* SessionDesk::Adopt(SessionNumber number) {
  if (Session* known = core_.sessions.Find(number); known != nullptr) return known;
  Session session;
  session.number = number;
  session.state = SessionState::kConfirmed;
  session.coding_agent = kUnknownAgent;
  session.recognised_by = "label found, its beginning was not seen";
  session.started = StartTime(core_.clock);
  session.started_boot = core_.clock.Boot();
  absl::StatusOr<Session*> added = core_.sessions.Add(std::move(session));
  if (!added.ok()) return nullptr;
  Program(**added, 0);
  WriteStarted(**added, v1::Process(), v1::SessionVerdict());
  Guards();
  return *added;
}

void SessionDesk::Run(Launch launch, std::function<void(absl::StatusOr<std::string>)> done) {
  absl::StatusOr<hp_label> label = core_.kernel.Label(launch.pidfd->get());
  if (label.ok() && label->session != 0) {
    const Session* inside = core_.sessions.Find(label->session);
    if (inside != nullptr && inside->state == SessionState::kConfirmed) {
      if (launch.environment.empty() || launch.environment == inside->environment) {
        return done(absl::StrCat("already inside session ", inside->id));
      }
      return done(absl::PermissionDeniedError(
          absl::StrCat("this process is inside session ", inside->id, " (", inside->environment,
                       "): a session can't choose another environment")));
    }
  }
  v1::Process process;
  process.set_tgid(static_cast<uint32_t>(launch.process.tgid));
  process.set_start_boot_ns(launch.process.start_boot_ns);
  process.set_uid(launch.uid);
  process.set_gid(launch.gid);
  v1::ToJudge question;
  *question.mutable_session() = Question(launch.process, process);
  question.mutable_session()->set_launched(true);
  question.mutable_session()->set_launch_environment(launch.environment);
  question.mutable_session()->set_launch_owner(launch.owner);
  StoppedTask task{.id = launch.process, .exec_id = 0, .pidfd = launch.pidfd};
  core_.judge.Ask(
      std::move(question), kSessionBudget,
      FactsAbout(core_.loop, core_.clock, absl::StrCat(core_.options.bin, "/holdpoint-reader"), task),
      [this, launch, process, done](absl::StatusOr<v1::FromJudge> answer) {
        if (!answer.ok()) return done(answer.status());
        const v1::SessionVerdict& verdict = answer->session();
        if (!verdict.is_session()) {
          return done(absl::InvalidArgumentError(verdict.problem().empty() ? "no session can be started"
                                                                          : verdict.problem()));
        }
        v1::SessionVerdict named = verdict;
        if (named.recognised_by().empty()) named.set_recognised_by("holdpoint run");
        if (named.coding_agent().empty()) named.set_coding_agent(launch.coding_agent.empty() ? "run" : launch.coding_agent);
        const std::string& environment = verdict.environment().environment();
        absl::StatusOr<SessionNumber> number = Start({.process = launch.process,
                                                      .pidfd = launch.pidfd,
                                                      .uid = launch.uid,
                                                      .owner = EscapeAndClip(launch.owner, 63),
                                                      .shown = process},
                                                     named);
        if (!number.ok()) return done(number.status());
        done(absl::StrCat("session ", core_.sessions.IdOf(*number), " in environment ", environment));
      });
}

absl::StatusOr<SessionNumber> SessionDesk::Start(const SessionRoot& root, const v1::SessionVerdict& verdict,
                                                 SessionNumber leaving) {
  if (Session* below = SessionBelow(root.process, leaving); below != nullptr) return Join(*below, root, verdict);
  const std::string& environment = verdict.environment().environment();
  HP_ASSIGN_OR_RETURN(const SessionNumber number,
                      core_.kernel.NewSession(hp_session{.environment = core_.policy.NumberOf(environment),
                                                         .flags = core_.policy.SessionFlags(environment)}));
  Session session;
  session.number = number;
  session.uid = root.uid;
  session.user = UserName(root.uid);
  session.owner = root.owner;
  session.started = StartTime(core_.clock);
  session.started_boot = core_.clock.Boot();
  session.found_at_start = root.found_at_start;
  if (root.found_at_start) session.started -= session.started_boot - BootTime{root.process.start_boot_ns};
  if (absl::StatusOr<Session*> added = core_.sessions.Add(std::move(session)); !added.ok()) {
    (void)core_.kernel.EraseSession(number);
    return added.status();
  }
  Guards();  // Before the first task of the session can be held.
  absl::StatusOr<int> labelled = core_.kernel.LabelTree(root.pidfd->get(), number, HP_LABEL_ROOT, Live(leaving));
  if (!labelled.ok()) {
    core_.sessions.Erase(number);
    (void)core_.kernel.EraseSession(number);
    Guards();
    return labelled.status();
  }
  NameRoot(number, root);
  Confirm(number, verdict, root.shown);
  return number;
}

// The oldest session that a process, or what it has started, is in.
Session* SessionDesk::SessionBelow(const ProcessId& root, SessionNumber leaving) {
  absl::StatusOr<std::vector<Kernel::Task>> tasks = core_.kernel.Tasks();
  if (!tasks.ok()) return nullptr;
  std::set<pid_t> tree = {root.tgid};
  const auto is_in = [&tree](const Kernel::Task& task) { return tree.contains(task.id.tgid) || tree.contains(task.parent); };
  for (size_t before = 0; before != tree.size();) {
    before = tree.size();
    for (const Kernel::Task& task : *tasks) {
      if (is_in(task)) tree.insert(task.id.tgid);
    }
  }
  Session* oldest = nullptr;
  for (const Kernel::Task& task : *tasks) {
    if (!tree.contains(task.id.tgid) || task.label.session == 0 || task.label.session == leaving) continue;
    Session* session = core_.sessions.Find(task.label.session);
    const bool live = session != nullptr &&
                      (session->state == SessionState::kCandidate || session->state == SessionState::kConfirmed);
    if (live && (oldest == nullptr || session->number < oldest->number)) oldest = session;
  }
  return oldest;
}

absl::StatusOr<SessionNumber> SessionDesk::Join(Session& session, const SessionRoot& root,
                                                const v1::SessionVerdict& verdict) {
  const SessionNumber number = session.number;
  HP_RETURN_IF_ERROR(core_.kernel.LabelTree(root.pidfd->get(), number, HP_LABEL_ROOT, Live(number)).status());
  NameRoot(number, root);
  if (session.state == SessionState::kCandidate) {
    session.owner = root.owner;
    Confirm(number, verdict, root.shown);
    return number;
  }
  if (session.coding_agent == verdict.coding_agent()) {
    WriteUpdated(session, "what started it is the same coding agent");
    return number;
  }
  // Another one around it: the stricter of both places counts, which the judge knows.
  absl::StatusOr<RunningProgram> running = LookAtRunning(root.process);
  if (!running.ok()) return number;
  running->question.set_enclosing_environment(session.environment);
  const StoppedTask task{.id = root.process, .exec_id = 0, .pidfd = root.pidfd};
  AskAbout(std::move(running->question), task, running->file, [this, number](absl::StatusOr<v1::FromJudge> answer) {
    if (answer.ok() && answer->has_session() && answer->session().is_session()) Merge(number, answer->session(), true);
  });
  return number;
}

std::set<SessionNumber> SessionDesk::Live(SessionNumber except) const {
  std::set<SessionNumber> live;
  for (const Session* session : core_.sessions.All()) {
    const bool counts = session->state == SessionState::kCandidate || session->state == SessionState::kConfirmed;
    if (counts && session->number != except) live.insert(session->number);
  }
  return live;
}

void SessionDesk::NameRoot(SessionNumber number, const SessionRoot& root) {
  Session* session = core_.sessions.Find(number);
  session->root = root.process;
  // Its client knows its own start to 10 ms only; the kernel will tell of its end by the exact one.
  const absl::StatusOr<hp_label> label = core_.kernel.Label(root.pidfd->get());
  if (!label.ok() || label->start_boot_ns == 0) return;  // It is counted as alive when it is next seen.
  session->root.start_boot_ns = label->start_boot_ns;
  core_.sessions.ProcessSeen(number, session->root);
}

void SessionDesk::OnExit(const ExitEvent& event) { core_.sessions.ProcessExited(event.head.session, event.head.process); }

void SessionDesk::Tick() {
  for (Rollup& rollup : core_.rollups.Flush(core_.clock.Wall())) {
    core_.ledger.Rolled(core_.sessions.Find(rollup.session), {rollup});
  }
  // Lost events leave things behind: once a minute the kernel says how it is, whatever the table thinks.
  const BootTime now = core_.clock.Boot();
  const bool due = !core_.sessions.empty() && now - reconciled_ >= kReconcile;
  if (now < reconcile_not_before_ || (!due && core_.sessions.MaybeEnded().empty())) return;
  reconciled_ = now;
  absl::StatusOr<std::vector<Kernel::LabelledTask>> tasks = core_.kernel.LabelledTasks();
  if (!tasks.ok()) {
    LogWarning("labelled tasks can't be listed: ", tasks.status().message());
    return;
  }
  std::vector<std::pair<SessionNumber, ProcessId>> alive;
  for (const Kernel::LabelledTask& task : *tasks) alive.emplace_back(task.label.session, task.id);
  for (const SessionNumber number : core_.sessions.Reconcile(alive)) End(number, "");
  const BootTime after = core_.clock.Boot();
  reconcile_not_before_ = after + kReconcileShare * (after - now);
}

void SessionDesk::End(SessionNumber number, const std::string& reason) {
  Session* session = core_.sessions.Find(number);
  if (session == nullptr) return;
  for (const Rollup& rollup : core_.rollups.FlushSession(number)) core_.ledger.Rolled(session, {rollup});
  if (session->coding_agent.empty()) {
    // A candidate that was none: no session was ever recorded.
  } else {
    v1::Envelope envelope;
    v1::SessionEnded& ended = *envelope.mutable_session_ended();
    ended.set_reason(!reason.empty() ? reason : session->kill_requested ? "killed" : "exited");
    ended.set_execs(session->counters.execs);
    ended.set_connects(session->counters.connects);
    ended.set_refused(session->counters.refused);
    ended.set_started_unix_ns(absl::ToUnixNanos(session->started));
    ended.set_coding_agent(session->coding_agent);
    core_.ledger.Write(session, std::move(envelope));
  }
  if (absl::Status erased = core_.kernel.EraseSession(number); !erased.ok() && !absl::IsNotFound(erased)) {
    LogWarning("session ", session->id, " stays in the kernel's table: ", erased.message());
  }
  ForgetSession(core_.options.run, number);
  nested_.erase(number);
  core_.intent.Forget(number);
  core_.sessions.Erase(number);
  Guards();
}

void SessionDesk::Guards() {
  bool wanted = false;
  for (const Session* session : core_.sessions.All()) wanted |= session->state != SessionState::kDissolved;
  if (wanted == guards_on_) return;
  if (absl::Status set = core_.kernel.SetGuards(wanted); !set.ok()) {
    LogError("the hold guards: ", set.message());
    return;
  }
  guards_on_ = wanted;
}

void SessionDesk::Kill(SessionNumber number, const std::string& why, std::function<void(absl::StatusOr<int>)> done) {
  Session* session = core_.sessions.Find(number);
  if (session == nullptr) {
    if (done) done(absl::NotFoundError("no such session"));
    return;
  }
  if (!session->kill_requested) {
    session->kill_requested = true;
    v1::Decision decision;
    decision.set_decision("kill");
    decision.set_reason(why);
    decision.set_accepted(true);
    core_.ledger.Decision(session, std::move(decision));
  }
  Program(*session, HP_SESSION_KILL);
  Killing& killing = killing_[number];
  killing.rounds = 0;
  if (done) killing.done.push_back(std::move(done));
  KillRound();
}

// Of every session that is being ended: to list the tasks of a host is what costs.
void SessionDesk::KillRound() {
  const BootTime began = core_.clock.Boot();
  absl::StatusOr<std::vector<Kernel::LabelledTask>> tasks = core_.kernel.LabelledTasks();
  for (auto& [number, killing] : killing_) killing.alive = 0;
  for (const Kernel::LabelledTask& task : tasks.ok() ? *tasks : std::vector<Kernel::LabelledTask>()) {
    const auto found = killing_.find(task.label.session);
    if (found == killing_.end()) continue;
    absl::StatusOr<UniqueFd> pidfd = OpenPidfd(task.id);
    if (!pidfd.ok()) continue;
    ++found->second.alive;
    // What is held can do nothing; who waits for it could see it end and go on. So it is left for the next round.
    const bool held = task.label.state == HP_TASK_HELD || task.label.state == HP_TASK_OWNED || task.label.state == HP_TASK_WAITS;
    if (held && found->second.rounds == 0) continue;
    syscall(SYS_pidfd_send_signal, pidfd->get(), SIGKILL, nullptr, 0);
    found->second.killed.insert(task.id);
  }
  std::vector<Killing> over;
  for (auto it = killing_.begin(); it != killing_.end();) {
    const bool goes_on = tasks.ok() && it->second.alive > 0 && ++it->second.rounds < kMaxKillRounds;
    if (!goes_on) over.push_back(std::move(it->second));
    it = goes_on ? std::next(it) : killing_.erase(it);
  }
  for (const Killing& killing : over) {
    absl::StatusOr<int> result = static_cast<int>(killing.killed.size());
    if (killing.alive > 0) result = absl::DeadlineExceededError("some processes do not end");
    if (!tasks.ok()) result = tasks.status();
    for (const auto& done : killing.done) done(result);
  }
  if (killing_.empty() || kill_timer_ != 0) return;
  // What was signalled needs a moment to be gone; a fork that raced with the flag shows up in the next round. On a host
  // with very many tasks a round is long, and everything else needs its turn too.
  const BootTime now = core_.clock.Boot();
  kill_timer_ = core_.loop.At(now + std::max(kKillRound, 2 * (now - began)), [this] {
    kill_timer_ = 0;
    KillRound();
  });
}

absl::Status SessionDesk::TakeOver() {
  HP_ASSIGN_OR_RETURN(std::vector<Kernel::LabelledTask> tasks, core_.kernel.LabelledTasks());
  using Known = std::map<SessionNumber, hp_session>;
  HP_ASSIGN_OR_RETURN(Known known, core_.kernel.Sessions());
  std::set<SessionNumber> alive;
  for (const Kernel::LabelledTask& task : tasks) {
    if (task.label.session != 0) alive.insert(task.label.session);
  }
  for (const auto& [number, entry] : known) {
    if (!alive.contains(number) || (entry.flags & HP_SESSION_DISSOLVED) != 0) {
      HP_RETURN_IF_ERROR(core_.kernel.EraseSession(number));
      ForgetSession(core_.options.run, number);
      alive.erase(number);
    }
  }
  for (const SessionNumber number : alive) {
    absl::StatusOr<v1::SessionStarted> kept = ReadKeptSession(core_.options.run, number);
    if (!kept.ok()) {
      Adopt(number);
      continue;
    }
    Session session;
    session.number = number;
    session.state = SessionState::kConfirmed;
    session.root = ProcessId{static_cast<pid_t>(kept->root().tgid()), kept->root().start_boot_ns()};
    session.uid = kept->root().uid();
    session.coding_agent = kept->coding_agent();
    session.recognised_by = kept->recognised_by();
    session.owner = kept->owner();
    session.workspace = kept->workspace();
    session.git_branch = kept->git_branch();
    session.git_remote = kept->git_remote();
    session.guards_off.assign(kept->guards_off().begin(), kept->guards_off().end());
    session.environment = kept->environment().environment();
    session.environment_source = kept->environment().source();
    session.environment_number = core_.policy.NumberOf(session.environment);
    session.unattended = kept->unattended();
    session.user = kept->user();
    session.found_at_start = true;
    session.started = kept->started_unix_ns() == 0 ? core_.clock.Wall() : absl::FromUnixNanos(kept->started_unix_ns());
    session.started_boot = core_.clock.Boot();
    for (const auto& [key, value] : kept->join_keys()) session.join_keys[key] = value;
    HP_ASSIGN_OR_RETURN(Session * added, core_.sessions.Add(std::move(session)));
    Program(*added, 0);
    v1::SessionVerdict verdict;
    *verdict.mutable_environment() = kept->environment();
    WriteStarted(*added, kept->root(), verdict);
  }
  for (const Kernel::LabelledTask& task : tasks) {
    core_.sessions.ProcessSeen(task.label.session, task.id);
    if (task.label.state != HP_TASK_HELD && task.label.state != HP_TASK_OWNED) continue;
    // Stopped by the daemon that is gone, in the moment before it was traced: nobody remembers why. It ends.
    absl::StatusOr<UniqueFd> pidfd = OpenPidfd(task.id);
    if (!pidfd.ok()) continue;
    syscall(SYS_pidfd_send_signal, pidfd->get(), SIGKILL, nullptr, 0);
    v1::Outcome outcome;
    outcome.set_exec_id(task.label.exec_id);
    outcome.set_what("killed");
    outcome.set_detail("it was held when the gate ended");
    outcome.mutable_process()->set_tgid(static_cast<uint32_t>(task.id.tgid));
    core_.ledger.Outcome(core_.sessions.Find(task.label.session), std::move(outcome), "takeover");
  }
  Guards();
  return absl::OkStatus();
}

void SessionDesk::Reprogram() {
  for (const Session* listed : core_.sessions.All()) {
    Session* session = core_.sessions.Find(listed->number);
    if (session->state != SessionState::kConfirmed) continue;
    session->environment_number = core_.policy.NumberOf(session->environment);
    Program(*session, session->kill_requested ? HP_SESSION_KILL : 0);
  }
}

}  // namespace holdpoint
