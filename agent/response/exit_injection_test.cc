// The last look before a refused task moves: what it calls is exit_group(126) or it does not happen.
#include "agent/response/exit_injection.h"

#include <elf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "agent/response/stage.h"

namespace holdpoint {
namespace {

using stage::Pipe;
using stage::ReadToEnd;
using stage::Stage;

std::string FirstByte() { return stage::Program("first_byte"); }

// A stopped program under this test's own trace.
class ExitInjectionTest : public testing::Test {
 protected:
  void SetUp() override {
    stage_.emplace(stage::Options{.argv = {FirstByte()}, .out = out_.write.get()});
    out_.write.reset();
    pid_ = stage_->pid();
    ASSERT_EQ(ptrace(PTRACE_SEIZE, pid_, nullptr, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD), 0);
    ASSERT_EQ(ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr), 0);
    ASSERT_TRUE(WIFSTOPPED(Wait()));
  }
  void TearDown() override { kill(pid_, SIGKILL); }

  int Wait() {
    int status = -1;
    waitpid(pid_, &status, __WALL);
    return status;
  }
  // Goes on to the next system call's entry, or to its end; returns the status.
  int ToEntry() {
    for (;;) {
      ptrace(PTRACE_SYSCALL, pid_, nullptr, nullptr);
      const int status = Wait();
      if (!WIFSTOPPED(status) || WSTOPSIG(status) == (SIGTRAP | 0x80)) return status;
    }
  }
  uint64_t InstructionPointer() {
    user_regs_struct regs;
    iovec io{&regs, sizeof(regs)};
    ptrace(PTRACE_GETREGSET, pid_, NT_PRSTATUS, &io);
    return regs.rip;
  }
  // As any process of the same user can while the task is stopped: /proc/PID/mem writes through page protection.
  void OverwriteCode(uint64_t address, const std::string& code) {
    UniqueFd mem(open(absl::StrCat("/proc/", pid_, "/mem").c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(pwrite(mem.get(), code.data(), code.size(), static_cast<off_t>(address)),
              static_cast<ssize_t>(code.size()));
  }
  // Ends the task, and says what its program wrote until then.
  std::string KillAndRead() {
    CancelSyscall(pid_);
    kill(pid_, SIGKILL);
    EXPECT_TRUE(WIFSIGNALED(Wait()));
    return ReadToEnd(out_.read.get());
  }

  Pipe out_;
  std::optional<Stage> stage_;
  pid_t pid_ = -1;
};

TEST_F(ExitInjectionTest, PreparedTaskCallsExitGroup) {
  ASSERT_TRUE(PrepareExit(pid_, 126).ok());
  ASSERT_TRUE(WIFSTOPPED(ToEntry()));
  EXPECT_TRUE(CheckExitEntry(pid_, 126).ok()) << CheckExitEntry(pid_, 126);
  const int end = ToEntry();
  EXPECT_TRUE(WIFEXITED(end));
  EXPECT_EQ(WEXITSTATUS(end), 126);
}

TEST_F(ExitInjectionTest, AnotherStatusIsAnotherCall) {
  ASSERT_TRUE(PrepareExit(pid_, 137).ok());
  ASSERT_TRUE(WIFSTOPPED(ToEntry()));
  EXPECT_EQ(CheckExitEntry(pid_, 126).code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(CheckExitEntry(pid_, 137).ok());
  const int end = ToEntry();
  EXPECT_TRUE(WIFEXITED(end));
  EXPECT_EQ(WEXITSTATUS(end), 137);
}

TEST_F(ExitInjectionTest, OtherSystemCallIsNoticedBeforeItHappens) {
  ASSERT_TRUE(PrepareExit(pid_, 126).ok());
  // write(1, rsp, 1) in place of the instruction that was looked at.
  OverwriteCode(InstructionPointer(), std::string("\xb8\x01\x00\x00\x00"  // mov $1, %eax
                                                  "\xbf\x01\x00\x00\x00"  // mov $1, %edi
                                                  "\x48\x89\xe6"          // mov %rsp, %rsi
                                                  "\xba\x01\x00\x00\x00"  // mov $1, %edx
                                                  "\x0f\x05",             // syscall
                                                  20));
  ASSERT_TRUE(WIFSTOPPED(ToEntry()));
  EXPECT_EQ(CheckExitEntry(pid_, 126).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(KillAndRead(), "");
}

TEST_F(ExitInjectionTest, SameNumberOfThe32BitTableIsAnotherCall) {
  ASSERT_TRUE(PrepareExit(pid_, 126).ok());
  OverwriteCode(InstructionPointer(), std::string("\xbb\x7e\x00\x00\x00"  // mov $126, %ebx
                                                  "\xcd\x80",             // int $0x80
                                                  7));
  ASSERT_TRUE(WIFSTOPPED(ToEntry()));
  EXPECT_EQ(CheckExitEntry(pid_, 126).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(KillAndRead(), "");
}

TEST_F(ExitInjectionTest, OverwrittenVdsoIsNotUsed) {
  ASSERT_TRUE(PrepareExit(pid_, 126).ok());
  OverwriteCode(InstructionPointer(), "\x90\x90");
  EXPECT_EQ(PrepareExit(pid_, 126).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(KillAndRead(), "");
}

TEST_F(ExitInjectionTest, ProgramsOwnFirstCallIsNotTakenForTheExit) {
  ASSERT_TRUE(WIFSTOPPED(ToEntry()));
  EXPECT_EQ(CheckExitEntry(pid_, 126).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(KillAndRead(), "");
}

}  // namespace
}  // namespace holdpoint
