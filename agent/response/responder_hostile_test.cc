// What processes of the session, and the caller, can do to a task that is held or being refused.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "agent/response/desk.h"
#include "agent/response/proc.h"
#include "agent/response/response.h"
#include "agent/response/stage.h"

namespace holdpoint {
namespace {

using stage::Desk;
using stage::Options;
using stage::Pipe;
using stage::ReadToEnd;
using stage::ReadUntil;
using stage::Stage;
using ::testing::HasSubstr;
using What = ResponseResult::What;

constexpr char kText[] = "holdpoint: REFUSED, this command did not run (126): first_byte\n";

std::string FirstByte() { return stage::Program("first_byte"); }
bool ExitedWith(int status, int code) { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
bool KilledBy(int status, int signal) { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }

// A program on stage with a pipe as its standard output.
struct Held {
  explicit Held(Options options = {}) {
    options.argv = {FirstByte()};
    options.out = out.write.get();
    stage.emplace(std::move(options));
    out.write.reset();
  }
  const StoppedTask& task() const { return stage->task(); }
  std::string Written() { return ReadToEnd(out.read.get()); }

  Pipe out;
  std::optional<Stage> stage;
};

// Sends SIGCONT to some processes as fast as it can while it lives.
class Storm {
 public:
  explicit Storm(std::vector<pid_t> pids)
      : thread_([this, pids = std::move(pids)] {
          while (!stop_) {
            for (pid_t pid : pids) kill(pid, SIGCONT);
            ++rounds_;
          }
        }) {}
  ~Storm() {
    stop_ = true;
    thread_.join();
  }
  void AwaitRounds(int more) {
    const int until = rounds_ + more;
    while (rounds_ < until) std::this_thread::yield();
  }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<int> rounds_ = 0;
  std::thread thread_;
};

// A SIGCONT to a seized task is a stop more on its way to exit_group. Where the storm never lets it come there within
// its time, it is killed: both are refusals, nothing of it ran, and what is said of it is what its parent reads.
TEST(HostileTest, SigcontStormDoesNotMoveAnOwnedTask) {
  Desk desk;
  std::vector<std::unique_ptr<Held>> held;
  std::vector<pid_t> pids;
  for (int i = 0; i < 20; ++i) {
    held.push_back(std::make_unique<Held>());
    ASSERT_EQ(desk.Own(held.back()->task()).what, What::kOwned);
    pids.push_back(held.back()->stage->pid());
  }
  std::vector<ResponseResult> refused;
  {
    Storm storm(pids);
    storm.AwaitRounds(5000);
    for (int i = 0; i < 10; ++i) refused.push_back(desk.Refuse(held[i]->task(), kText));
    storm.AwaitRounds(100);
  }
  for (int i = 0; i < 10; ++i) {
    const int status = held[i]->stage->AwaitParentStatus();
    if (refused[i].what == What::kRefused) {
      EXPECT_TRUE(ExitedWith(status, 126)) << status;
    } else {
      EXPECT_EQ(refused[i].what, What::kKilled);
      EXPECT_THAT(refused[i].detail, HasSubstr("did not come to its exit in time"));
      EXPECT_TRUE(KilledBy(status, SIGKILL)) << status;
    }
    EXPECT_EQ(held[i]->Written(), "");
  }
  for (int i = 10; i < 20; ++i) {
    EXPECT_EQ(desk.Release(held[i]->task()).what, What::kReleased);
    EXPECT_EQ(held[i]->Written(), "X");
  }
}

// The task may run, and end, by a SIGCONT that is not ours: what is said of it is what was done.
TEST(HostileTest, ReleaseUnderASigcontStormIsARelease) {
  Desk desk;
  std::vector<std::unique_ptr<Held>> held;
  std::vector<pid_t> pids;
  for (int i = 0; i < 60; ++i) {
    held.push_back(std::make_unique<Held>());
    if (i % 2 == 0) {
      ASSERT_EQ(desk.Own(held.back()->task()).what, What::kOwned);
    } else {
      held.back()->stage->AwaitStopped();
    }
  }
  for (int i = 0; i < 60; i += 2) pids.push_back(held[i]->stage->pid());
  Storm storm(pids);
  storm.AwaitRounds(1000);
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(desk.Release(held[i]->task()).what, What::kReleased) << i;
    EXPECT_EQ(held[i]->Written(), "X");
  }
}

TEST(HostileTest, PendingSignalsRunNothingAndDoNotChangeTheStatus) {
  for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGTSTP, SIGSEGV}) {
    SCOPED_TRACE(signal);
    Desk desk;
    Held held;
    held.stage->AwaitStopped();
    kill(held.stage->pid(), signal);
    ResponseResult result = desk.Refuse(held.task(), kText);
    EXPECT_EQ(result.what, What::kRefused) << result.detail;
    EXPECT_TRUE(ExitedWith(held.stage->AwaitParentStatus(), 126));
    EXPECT_EQ(held.Written(), "");
  }
}

TEST(HostileTest, ForeignTracerCannotKeepTheTaskAlive) {
  Desk desk;
  Pipe err;
  Held held({.err = err.write.get()});
  err.write.reset();
  Pipe ready, stop;
  const pid_t tracer = fork();
  if (tracer == 0) {
    stop.write.reset();
    const bool seized = ptrace(PTRACE_SEIZE, held.stage->pid(), nullptr, nullptr) == 0;
    char byte;
    (void)!write(ready.write.get(), seized ? "y" : "n", 1);
    (void)!read(stop.read.get(), &byte, 1);
    _exit(0);
  }
  ASSERT_EQ(ReadUntil(ready.read.get(), 1), "y");
  ResponseResult result = desk.Refuse(held.task(), kText);
  stop.write.reset();
  waitpid(tracer, nullptr, 0);
  EXPECT_EQ(result.what, What::kKilled) << result.detail;
  EXPECT_THAT(result.detail, HasSubstr(absl::StrCat("process ", tracer, " traces it; killed instead")));
  EXPECT_TRUE(KilledBy(held.stage->AwaitParentStatus(), SIGKILL));
  EXPECT_EQ(held.Written(), "");
  EXPECT_FALSE(result.told) << "its end comes first";
}

TEST(HostileTest, SecondTracerIsRefusedByTheKernel) {
  Desk desk;
  Held held;
  ASSERT_EQ(desk.Own(held.task()).what, What::kOwned);
  EXPECT_EQ(ptrace(PTRACE_SEIZE, held.stage->pid(), nullptr, nullptr), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(desk.Refuse(held.task(), "").what, What::kRefused);
}

// Code that writes "X" to standard output and exits, wherever it is entered below its end.
std::string EvilPage() {
  std::string code(4096 - 64, '\x90');
  code.append(
      "\x6a\x58"              // push $'X'
      "\x48\x89\xe6"          // mov %rsp, %rsi
      "\xb8\x01\x00\x00\x00"  // mov $1, %eax
      "\xbf\x01\x00\x00\x00"  // mov $1, %edi
      "\xba\x01\x00\x00\x00"  // mov $1, %edx
      "\x0f\x05",             // syscall
      22);
  code.resize(4096, '\x90');
  return code;
}

TEST(HostileTest, OverwrittenVdsoMakesNoSystemCall) {
  Desk desk;
  Held held;
  ASSERT_EQ(desk.Own(held.task()).what, What::kOwned);
  UniqueFd maps(open(absl::StrCat("/proc/", held.stage->pid(), "/maps").c_str(), O_RDONLY | O_CLOEXEC));
  const std::string text = ReadToEnd(maps.get());
  const size_t name = text.find("[vdso]");
  ASSERT_NE(name, std::string::npos);
  const size_t line = text.rfind('\n', name) + 1;
  const uint64_t start = strtoull(text.c_str() + line, nullptr, 16);
  const uint64_t end = strtoull(text.c_str() + text.find('-', line) + 1, nullptr, 16);
  UniqueFd mem(open(absl::StrCat("/proc/", held.stage->pid(), "/mem").c_str(), O_RDWR | O_CLOEXEC));
  const std::string evil = EvilPage();
  for (uint64_t page = start; page < end; page += evil.size()) {
    ASSERT_EQ(pwrite(mem.get(), evil.data(), evil.size(), static_cast<off_t>(page)), 4096);
  }
  ResponseResult result = desk.Refuse(held.task(), kText);
  EXPECT_EQ(result.what, What::kKilled);
  EXPECT_THAT(result.detail, HasSubstr("its vdso is not the kernel's"));
  EXPECT_TRUE(KilledBy(held.stage->AwaitParentStatus(), SIGKILL));
  EXPECT_EQ(held.Written(), "");
}

TEST(HostileTest, ProcessVmReadvThenSigcontMovesNothing) {
  Desk desk;
  Held held;
  ASSERT_EQ(desk.Own(held.task()).what, What::kOwned);
  auto stat = ProcDir::Open(held.task().id)->Stat();
  ASSERT_TRUE(stat.ok());
  char buffer[64];
  iovec local{buffer, sizeof(buffer)}, remote{reinterpret_cast<void*>(stat->stack_start), sizeof(buffer)};
  EXPECT_GT(process_vm_readv(held.stage->pid(), &local, 1, &remote, 1, 0), 0);
  for (int i = 0; i < 1000; ++i) kill(held.stage->pid(), SIGCONT);
  EXPECT_EQ(desk.Refuse(held.task(), kText).what, What::kRefused);
  EXPECT_EQ(held.Written(), "");
}

// Filters a system call out of the calling process for ever.
void Forbid(std::initializer_list<int> calls, uint32_t action) {
  std::vector<sock_filter> filter = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (int call : calls) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, action));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) _exit(96);
}

TEST(HostileTest, SeccompFilterAgainstExitGroupDoesNotSaveTheTask) {
  Desk desk;
  Held held({.before_exec = [] { Forbid({SYS_exit_group}, SECCOMP_RET_ERRNO | EPERM); }});
  ResponseResult result = desk.Refuse(held.task(), kText);
  EXPECT_EQ(result.what, What::kKilled) << result.detail;
  EXPECT_THAT(result.detail, HasSubstr("exit_group did not end it"));
  EXPECT_TRUE(KilledBy(held.stage->AwaitParentStatus(), SIGKILL));
  EXPECT_EQ(held.Written(), "");
}

TEST(HostileTest, ThirtyTwoBitProgramIsKilledUnrun) {
  Desk desk;
  Pipe out;
  Stage stage({.argv = {stage::Program("first_byte_32")}, .out = out.write.get()});
  out.write.reset();
  ResponseResult result = desk.Refuse(stage.task(), kText);
  EXPECT_EQ(result.what, What::kKilled);
  EXPECT_THAT(result.detail, HasSubstr("32-bit"));
  EXPECT_TRUE(KilledBy(stage.AwaitParentStatus(), SIGKILL));
  EXPECT_EQ(ReadToEnd(out.read.get()), "");
}

TEST(HostileTest, KilledByItsCallerWhileOwnedIsGoneAndItsParentLearnsIt) {
  Desk desk;
  Held held;
  ASSERT_EQ(desk.Own(held.task()).what, What::kOwned);
  kill(held.stage->pid(), SIGKILL);
  EXPECT_TRUE(KilledBy(held.stage->AwaitParentStatus(), SIGKILL)) << "a traced zombie must be let go of";
  EXPECT_EQ(desk.Release(held.task()).what, What::kGone);
  EXPECT_EQ(desk.Refuse(held.task(), kText).what, What::kGone);
  EXPECT_EQ(held.Written(), "");
}

TEST(HostileTest, StateThatCannotBeWrittenKills) {
  for (hp_task_state state : {HP_TASK_OWNED, HP_TASK_REFUSED}) {
    Desk desk;
    desk.FailWriting(state);
    Held held;
    ResponseResult result = desk.Refuse(held.task(), kText);
    EXPECT_EQ(result.what, What::kKilled);
    EXPECT_THAT(result.detail, HasSubstr("the map is gone"));
    EXPECT_EQ(held.Written(), "");
  }
  Desk desk;
  desk.FailWriting(HP_TASK_PASSED);
  Held held;
  EXPECT_FALSE(desk.responder().ReleaseNow(held.task()).ok());
  EXPECT_EQ(desk.Release(held.task()).what, What::kKilled);
  EXPECT_EQ(held.Written(), "");
}

// A daemon in a process of its own, which runs `with` a Desk, says so and waits for its end.
class OtherDaemon {
 public:
  explicit OtherDaemon(std::function<std::string(Desk&)> with) {
    Pipe said;
    pid_ = fork();
    if (pid_ == 0) {
      {
        Desk desk;
        const std::string text = with(desk);
        (void)!write(said.write.get(), text.data(), text.size());
        said.write.reset();
        sigset_t none;
        sigemptyset(&none);
        sigsuspend(&none);
      }
      _exit(0);
    }
    said.write.reset();
    said_ = ReadToEnd(said.read.get());
  }
  ~OtherDaemon() { Kill(); }
  const std::string& said() const { return said_; }
  void Kill() {
    if (pid_ > 0) kill(pid_, SIGKILL);
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  std::string said_;
};

TEST(HostileTest, DeathOfTheDaemonEndsWhatItOwns) {
  Held first, second;
  OtherDaemon daemon([&](Desk& desk) -> std::string {
    const bool owned = desk.Own(first.task()).what == What::kOwned && desk.Own(second.task()).what == What::kOwned;
    return owned ? "owned" : "not owned";
  });
  ASSERT_EQ(daemon.said(), "owned");
  daemon.Kill();
  for (Held* held : {&first, &second}) {
    EXPECT_TRUE(KilledBy(held->stage->AwaitParentStatus(), SIGKILL));
    EXPECT_EQ(held->Written(), "");
  }
}

TEST(HostileTest, EndOfTheResponderEndsWhatItOwns) {
  Desk desk;
  Held held;
  ASSERT_EQ(desk.Own(held.task()).what, What::kOwned);
  desk.EndResponder();
  EXPECT_TRUE(KilledBy(held.stage->AwaitParentStatus(), SIGKILL));
  EXPECT_EQ(held.Written(), "");
}

// As with yama's ptrace_scope 3: nobody may trace, so nothing can be held; what is refused is killed, and still told.
TEST(HostileTest, WherePtraceIsForbiddenTheRefusedAreKilledAndTold) {
  Pipe err;
  Held owned, refused({.err = err.write.get()});
  err.write.reset();
  owned.stage->AwaitStopped();
  refused.stage->AwaitStopped();
  OtherDaemon daemon([&](Desk&) {
    Forbid({SYS_ptrace, SYS_pidfd_getfd}, SECCOMP_RET_ERRNO | EPERM);
    Desk desk;  // Its threads inherit the filter.
    const ResponseResult own = desk.Own(owned.task());
    const ResponseResult refuse = desk.Refuse(refused.task(), kText);
    return absl::StrCat(own.what == What::kKilled, refuse.what == What::kKilled, refuse.told, " ", refuse.detail);
  });
  EXPECT_THAT(daemon.said(), HasSubstr("111 it cannot be traced: Operation not permitted; killed instead"));
  EXPECT_EQ(owned.Written(), "");
  EXPECT_EQ(refused.Written(), "");
  EXPECT_EQ(ReadToEnd(err.read.get()), kText);
}

}  // namespace
}  // namespace holdpoint
