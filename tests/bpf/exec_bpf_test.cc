// What becomes of an exec inside a session: passes, stops, dies.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"
#include "agent/base/file_id.h"
#include "tests/bpf/fixture.h"

namespace holdpoint {
namespace {

constexpr uint32_t kEnforce = HP_SESSION_CONFIRMED | HP_SESSION_ENFORCE;

class ExecTest : public KernelTest {
 protected:
  // Runs `body` as the root of a session; its exit status.
  int RunSession(uint32_t flags, std::function<int()> body) {
    Child root = InScope(std::move(body));
    session_ = Label(root, flags);
    root.Go();
    const int status = gate_->RunUntilEnd(root);
    EXPECT_TRUE(WIFEXITED(status)) << status;
    return WEXITSTATUS(status);
  }
  // The only event with `word` in its argv.
  ExecEvent Only(const std::string& word) const {
    std::vector<ExecEvent> found;
    for (const ExecEvent& event : gate_->execs) {
      const std::vector<std::string> argv = event.Argv();
      if (std::find(argv.begin(), argv.end(), word) != argv.end()) found.push_back(event);
    }
    EXPECT_EQ(found.size(), 1u) << word;
    return found.size() == 1 ? found[0] : ExecEvent{};
  }
  uint64_t Stat(hp_stat stat) const {
    const absl::StatusOr<std::vector<uint64_t>> stats = kernel_->Stats();
    return stats.ok() ? stats->at(stat) : ~0ull;
  }

  SessionNumber session_ = 0;
};

// A directory for files that a test makes, on whatever /tmp is.
class Scratch {
 public:
  Scratch() {
    char name[] = "/tmp/hp-bpf-test-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Scratch() { RunProgram({"/bin/rm", "-r", path_}); }
  std::string operator/(const std::string& name) const { return absl::StrCat(path_, "/", name); }

 private:
  std::string path_;
};

void WriteScript(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
  EXPECT_EQ(chmod(path.c_str(), 0755), 0);
}

TEST_F(ExecTest, UnseenIsStoppedAndContinues) {
  EXPECT_EQ(RunSession(kEnforce, [] { return RunProgram({"/bin/true", "asked"}); }), 0);
  const ExecEvent asked = Only("asked");
  EXPECT_EQ(asked.head.kind, HP_EVENT_ASK);
  EXPECT_EQ(asked.reason, HP_REASON_UNSEEN);
  EXPECT_EQ(Stat(HP_STAT_EXEC_ASKED), 1u);
}

TEST_F(ExecTest, KilledWhileHeldRunsNothing) {
  gate_->on_ask = [](const ExecEvent&) { return MiniGate::Answer::kKill; };
  EXPECT_EQ(RunSession(kEnforce, [] { return RunProgram({"/bin/true", "killed"}) == SIGKILL ? 0 : 1; }), 0);
}

TEST_F(ExecTest, ObservedSessionIsNeverStopped) {
  EXPECT_EQ(RunSession(HP_SESSION_CONFIRMED, [] { return RunProgram({"/bin/true", "observed"}); }), 0);
  EXPECT_EQ(Only("observed").head.kind, HP_EVENT_EXEC);
  EXPECT_EQ(Only("observed").reason, HP_REASON_OBSERVE);
}

TEST_F(ExecTest, HarmlessPasses) {
  SetClassOf("/bin/true", HP_CLASS_HARMLESS);
  EXPECT_EQ(RunSession(kEnforce, [] { return RunProgram({"/bin/true", "harmless"}); }), 0);
  EXPECT_EQ(Only("harmless").head.kind, HP_EVENT_EXEC);
  EXPECT_EQ(Only("harmless").reason, HP_REASON_HARMLESS);
}

TEST_F(ExecTest, ListedIsAskedAsListed) {
  for (hp_class_value value : {HP_CLASS_ARGUMENTS, HP_CLASS_ASK}) {
    SetClassOf("/bin/true", value);
    gate_->execs.clear();
    EXPECT_EQ(RunSession(kEnforce, [] { return RunProgram({"/bin/true", "listed"}); }), 0);
    EXPECT_EQ(Only("listed").reason, HP_REASON_CLASS);
    EXPECT_EQ(Only("listed").class_value, value);
  }
}

TEST_F(ExecTest, AnotherGenerationMakesTheClassStale) {
  SetClassOf("/bin/true", HP_CLASS_HARMLESS);
  ASSERT_TRUE(kernel_->SetPolicyGeneration(kGeneration + 1).ok());
  EXPECT_EQ(RunSession(kEnforce, [] { return RunProgram({"/bin/true", "stale"}); }), 0);
  EXPECT_EQ(Only("stale").reason, HP_REASON_UNSEEN);
}

TEST_F(ExecTest, ChangedFileIsUnseen) {
  struct stat st;
  ASSERT_EQ(stat("/bin/true", &st), 0);
  FileId file = FileIdFromStat(st);
  file.ctime_ns -= 1;
  ASSERT_TRUE(kernel_->SetClass(file, HP_CLASS_HARMLESS, 0, kGeneration).ok());
  EXPECT_EQ(RunSession(kEnforce, [] { return RunProgram({"/bin/true", "changed"}); }), 0);
  EXPECT_EQ(Only("changed").reason, HP_REASON_UNSEEN);
}

TEST_F(ExecTest, FileThatMayStillBeWrittenGetsNoClass) {
  Scratch scratch;
  const std::string path = scratch / "fresh";
  ASSERT_EQ(RunProgram({"/bin/cp", "/bin/true", path}), 0);
  // Its ctime is now: the next write may have the same. Where this took longer than it is fresh, once more.
  absl::Time changed;
  int tries = 0;
  do {
    ASSERT_LT(++tries, 1000);
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
    struct stat st;
    ASSERT_EQ(stat(path.c_str(), &st), 0);
    changed = absl::TimeFromTimespec(st.st_ctim);
    SetClassOf(path, HP_CLASS_HARMLESS);
  } while (absl::Now() - changed >= absl::Milliseconds(50));
  EXPECT_EQ(RunSession(kEnforce, [&] { return RunProgram({path, "young"}); }), 0);
  EXPECT_EQ(Only("young").reason, HP_REASON_UNSEEN);
}

TEST_F(ExecTest, CopyAndLinkAreKnownByWhatTheyAre) {
  Scratch scratch;
  SetClassOf("/bin/true", HP_CLASS_HARMLESS);
  ASSERT_EQ(RunProgram({"/bin/cp", "/bin/true", scratch / "copy"}), 0);
  ASSERT_EQ(symlink("/bin/true", (scratch / "link").c_str()), 0);
  EXPECT_EQ(RunSession(kEnforce,
                       [&] {
                         return RunProgram({scratch / "copy", "copied"}) | RunProgram({scratch / "link", "linked"});
                       }),
            0);
  EXPECT_EQ(Only("copied").reason, HP_REASON_UNSEEN);
  EXPECT_EQ(Only("linked").reason, HP_REASON_HARMLESS);
  EXPECT_EQ(Only("linked").executable, "/usr/bin/true");
}

TEST_F(ExecTest, ApprovalIsForOneExec) {
  EXPECT_EQ(RunSession(kEnforce, [] { return RunProgram({"/bin/sh", "-c", "exec /bin/true second"}); }), 0);
  EXPECT_EQ(Only("-c").head.kind, HP_EVENT_ASK);
  EXPECT_EQ(Only("second").head.kind, HP_EVENT_ASK);
  EXPECT_EQ(Only("second").head.process, Only("-c").head.process);
  EXPECT_NE(Only("second").exec_id, Only("-c").exec_id);
}

TEST_F(ExecTest, LateApprovalOfAnEarlierExecDoesNothing) {
  uint64_t first = 0;
  absl::Status late;
  gate_->on_ask = [&](const ExecEvent& event) {
    if (first == 0) {
      first = event.exec_id;
    } else {
      const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, event.head.process.tgid, 0));
      late = kernel_->SetTaskState(pidfd, first, HP_TASK_PASSED);
      close(pidfd);
    }
    return MiniGate::Answer::kContinue;
  };
  EXPECT_EQ(RunSession(kEnforce, [] { return RunProgram({"/bin/sh", "-c", "exec /bin/true second"}); }), 0);
  EXPECT_EQ(late.code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ExecTest, StaleHeartbeatFailsOpen) {
  gate_->beating = false;
  kernel_->Beat(BootTime{0});
  EXPECT_EQ(RunSession(kEnforce, [] { return RunProgram({"/bin/true", "open"}); }), 0);
  EXPECT_EQ(Only("open").head.kind, HP_EVENT_EXEC);
  EXPECT_EQ(Only("open").reason, HP_REASON_STALE_OPEN);
  EXPECT_EQ(Stat(HP_STAT_FAIL_OPEN), 1u);
}

TEST_F(ExecTest, StaleHeartbeatFailsClosed) {
  gate_->beating = false;
  kernel_->Beat(BootTime{0});
  EXPECT_EQ(RunSession(kEnforce | HP_SESSION_FAIL_CLOSED,
                       [] {
                         return RunProgram({"/bin/true", "closed"}) == SIGKILL ? 0 : 1;
                       }),
            0);
  EXPECT_EQ(Only("closed").head.kind, HP_EVENT_KILLED);
  EXPECT_EQ(Only("closed").reason, HP_REASON_STALE);
}

// `off` is a time that the program compares by itself: it holds with nobody alive, and ends with nobody alive.
TEST_F(ExecTest, OffLetsPassUntilItsEndAlsoWithoutAGate) {
  gate_->beating = false;
  kernel_->Beat(BootTime{0});
  ASSERT_TRUE(kernel_->SetOff(Clock::Real().Boot() + absl::Hours(1)).ok());
  EXPECT_EQ(RunSession(kEnforce | HP_SESSION_FAIL_CLOSED, [] { return RunProgram({"/bin/true", "off"}); }), 0);
  EXPECT_EQ(Only("off").head.kind, HP_EVENT_EXEC);
  EXPECT_EQ(Only("off").reason, HP_REASON_OFF);
  EXPECT_EQ(Stat(HP_STAT_FAIL_OPEN), 0u);

  ASSERT_TRUE(kernel_->SetOff(Clock::Real().Boot()).ok());  // Over by now.
  EXPECT_EQ(RunSession(kEnforce | HP_SESSION_FAIL_CLOSED,
                       [] {
                         return RunProgram({"/bin/true", "over"}) == SIGKILL ? 0 : 1;
                       }),
            0);
  EXPECT_EQ(Only("over").reason, HP_REASON_STALE);
}

TEST_F(ExecTest, OffAsksNobodyAndIsOverAtOnceWhereItIsTakenBack) {
  ASSERT_TRUE(kernel_->SetOff(Clock::Real().Boot() + absl::Hours(1)).ok());
  EXPECT_EQ(RunSession(kEnforce, [] { return RunProgram({"/bin/true", "off"}); }), 0);
  EXPECT_EQ(Only("off").reason, HP_REASON_OFF);
  ASSERT_TRUE(kernel_->SetOff(BootTime{}).ok());
  EXPECT_EQ(RunSession(kEnforce, [] { return RunProgram({"/bin/true", "on"}); }), 0);
  EXPECT_EQ(Only("on").head.kind, HP_EVENT_ASK);
}

TEST_F(ExecTest, HeartbeatGetsStaleByAge) {
  Close();
  Kernel::Options options = DefaultOptions();
  options.stale_after = absl::Seconds(1);
  Open(options);
  gate_->beating = false;
  kernel_->Beat(BootTime{Clock::Real().Boot().ns - 1'000'000'001});
  EXPECT_EQ(RunSession(kEnforce, [] { return RunProgram({"/bin/true", "aged"}); }), 0);
  EXPECT_EQ(Only("aged").reason, HP_REASON_STALE_OPEN);
}

TEST_F(ExecTest, StaleHeartbeatStillPassesHarmless) {
  SetClassOf("/bin/true", HP_CLASS_HARMLESS);
  gate_->beating = false;
  kernel_->Beat(BootTime{0});
  EXPECT_EQ(RunSession(kEnforce | HP_SESSION_FAIL_CLOSED, [] { return RunProgram({"/bin/true", "fine"}); }), 0);
  EXPECT_EQ(Only("fine").reason, HP_REASON_HARMLESS);
}

TEST_F(ExecTest, NobodyToAskKills) {
  // Nobody drains hp_urgent (1 MiB) while 400 programs with 4 KiB of arguments are stopped.
  constexpr int kExecs = 400;
  const std::string big(4000, 'a');
  Child root = InScope([&] {
    std::vector<pid_t> children;
    for (int i = 0; i < kExecs; ++i) {
      const pid_t pid = fork();
      if (pid == 0) _exit(Exec({"/bin/true", big}));
      children.push_back(pid);
    }
    int killed = 0;
    for (pid_t pid : children) {
      int status = 0;
      waitpid(pid, &status, WUNTRACED);  // Stopped or dead: the event was offered.
      killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }
    for (pid_t pid : children) kill(pid, SIGKILL);
    return killed > 0 && killed < kExecs ? killed / 4 : 0;
  });
  Label(root, kEnforce);
  root.Go();
  kernel_->Beat(Clock::Real().Boot());
  const int status = root.Reap();
  const uint64_t lost = Stat(HP_STAT_LOST_URGENT);
  EXPECT_GT(lost, 0u);
  EXPECT_EQ(static_cast<uint64_t>(WEXITSTATUS(status)), lost / 4);
  EXPECT_EQ(Stat(HP_STAT_EXEC_KILLED), lost);
  gate_->on_ask = [](const ExecEvent&) { return MiniGate::Answer::kLeave; };
  gate_->Drain();
  EXPECT_EQ(gate_->execs.size() + lost, static_cast<size_t>(kExecs));
}

TEST_F(ExecTest, TracedIsKilled) {
  EXPECT_EQ(RunSession(kEnforce,
                       [] {
                         const pid_t pid = fork();
                         if (pid == 0) {
                           ptrace(PTRACE_TRACEME, 0, 0, 0);
                           _exit(Exec({"/bin/true", "traced"}));
                         }
                         int status = 0;
                         while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) ptrace(PTRACE_CONT, pid, 0, 0);
                         return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : 1;
                       }),
            0);
  const ExecEvent event = Only("traced");
  EXPECT_EQ(event.head.kind, HP_EVENT_KILLED);
  EXPECT_EQ(event.reason, HP_REASON_TRACED);
  EXPECT_NE(event.tracer, 0);
}

// As an interactive shell does it: a session with a terminal, a group for each job.
int RunAsJob(const std::string& word) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) return 2;
  const pid_t shell = fork();
  if (shell == 0) {
    setsid();
    if (open(ptsname(master), O_RDWR) < 0) _exit(3);  // Becomes the controlling terminal.
    const pid_t job = fork();
    if (job == 0) {
      setpgid(0, 0);
      _exit(Exec({"/bin/true", word}));
    }
    int status = 0;
    waitpid(job, &status, 0);
    _exit(WEXITSTATUS(status));
  }
  int status = 0;
  waitpid(shell, &status, 0);
  close(master);
  return WEXITSTATUS(status);
}

TEST_F(ExecTest, UnseenJobOfAShellPassesAndIsToldAtOnce) {
  EXPECT_EQ(RunSession(kEnforce, [] { return RunAsJob("job"); }), 0);
  const ExecEvent event = Only("job");
  EXPECT_EQ(event.head.kind, HP_EVENT_EXEC);
  EXPECT_EQ(event.reason, HP_REASON_JOB_CONTROL);
  EXPECT_TRUE(event.head.flags & HP_FLAG_JOB_CONTROL);
}

TEST_F(ExecTest, ListedJobOfAShellIsStopped) {
  SetClassOf("/bin/true", HP_CLASS_ARGUMENTS);
  EXPECT_EQ(RunSession(kEnforce, [] { return RunAsJob("job"); }), 0);
  EXPECT_EQ(Only("job").head.kind, HP_EVENT_ASK);
}

TEST_F(ExecTest, SessionLeaderOnAPtyIsNoJob) {
  // What node-pty makes: its own session, so no shell looks at a stop.
  EXPECT_EQ(RunSession(kEnforce,
                       [] {
                         const int master = posix_openpt(O_RDWR | O_NOCTTY);
                         if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) return 2;
                         const pid_t pid = fork();
                         if (pid == 0) {
                           setsid();
                           if (open(ptsname(master), O_RDWR) < 0) _exit(3);
                           _exit(Exec({"/bin/true", "leader"}));
                         }
                         int status = 0;
                         waitpid(pid, &status, 0);
                         return WEXITSTATUS(status);
                       }),
            0);
  EXPECT_EQ(Only("leader").head.kind, HP_EVENT_ASK);
}

TEST_F(ExecTest, KilledSessionCannotForkOrExec) {
  ASSERT_TRUE(kernel_->SetGuards(true).ok());
  Child root = InScope([] {
    const pid_t pid = fork();
    if (pid == 0) _exit(Exec({"/bin/true", "dead"}));
    int status = 0;
    waitpid(pid, &status, 0);
    return 0;
  });
  Label(root, kEnforce | HP_SESSION_KILL);
  root.Go();
  const int status = gate_->RunUntilEnd(root);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  EXPECT_TRUE(gate_->Find(HP_EVENT_EXEC, "dead").empty());
}

TEST_F(ExecTest, ChildOfTheGateIsNeverStopped) {
  Child root = InScope([] { return Exec({"/bin/true", "own"}); });  // The test is the gate, this its child.
  Label(root, kEnforce);
  root.Go();
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
  EXPECT_EQ(Only("own").reason, HP_REASON_PROTECTED);
}

TEST_F(ExecTest, DissolvedSessionMeansNothing) {
  Child root = InScope([] { return RunProgram({"/bin/true", "dissolved"}); });
  const SessionNumber session = Label(root, kEnforce);
  ASSERT_TRUE(kernel_->SetSession(session, {.environment = 1, .flags = kEnforce | HP_SESSION_DISSOLVED}).ok());
  root.Go();
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
  EXPECT_TRUE(gate_->execs.empty());
}

TEST_F(ExecTest, LabelTakenOffMeansNothing) {
  Child root = InScope([] { return RunProgram({"/bin/true", "free"}); });
  Label(root, kEnforce);
  ASSERT_TRUE(kernel_->SetLabel(root.pidfd(), hp_label{}).ok());
  EXPECT_EQ(kernel_->Label(root.pidfd()).status().code(), absl::StatusCode::kNotFound);
  root.Go();
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
  EXPECT_TRUE(gate_->execs.empty());
}

// ---- What the event says ----

TEST_F(ExecTest, ScriptIsNamedWithItsInterpreter) {
  Scratch scratch;
  WriteScript(scratch / "script", "#!/bin/sh\nexit 0\n");
  EXPECT_EQ(RunSession(kEnforce, [&] { return RunProgram({scratch / "script", "scripted"}); }), 0);
  const ExecEvent event = Only("scripted");
  EXPECT_EQ(event.filename, scratch / "script");
  EXPECT_EQ(event.executable, "/usr/bin/dash");
  EXPECT_TRUE(event.head.flags & HP_FLAG_SCRIPT);
}

TEST_F(ExecTest, MemfdIsFileless) {
  EXPECT_EQ(RunSession(kEnforce,
                       [] {
                         const int file = open("/bin/true", O_RDONLY);
                         const int memory = memfd_create("payload", MFD_CLOEXEC);
                         struct stat st;
                         if (fstat(file, &st) != 0 || sendfile64(memory, file, nullptr, st.st_size) != st.st_size) {
                           return 2;
                         }
                         const pid_t pid = fork();
                         if (pid == 0) {
                           const char* argv[] = {"x", "in-memory", nullptr};
                           fexecve(memory, const_cast<char**>(argv), environ);
                           _exit(127);
                         }
                         int status = 0;
                         waitpid(pid, &status, 0);
                         return WEXITSTATUS(status);
                       }),
            0);
  const ExecEvent event = Only("in-memory");
  EXPECT_EQ(event.head.kind, HP_EVENT_ASK);
  EXPECT_TRUE(event.head.flags & HP_FLAG_FILELESS);
  EXPECT_EQ(event.executable, "/memfd:payload");
}

TEST_F(ExecTest, LongArgvIsCutAndSaysSo) {
  EXPECT_EQ(RunSession(kEnforce, [] { return RunProgram({"/bin/true", "cut", std::string(40000, 'p'), "DROP"}); }), 0);
  const ExecEvent event = Only("cut");
  EXPECT_TRUE(event.head.flags & HP_FLAG_ARGV_CUT);
  EXPECT_EQ(event.argv.size(), static_cast<size_t>(HP_ARGV_MAX));
  EXPECT_EQ(event.head.kind, HP_EVENT_ASK);
}

TEST_F(ExecTest, ArgvOfExactlyTheLimitIsWhole) {
  const std::string filler(HP_ARGV_MAX - sizeof("/bin/true") - sizeof("whole") - 1, 'p');
  EXPECT_EQ(RunSession(kEnforce, [&] { return RunProgram({"/bin/true", "whole", filler}); }), 0);
  const ExecEvent event = Only("whole");
  EXPECT_FALSE(event.head.flags & HP_FLAG_ARGV_CUT);
  EXPECT_EQ(event.argv.size(), static_cast<size_t>(HP_ARGV_MAX));
}

TEST_F(ExecTest, DeepDirectoryIsCutAndSaysSo) {
  Scratch scratch;
  EXPECT_EQ(RunSession(kEnforce,
                       [&] {
                         if (chdir((scratch / ".").c_str()) != 0) return 2;
                         const std::string name(200, 'd');
                         for (int i = 0; i < 8; ++i) {
                           if (mkdir(name.c_str(), 0755) != 0 || chdir(name.c_str()) != 0) return 3;
                         }
                         return RunProgram({"/bin/true", "deep"});
                       }),
            0);
  const ExecEvent event = Only("deep");
  EXPECT_TRUE(event.head.flags & HP_FLAG_PATH_CUT);
  EXPECT_LE(event.cwd.size(), static_cast<size_t>(HP_PATH_MAX));
  EXPECT_EQ(event.cwd.substr(event.cwd.size() - 201), "/" + std::string(200, 'd'));
  EXPECT_EQ(event.executable, "/usr/bin/true");
}

TEST_F(ExecTest, PathCrossesMounts) {
  EXPECT_EQ(RunSession(kEnforce,
                       [] {
                         if (chdir("/sys/fs/bpf") != 0) return 2;
                         return RunProgram({"/bin/true", "mounted"});
                       }),
            0);
  EXPECT_EQ(Only("mounted").cwd, "/sys/fs/bpf");
}

TEST_F(ExecTest, RootDirectoryIsASlash) {
  EXPECT_EQ(RunSession(kEnforce, [] { return chdir("/") == 0 ? RunProgram({"/bin/true", "top"}) : 2; }), 0);
  EXPECT_EQ(Only("top").cwd, "/");
}

TEST_F(ExecTest, EventsAreNumberedWithoutGaps) {
  EXPECT_EQ(RunSession(HP_SESSION_CONFIRMED,
                       [] {
                         for (int i = 0; i < 100; ++i) RunProgram({"/bin/true", "counted"});
                         return 0;
                       }),
            0);
  EXPECT_TRUE(gate_->RunUntil([&] { return gate_->exits.size() >= 101; }));
  std::map<uint16_t, std::vector<uint64_t>> numbers;
  for (const ExecEvent& event : gate_->execs) numbers[event.head.cpu].push_back(event.head.cpu_seq);
  for (const ExitEvent& event : gate_->exits) numbers[event.head.cpu].push_back(event.head.cpu_seq);
  for (auto& [cpu, seen] : numbers) {
    std::sort(seen.begin(), seen.end());
    for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], i + 1) << "cpu " << cpu;
  }
}

}  // namespace
}  // namespace holdpoint
