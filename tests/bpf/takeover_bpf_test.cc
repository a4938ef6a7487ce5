// The daemon dies, restarts, is started twice, lacks something.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/bpf/fixture.h"

namespace holdpoint {
namespace {

constexpr uint32_t kEnforce = HP_SESSION_CONFIRMED | HP_SESSION_ENFORCE;

// The letter of /proc/PID/stat of the only child of a process, 0 where there is none.
char StateOfChild(pid_t parent) {
  pid_t child = 0;
  std::ifstream(absl::StrCat("/proc/", parent, "/task/", parent, "/children")) >> child;
  std::string pid, name, state;
  std::ifstream(absl::StrCat("/proc/", child, "/stat")) >> pid >> name >> state;
  return state.empty() ? 0 : state[0];
}

class TakeoverTest : public KernelTest {
 protected:
  void SetUp() override { scope_ = std::make_unique<TestCgroup>("scope"); }

  // A gate in a process of its own, which writes a byte when it is ready and then waits to be killed.
  Child StartGate(std::function<void(Kernel&)> prepare) {
    int ready[2];
    EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
    Child gate = OutsideScope([this, ready, prepare] {
      absl::StatusOr<std::unique_ptr<Kernel>> kernel = Kernel::Open(DefaultOptions());
      if (!kernel.ok()) {
        fprintf(stderr, "%s\n", kernel.status().ToString().c_str());
        return 1;
      }
      (*kernel)->Beat(Clock::Real().Boot());
      prepare(**kernel);
      if (write(ready[1], "r", 1) != 1) return 1;
      pause();
      return 0;
    });
    gate.Go();
    close(ready[1]);
    char byte;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return gate;
  }
  static void Kill(Child& gate) {
    kill(gate.pid(), SIGKILL);
    gate.Reap();
  }
};

TEST_F(TakeoverTest, DeathOfTheGateAppliesTheFailModeAtOnce) {
  Child closed = InScope([] { return RunProgram({"/bin/true", "closed"}) == SIGKILL ? 0 : 1; });
  Child open = InScope([] { return RunProgram({"/bin/true", "open"}); });
  Child gate = StartGate([&](Kernel& kernel) {
    const auto session = kernel.NewSession({.environment = 1, .flags = kEnforce | HP_SESSION_FAIL_CLOSED});
    const auto other = kernel.NewSession({.environment = 1, .flags = kEnforce});
    EXPECT_TRUE(kernel.LabelTree(closed.pidfd(), *session, HP_LABEL_ROOT, {}).ok());
    EXPECT_TRUE(kernel.LabelTree(open.pidfd(), *other, HP_LABEL_ROOT, {}).ok());
  });
  Kill(gate);
  closed.Go();
  EXPECT_EQ(closed.Reap(), 0);
  open.Go();
  EXPECT_EQ(open.Reap(), 0);
  Open(DefaultOptions());  // What happened meanwhile is still in the rings.
  gate_->Drain();
  ASSERT_EQ(gate_->Find(HP_EVENT_KILLED, "closed").size(), 1u);
  EXPECT_EQ(gate_->Find(HP_EVENT_KILLED, "closed")[0].reason, HP_REASON_STALE);
  ASSERT_EQ(gate_->Find(HP_EVENT_EXEC, "open").size(), 1u);
  EXPECT_EQ(gate_->Find(HP_EVENT_EXEC, "open")[0].reason, HP_REASON_STALE_OPEN);
}

TEST_F(TakeoverTest, RestartFindsSessionsLabelsAndHeldTasks) {
  Child root = InScope([] { return RunProgram({"/bin/true", "held"}); });
  SessionNumber session = 0;
  int number_pipe[2];
  ASSERT_EQ(pipe(number_pipe), 0);
  Child gate = StartGate([&](Kernel& kernel) {
    const SessionNumber made = *kernel.NewSession({.environment = 5, .flags = kEnforce});
    EXPECT_TRUE(kernel.LabelTree(root.pidfd(), made, HP_LABEL_ROOT, {}).ok());
    EXPECT_EQ(write(number_pipe[1], &made, sizeof(made)), static_cast<ssize_t>(sizeof(made)));
  });
  ASSERT_EQ(read(number_pipe[0], &session, sizeof(session)), static_cast<ssize_t>(sizeof(session)));
  root.Go();
  // A parent that does not look for stops tells nobody of them: its child's state is read until it is one.
  const absl::Time deadline = absl::Now() + absl::Seconds(120);
  while (StateOfChild(root.pid()) != 'T' && absl::Now() < deadline) continue;
  ASSERT_EQ(StateOfChild(root.pid()), 'T');
  Kill(gate);

  Open(DefaultOptions());
  EXPECT_TRUE(kernel_->TookOver());
  const auto sessions = kernel_->Sessions();
  ASSERT_TRUE(sessions.ok());
  ASSERT_TRUE(sessions->contains(session));
  EXPECT_EQ(sessions->at(session).environment, 5u);
  const auto tasks = kernel_->LabelledTasks();
  ASSERT_TRUE(tasks.ok()) << tasks.status();
  int held = 0;
  bool found_root = false;
  for (const Kernel::LabelledTask& task : *tasks) {
    EXPECT_EQ(task.label.session, session);
    held += task.label.state == HP_TASK_HELD;
    found_root |= task.id.tgid == root.pid() && task.label.flags & HP_LABEL_ROOT;
  }
  EXPECT_EQ(held, 1);
  EXPECT_TRUE(found_root);
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);  // The question is still in the ring, and gets its answer.
  EXPECT_EQ(gate_->Find(HP_EVENT_ASK, "held").size(), 1u);
}

TEST_F(TakeoverTest, OneExecIsSeenOnce) {
  for (int i = 0; i < 3; ++i) {
    Child gate = StartGate([](Kernel&) {});
    Kill(gate);
  }
  Open(DefaultOptions());
  Child root = InScope([] { return RunProgram({"/bin/true", "once"}); });
  Label(root, HP_SESSION_CONFIRMED);
  root.Go();
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
  EXPECT_EQ(gate_->Find(HP_EVENT_EXEC, "once").size(), 1u);
  EXPECT_EQ(gate_->exits.size(), 2u);
}

TEST_F(TakeoverTest, NumbersDoNotComeAgainAfterAnUninstall) {
  Open(DefaultOptions());
  const SessionNumber first = *kernel_->NewSession({.environment = 1, .flags = 0});
  Close();
  Open(DefaultOptions());
  EXPECT_FALSE(kernel_->TookOver());
  EXPECT_GT(*kernel_->NewSession({.environment = 1, .flags = 0}), first);
}

TEST_F(TakeoverTest, DetachLeavesNothing) {
  Open(DefaultOptions());
  Child root = InScope([] { return RunProgram({"/bin/true", "free"}); });
  Label(root, kEnforce | HP_SESSION_FAIL_CLOSED);
  Close();
  EXPECT_NE(access("/sys/fs/bpf/holdpoint-test", F_OK), 0);
  root.Go();
  EXPECT_EQ(root.Reap(), 0);
}

TEST_F(TakeoverTest, SecondDaemonOnTheSamePinsIsRefused) {
  Open(DefaultOptions());
  TestCgroup other("other");
  Kernel::Options options = DefaultOptions();
  options.scope_cgroup = other.path();
  const auto second = Kernel::Open(options);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists) << second.status();
}

TEST_F(TakeoverTest, OverlappingScopeIsRefusedAndADisjointOneIsNot) {
  Open(DefaultOptions());
  Kernel::Options options = DefaultOptions();
  options.pin_dir = "/sys/fs/bpf/holdpoint-second";
  EXPECT_EQ(Kernel::Open(options).status().code(), absl::StatusCode::kAlreadyExists);
  options.scope_cgroup = absl::StrCat(scope_->path(), "/inner");
  ASSERT_EQ(mkdir(options.scope_cgroup.c_str(), 0755), 0);
  const auto inner = Kernel::Open(options);
  EXPECT_EQ(inner.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_NE(std::string(inner.status().message()).find(scope_->path()), std::string::npos) << inner.status();
  rmdir(options.scope_cgroup.c_str());
  TestCgroup beside("beside");
  options.scope_cgroup = beside.path();
  const auto second = Kernel::Open(options);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE((*second)->Detach().ok());
}

TEST_F(TakeoverTest, TwoDaemonsKeepToTheirScopes) {
  Open(DefaultOptions());
  ASSERT_TRUE(kernel_->SetAgentNames({"true"}).ok());
  ASSERT_TRUE(kernel_->SetRecognition(true, 0, 0).ok());
  TestCgroup beside("beside");
  Kernel::Options options = DefaultOptions();
  options.pin_dir = "/sys/fs/bpf/holdpoint-second";
  options.scope_cgroup = beside.path();
  const auto second = Kernel::Open(options);
  ASSERT_TRUE(second.ok()) << second.status();
  MiniGate other(**second);
  Child runner = Child::Fork(&beside, [] { return RunProgram({"/bin/true", "theirs"}); });
  runner.Go();
  EXPECT_EQ(gate_->RunUntilEnd(runner), 0);
  other.Drain();
  EXPECT_TRUE(gate_->execs.empty());
  EXPECT_TRUE(other.execs.empty());  // It was told no names.
  EXPECT_TRUE((*second)->Detach().ok());
}

TEST_F(TakeoverTest, LowestRungsStillLabelAndHold) {
  Kernel::Options options = DefaultOptions();
  options.without = {"guard-return",  "guard-fault",     "guard-signal", "guard-lsm", "guard-told",  "tamper-lsm",
                     "tamper-told",  "unix-lsm",        "unix-exit",    "unix-ready", "leave",
                     "kill-children", "connect-storage", "connect-tgid", "iterator", "triage"};
  Open(options);
  ASSERT_TRUE(kernel_->SetGuards(true).ok());
  for (const Rung& rung : kernel_->Rungs()) {
    if (rung.capability == "exec") continue;
    EXPECT_FALSE(rung.missing.empty()) << rung.capability;
    EXPECT_EQ(rung.in_use, rung.capability == "task list" ? "/proc" : "none") << rung.capability;
  }
  Child root = InScope([] {
    const pid_t pid = fork();
    if (pid == 0) {
      _exit(RunProgram({"/bin/true", "low"}));
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
  });
  const SessionNumber session = Label(root, kEnforce);
  root.Go();
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
  ASSERT_EQ(gate_->Find(HP_EVENT_ASK, "low").size(), 1u);
  EXPECT_EQ(gate_->Find(HP_EVENT_ASK, "low")[0].head.session, session);
}

TEST_F(TakeoverTest, ProcListFindsWhatTheIteratorFinds) {
  Kernel::Options options = DefaultOptions();
  options.without = {"iterator"};
  Open(options);
  Child root = InScope([] { return 0; });
  const SessionNumber session = Label(root, kEnforce);
  const auto tasks = kernel_->LabelledTasks();
  ASSERT_TRUE(tasks.ok()) << tasks.status();
  ASSERT_EQ(tasks->size(), 1u);
  EXPECT_EQ(tasks->at(0).id.tgid, root.pid());
  EXPECT_EQ(tasks->at(0).label.session, session);
}

TEST_F(TakeoverTest, LabelTreeFindsWhatAlreadyRuns) {
  Open(DefaultOptions());
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  Child root = InScope([&] {
    const pid_t child = fork();
    if (child == 0) {
      const pid_t grandchild = fork();
      if (grandchild == 0) {
        (void)!write(ready[1], "r", 1);
        pause();
      }
      pause();
    }
    pause();
    return 0;
  });
  root.Go();
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  const auto session = kernel_->NewSession({.environment = 1, .flags = kEnforce});
  const auto labelled = kernel_->LabelTree(root.pidfd(), *session, HP_LABEL_ROOT, {});
  ASSERT_TRUE(labelled.ok()) << labelled.status();
  EXPECT_EQ(*labelled, 3);
  const auto tasks = kernel_->LabelledTasks();
  ASSERT_TRUE(tasks.ok());
  EXPECT_EQ(tasks->size(), 3u);
}

// ---- What is missing is said in one sentence ----

TEST_F(TakeoverTest, ScopeThatIsNotThereIsSaid) {
  Kernel::Options options = DefaultOptions();
  options.scope_cgroup = scope_->path() + "/nothing";
  const auto kernel = Kernel::Open(options);
  EXPECT_EQ(kernel.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(std::string(kernel.status().message()).find("/nothing"), std::string::npos) << kernel.status();
}

TEST_F(TakeoverTest, ScopeThatIsNoCgroupIsSaid) {
  Kernel::Options options = DefaultOptions();
  options.scope_cgroup = "/tmp";
  EXPECT_EQ(Kernel::Open(options).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(TakeoverTest, PinsOutsideABpffsAreSaid) {
  Kernel::Options options = DefaultOptions();
  options.pin_dir = "/tmp/holdpoint-pins";
  EXPECT_EQ(Kernel::Open(options).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(TakeoverTest, BpffsIsMountedWhereItIsMissing) {
  ASSERT_EQ(umount2("/sys/fs/bpf", MNT_DETACH), 0);
  while (umount2("/sys/fs/bpf", MNT_DETACH) == 0) continue;  // The host's own, in our namespace.
  Open(DefaultOptions());
  EXPECT_EQ(access("/sys/fs/bpf/holdpoint-test/v1/maps/hp_config", F_OK), 0);
}

TEST_F(TakeoverTest, WithoutTheRightItSaysSo) {
  Child user = OutsideScope([this] {
    if (mkdir("/run/holdpoint-scopes", 0755) != 0 && errno != EEXIST) return 3;
    if (setuid(65534) != 0) return 2;
    const auto kernel = Kernel::Open(DefaultOptions());
    return kernel.status().code() == absl::StatusCode::kPermissionDenied ? 0 : 1;
  });
  user.Go();
  EXPECT_EQ(user.Reap(), 0);
}

}  // namespace
}  // namespace holdpoint
