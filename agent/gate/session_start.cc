// A running process becomes a session: by `holdpoint run`, or because it was known late.
#include "agent/gate/session_desk.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/gate/facts.h"
#include "agent/gate/session_facts.h"

namespace holdpoint {

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
  *question.mutable_session() = SessionQuestion(launch.process, process);
  question.mutable_session()->set_launched(true);
  question.mutable_session()->set_launch_environment(launch.environment);
  question.mutable_session()->set_launch_owner(launch.owner);
  StoppedTask task{.id = launch.process, .exec_id = 0, .pidfd = launch.pidfd};
  core_.judge.Ask(
      std::move(question), kSessionBudget,
      core_.facts.About(task),
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
  session.user = PasswdOf(root.uid).name;
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
  absl::StatusOr<std::vector<Kernel::Task>> tasks = core_.kernel.Tasks(root.tgid);
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

void SessionDesk::NameRoot(SessionNumber number, const SessionRoot& root) {
  Session* session = core_.sessions.Find(number);
  session->root = root.process;
  // Its client knows its own start to 10 ms only; the kernel will tell of its end by the exact one.
  const absl::StatusOr<hp_label> label = core_.kernel.Label(root.pidfd->get());
  if (!label.ok() || label->start_boot_ns == 0) return;  // It is counted as alive when it is next seen.
  session->root.start_boot_ns = label->start_boot_ns;
  core_.sessions.ProcessSeen(number, session->root);
}

}  // namespace holdpoint
