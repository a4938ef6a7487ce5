// The Responder on what the kernel programs stop at exec: the hold as the daemon has it. The parents are processes of
// the session, the programs write a byte with their first instruction, the attackers are outside with the same uid.
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "agent/response/desk.h"
#include "agent/response/proc.h"
#include "agent/response/response.h"
#include "agent/response/stage.h"
#include "tests/bpf/fixture.h"

namespace holdpoint {
namespace {

using stage::Desk;
using What = ResponseResult::What;

constexpr uint32_t kEnforce = HP_SESSION_CONFIRMED | HP_SESSION_ENFORCE;
constexpr int kByteFd = 9;  // where tests/bpf/programs/write_byte.S writes
constexpr uintptr_t kEntryPage = 0x401000;

class ResponseBpfTest : public KernelTest {
 protected:
  // How the programs of one run ended, as their parent saw it.
  struct Ends {
    int refused = 0;  // 126
    int killed = 0;   // SIGKILL
    int ran = 0;      // status 0
    int other = 0;
  };
  struct Outcome {
    Ends ends;
    int bytes = 0;  // written by the programs
  };

  void SetUp() override {
    KernelTest::SetUp();
    ASSERT_TRUE(kernel_->SetGuards(true).ok());
    desk_.emplace([this](const StoppedTask& task, hp_task_state state) {
      return kernel_->SetTaskState(task.pidfd->get(), task.exec_id, state);
    });
  }
  void TearDown() override {
    desk_.reset();
    KernelTest::TearDown();
  }

  // A process of the session starts `program` `rounds` times; `answer` gets each of them, stopped.
  Outcome Run(const std::string& program, int rounds, const std::function<void(const StoppedTask&)>& answer) {
    int byte_pipe[2], ends_pipe[2];
    EXPECT_EQ(pipe2(byte_pipe, O_NONBLOCK | O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(ends_pipe, O_CLOEXEC), 0);
    Child root = InScope([&] {
      dup2(byte_pipe[1], kByteFd);
      Ends ends;
      for (int i = 0; i < rounds; ++i) {
        const int status = RunProgram({program});
        if (WIFEXITED(status) && WEXITSTATUS(status) == 126) {
          ++ends.refused;
        } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
          ++ends.killed;
        } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
          ++ends.ran;
        } else {
          ++ends.other;
        }
      }
      return write(ends_pipe[1], &ends, sizeof(ends)) == sizeof(ends) ? 0 : 1;
    });
    gate_->on_ask = [&](const ExecEvent& event) {
      kernel_->Beat(Clock::Real().Boot());
      // Gone already: a guard was faster.
      if (auto pidfd = OpenPidfd(event.head.process); pidfd.ok()) {
        answer({event.head.process, event.exec_id, std::make_shared<UniqueFd>(std::move(*pidfd))});
      }
      ++asked_;
      return MiniGate::Answer::kLeave;
    };
    Label(root, kEnforce);
    root.Go();
    for (int before = -1; before != asked_ && !root.Ended();) {  // As long as something happens.
      before = asked_;
      gate_->RunUntil([&] { return root.Ended(); });
    }
    EXPECT_EQ(gate_->RunUntilEnd(root), 0);
    Outcome outcome;
    EXPECT_EQ(read(ends_pipe[0], &outcome.ends, sizeof(outcome.ends)), static_cast<ssize_t>(sizeof(outcome.ends)));
    char bytes[4096];
    for (ssize_t n; (n = read(byte_pipe[0], bytes, sizeof(bytes))) > 0;) outcome.bytes += static_cast<int>(n);
    for (int fd : {byte_pipe[0], byte_pipe[1], ends_pipe[0], ends_pipe[1]}) close(fd);
    return outcome;
  }

  // Takes each held program, lets a process outside the session attack it, and refuses it.
  Outcome HoldAttackRefuse(const std::string& program, int rounds, const std::function<void(pid_t)>& attack) {
    int ask[2], done[2];
    EXPECT_EQ(pipe2(ask, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(done, O_CLOEXEC), 0);
    Child attacker = OutsideScope([&] {
      pid_t victim;
      close(ask[1]);
      while (read(ask[0], &victim, sizeof(victim)) == sizeof(victim)) {
        attack(victim);
        if (write(done[1], "d", 1) != 1) return 1;
      }
      return 0;
    });
    attacker.Go();
    const Outcome outcome = Run(program, rounds, [&](const StoppedTask& task) {
      EXPECT_EQ(desk_->Own(task).what, What::kOwned);
      char byte;
      EXPECT_EQ(write(ask[1], &task.id.tgid, sizeof(pid_t)), static_cast<ssize_t>(sizeof(pid_t)));
      EXPECT_EQ(read(done[0], &byte, 1), 1);
      const ResponseResult result = desk_->Refuse(task, "");
      EXPECT_EQ(result.what, What::kRefused) << result.detail;
    });
    for (int fd : {ask[0], ask[1], done[0], done[1]}) close(fd);
    return outcome;
  }

  static std::string Plain() { return Program("write_byte"); }
  static std::string Premapped() { return Program("write_byte_n"); }

  std::optional<Desk> desk_;
  int asked_ = 0;
};

TEST_F(ResponseBpfTest, TenThousandRefusedRunNothingAndEndWith126) {
  int refused = 0;
  const Outcome outcome = Run(Plain(), 10000, [&](const StoppedTask& task) {
    const ResponseResult result = desk_->Refuse(task, "");
    EXPECT_EQ(result.what, What::kRefused) << result.detail;
    ++refused;
  });
  EXPECT_EQ(refused, 10000);
  EXPECT_EQ(outcome.ends.refused, 10000);
  EXPECT_EQ(outcome.bytes, 0);
}

TEST_F(ResponseBpfTest, HeldAndReleasedRunsOnceEach) {
  const Outcome outcome = Run(Plain(), 200, [&](const StoppedTask& task) {
    EXPECT_EQ(desk_->Own(task).what, What::kOwned);
    EXPECT_EQ(desk_->Release(task).what, What::kReleased);
  });
  EXPECT_EQ(outcome.ends.ran, 200);
  EXPECT_EQ(outcome.bytes, 200);
}

TEST_F(ResponseBpfTest, ConsultThatPassesRunsOnceEach) {
  const Outcome outcome =
      Run(Plain(), 200, [&](const StoppedTask& task) { EXPECT_TRUE(desk_->responder().ReleaseNow(task).ok()); });
  EXPECT_EQ(outcome.ends.ran, 200);
  EXPECT_EQ(outcome.bytes, 200);
}

TEST_F(ResponseBpfTest, KilledRunsNothing) {
  const Outcome outcome =
      Run(Plain(), 200, [&](const StoppedTask& task) { EXPECT_EQ(desk_->Kill(task, "").what, What::kKilled); });
  EXPECT_EQ(outcome.ends.killed, 200);
  EXPECT_EQ(outcome.bytes, 0);
}

TEST_F(ResponseBpfTest, OwnedAndContinuedRunsNothing) {
  const auto attack = [](pid_t victim) {
    for (int i = 0; i < 50; ++i) kill(victim, SIGCONT);
  };
  const Outcome outcome = HoldAttackRefuse(Plain(), 500, attack);
  EXPECT_EQ(outcome.ends.refused, 500);
  EXPECT_EQ(outcome.bytes, 0);
}

TEST_F(ResponseBpfTest, OwnedThenReadByAnotherProcessThenContinuedRunsNothing) {
  const auto attack = [](pid_t victim) {
    char bytes[64];
    iovec local{.iov_base = bytes, .iov_len = sizeof(bytes)};
    iovec remote{.iov_base = reinterpret_cast<void*>(kEntryPage), .iov_len = sizeof(bytes)};
    (void)process_vm_readv(victim, &local, 1, &remote, 1, 0);
    kill(victim, SIGCONT);
  };
  const Outcome outcome = HoldAttackRefuse(Plain(), 500, attack);
  EXPECT_EQ(outcome.ends.refused, 500);
  EXPECT_EQ(outcome.bytes, 0);
}

TEST_F(ResponseBpfTest, OwnedAndLinkedWithNThenContinuedRunsNothing) {
  const Outcome outcome = HoldAttackRefuse(Premapped(), 500, [](pid_t victim) { kill(victim, SIGCONT); });
  EXPECT_EQ(outcome.ends.refused, 500);
  EXPECT_EQ(outcome.bytes, 0);
}

TEST_F(ResponseBpfTest, SecondTracerOfAnOwnedTaskRunsNothing) {
  const auto attack = [](pid_t victim) {
    if (ptrace(PTRACE_SEIZE, victim, 0, 0) == 0) ptrace(PTRACE_CONT, victim, 0, 0);
  };
  const Outcome outcome = HoldAttackRefuse(Plain(), 500, attack);
  EXPECT_EQ(outcome.ends.refused, 500);
  EXPECT_EQ(outcome.bytes, 0);
}

// From before the stop until after the end. What moves while it is held and not yet owned is killed by a guard; what is
// owned stays: either way not one instruction.
TEST_F(ResponseBpfTest, UnderAStormOfContinuesFromTheStartRunsNothing) {
  for (const std::string& program : {Plain(), Premapped()}) {
    const pid_t test_group = getpgrp();
    std::array<Child, 2> storm;
    for (Child& child : storm) {
      child = OutsideScope([test_group] {
        setpgid(0, 0);
        while (getppid() != 1) kill(-test_group, SIGCONT);  // The victims are in the test's process group.
        return 0;
      });
      child.Go();
    }
    const Outcome outcome = Run(program, 250, [&](const StoppedTask& task) {
      if (desk_->Own(task).what == What::kOwned) desk_->Refuse(task, "");
    });
    EXPECT_EQ(outcome.ends.refused + outcome.ends.killed, 250);
    EXPECT_EQ(outcome.bytes, 0) << program;
  }
}

TEST_F(ResponseBpfTest, TextReachesTheCallersPipe) {
  int err[2];
  ASSERT_EQ(pipe2(err, O_CLOEXEC), 0);
  Child root = InScope([&] {
    dup2(err[1], 2);
    return RunProgram({"/bin/sh", "-c", Plain() + "; echo rc=$? >&2"});
  });
  close(err[1]);
  gate_->on_ask = [&](const ExecEvent& event) {
    auto pidfd = OpenPidfd(event.head.process);
    EXPECT_TRUE(pidfd.ok()) << pidfd.status();
    const StoppedTask task{event.head.process, event.exec_id, std::make_shared<UniqueFd>(std::move(*pidfd))};
    if (event.executable != Plain()) return MiniGate::Answer::kContinue;
    auto argv = ReadArgv(task.id, 4096);
    EXPECT_TRUE(argv.ok() && argv->bytes == Plain() + '\0') << argv.status();
    const ResponseResult result = desk_->Refuse(task, "holdpoint: REFUSED\n");
    EXPECT_EQ(result.what, What::kRefused) << result.detail;
    EXPECT_TRUE(result.told) << result.detail;
    return MiniGate::Answer::kLeave;
  };
  Label(root, kEnforce);
  root.Go();
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
  EXPECT_EQ(stage::ReadToEnd(err[0]), "holdpoint: REFUSED\nrc=126\n");
  close(err[0]);
}

}  // namespace
}  // namespace holdpoint
