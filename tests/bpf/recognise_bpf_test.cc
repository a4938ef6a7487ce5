// Which execs begin a session: coding agents by the base name of what was asked for, of what runs, and of argv[1].
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/bpf/fixture.h"

namespace holdpoint {
namespace {

constexpr uint32_t kObserve = HP_SESSION_ENFORCE;  // What a new session gets here; only the flags are looked at.

class RecogniseTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    char name[] = "/tmp/hp-bpf-test-XXXXXX";
    directory_ = mkdtemp(name);
    ASSERT_TRUE(kernel_->SetAgentNames({"hp-fake-agent", "31-characters-are-the-most-here"}).ok());
    ASSERT_TRUE(kernel_->SetRecognition(true, kObserve, 3).ok());
  }
  void TearDown() override {
    KernelTest::TearDown();
    RunProgram({"/bin/rm", "-r", directory_});
  }

  std::string Path(const std::string& name) const { return absl::StrCat(directory_, "/", name); }
  std::string Copy(const std::string& name) const {
    EXPECT_EQ(RunProgram({"/bin/cp", "/bin/true", Path(name)}), 0);
    return Path(name);
  }
  std::string Script(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name)) << text;
    EXPECT_EQ(chmod(Path(name).c_str(), 0755), 0);
    return Path(name);
  }

  // Candidates that came of running `argv` in the scope, by a child of the session-less test.
  std::vector<ExecEvent> Candidates(const std::vector<std::string>& argv) {
    gate_->execs.clear();
    Child runner = InScope([&] { return RunProgram(argv); });
    runner.Go();
    EXPECT_EQ(gate_->RunUntilEnd(runner), 0);
    std::vector<ExecEvent> candidates;
    for (const ExecEvent& event : gate_->execs) {
      if (event.head.kind == HP_EVENT_CANDIDATE) candidates.push_back(event);
    }
    return candidates;
  }

  std::string directory_;
};

TEST_F(RecogniseTest, ByTheFileAsGiven) {
  ASSERT_EQ(symlink("/bin/true", Path("hp-fake-agent").c_str()), 0);
  const std::vector<ExecEvent> candidates = Candidates({Path("hp-fake-agent"), "x"});
  ASSERT_EQ(candidates.size(), 1u);
  const ExecEvent& event = candidates[0];
  EXPECT_TRUE(event.head.flags & HP_FLAG_SESSION_ROOT);
  EXPECT_EQ(event.executable, "/usr/bin/true");
  const auto sessions = kernel_->Sessions();
  ASSERT_TRUE(sessions.ok());
  ASSERT_TRUE(sessions->contains(event.head.session));
  EXPECT_EQ(sessions->at(event.head.session).environment, 3u);
  EXPECT_EQ(sessions->at(event.head.session).flags, kObserve);
}

TEST_F(RecogniseTest, ByTheFileThatRuns) {
  const std::string agent = Copy("hp-fake-agent");
  ASSERT_EQ(symlink(agent.c_str(), Path("other").c_str()), 0);
  EXPECT_EQ(Candidates({Path("other")}).size(), 1u);
}

TEST_F(RecogniseTest, ByTheNameOfAScript) {
  EXPECT_EQ(Candidates({Script("hp-fake-agent", "#!/bin/sh\nexit 0\n")}).size(), 1u);
}

TEST_F(RecogniseTest, ByTheFirstArgumentOfAnInterpreter) {
  const std::string script = Script("hp-fake-agent", "exit 0\n");
  EXPECT_EQ(Candidates({"/bin/sh", script}).size(), 1u);
  EXPECT_EQ(Candidates({"/bin/sh", "-e", script}).size(), 0u);  // Not the second.
}

TEST_F(RecogniseTest, LongestName) {
  EXPECT_EQ(Candidates({Copy("31-characters-are-the-most-here")}).size(), 1u);
  EXPECT_EQ(Candidates({Copy("x31-characters-are-the-most-here")}).size(), 0u);
  EXPECT_EQ(Candidates({Copy("xx31-characters-are-the-most-here")}).size(), 0u);
}

TEST_F(RecogniseTest, PartsAndDirectoriesOfANameAreNot) {
  EXPECT_EQ(Candidates({Copy("hp-fake-agent2")}).size(), 0u);
  EXPECT_EQ(Candidates({Copy("xhp-fake-agent")}).size(), 0u);
  EXPECT_EQ(Candidates({Copy("hp-fake")}).size(), 0u);
  ASSERT_EQ(mkdir(Path("hp-fake-agent").c_str(), 0755), 0);
  EXPECT_EQ(Candidates({Copy("hp-fake-agent/true")}).size(), 0u);
}

TEST_F(RecogniseTest, SwitchedOffNothingIs) {
  ASSERT_TRUE(kernel_->SetRecognition(false, kObserve, 3).ok());
  EXPECT_EQ(Candidates({Copy("hp-fake-agent")}).size(), 0u);
}

TEST_F(RecogniseTest, WhatItStartsIsInItsSession) {
  const std::string agent = Script("hp-fake-agent", "#!/bin/sh\n/bin/true tool\n:\n");
  const std::vector<ExecEvent> candidates = Candidates({agent});
  ASSERT_EQ(candidates.size(), 1u);
  const std::vector<ExecEvent> tools = gate_->Find(HP_EVENT_ASK, "tool");
  ASSERT_EQ(tools.size(), 1u);
  EXPECT_EQ(tools[0].head.session, candidates[0].head.session);
}

TEST_F(RecogniseTest, InsideASessionItIsNested) {
  const std::string agent = Copy("hp-fake-agent");
  Child root = InScope([&] { return RunProgram({"/bin/sh", "-c", absl::StrCat(agent, " inner; :")}); });
  const SessionNumber outer = Label(root, HP_SESSION_CONFIRMED);
  root.Go();
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
  const std::vector<ExecEvent> nested = gate_->Find(HP_EVENT_CANDIDATE, "inner");
  ASSERT_EQ(nested.size(), 1u);
  EXPECT_TRUE(nested[0].head.flags & HP_FLAG_NESTED);
  EXPECT_EQ(nested[0].head.session, outer);
  EXPECT_EQ(gate_->Find(HP_EVENT_EXEC, "inner").size(), 1u);
  EXPECT_EQ(kernel_->Sessions()->size(), 1u);
}

TEST_F(RecogniseTest, TheRootOfASessionIsNotNestedInItself) {
  const std::string agent = Copy("hp-fake-agent");
  Child root = InScope([&] { return Exec({agent, "self"}); });  // As `holdpoint run -- hp-fake-agent` does.
  Label(root, HP_SESSION_CONFIRMED);
  root.Go();
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
  EXPECT_EQ(gate_->Find(HP_EVENT_EXEC, "self").size(), 1u);
  EXPECT_TRUE(gate_->Find(HP_EVENT_CANDIDATE, "self").empty());
}

TEST_F(RecogniseTest, DissolvedSessionDoesNotHideTheNextCandidate) {
  const std::string agent = Copy("hp-fake-agent");
  Child root = InScope([&] { return RunProgram({agent, "again"}); });
  const SessionNumber old = Label(root, kObserve);
  ASSERT_TRUE(kernel_->SetSession(old, {.environment = 1, .flags = HP_SESSION_DISSOLVED}).ok());
  root.Go();
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
  const std::vector<ExecEvent> found = gate_->Find(HP_EVENT_CANDIDATE, "again");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].head.session, old);
  EXPECT_FALSE(found[0].head.flags & HP_FLAG_NESTED);
}

TEST_F(RecogniseTest, ReplacedNamesForgetTheOldOnes) {
  ASSERT_TRUE(kernel_->SetAgentNames({"another"}).ok());
  EXPECT_EQ(Candidates({Copy("hp-fake-agent")}).size(), 0u);
  EXPECT_EQ(Candidates({Copy("another")}).size(), 1u);
  EXPECT_FALSE(kernel_->SetAgentNames({"a/b"}).ok());
  EXPECT_FALSE(kernel_->SetAgentNames({std::string(32, 'x')}).ok());
}

}  // namespace
}  // namespace holdpoint
