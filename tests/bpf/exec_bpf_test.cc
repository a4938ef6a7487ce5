// What becomes of an exec inside a session: passes, stops, dies.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bpf/fixture.h"

namespace holdpoint {
namespace {

constexpr uint32_t kEnforce = HP_SESSION_CONFIRMED | HP_SESSION_ENFORCE;

using ExecTest = KernelTest;

TEST_F(ExecTest, UnseenIsStoppedAndContinues) {
  Child root = InScope([] { return RunProgram({"/bin/true", "asked"}); });
  Label(root, kEnforce);
  root.Go();
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
  const std::vector<ExecEvent> asked = gate_->Find(HP_EVENT_ASK, "asked");
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].reason, HP_REASON_UNSEEN);
}

TEST_F(ExecTest, KilledWhileHeldRunsNothing) {
  gate_->on_ask = [](const ExecEvent&) { return MiniGate::Answer::kKill; };
  Child root = InScope([] { return RunProgram({"/bin/true", "killed"}) == SIGKILL ? 0 : 1; });
  Label(root, kEnforce);
  root.Go();
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
}

TEST_F(ExecTest, HarmlessPasses) {
  SetClassOf("/bin/true", HP_CLASS_HARMLESS);
  Child root = InScope([] { return RunProgram({"/bin/true", "harmless"}); });
  Label(root, kEnforce);
  root.Go();
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
  const std::vector<ExecEvent> passed = gate_->Find(HP_EVENT_EXEC, "harmless");
  ASSERT_EQ(passed.size(), 1u);
  EXPECT_EQ(passed[0].reason, HP_REASON_HARMLESS);
}

}  // namespace
}  // namespace holdpoint
