// Which execs begin a session: coding agents by the base name of what was asked for, of what runs, and of argv[1].
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "agent/base/file_id.h"
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

// Programs of no coding agent's name.
class ProgramTest : public RecogniseTest {
 protected:
  // What running `argv` was asked about, besides the shell and the copies that the test needs.
  std::vector<ExecEvent> Asked(const std::vector<std::string>& argv) {
    Candidates(argv);
    return gate_->Find(HP_EVENT_PROGRAM, argv.back());
  }
  void Say(const std::string& path, uint64_t script, hp_program_value value) {
    struct stat st;
    ASSERT_EQ(stat(path.c_str(), &st), 0) << path;
    ASSERT_TRUE(kernel_->SetProgram(FileIdFromStat(st), script, value, kGeneration).ok());
  }
};

TEST_F(ProgramTest, AskedUntilItsFileIsKnown) {
  const std::vector<ExecEvent> asked = Asked({"/bin/true", "word"});
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].head.session, 0u);
  EXPECT_EQ(asked[0].exec_id, 0u);
  EXPECT_EQ(asked[0].executable, "/usr/bin/true");
  Say("/bin/true", 0, HP_PROGRAM_OTHER);
  EXPECT_EQ(Asked({"/bin/true", "word"}).size(), 0u);
  EXPECT_EQ(Asked({Copy("other"), "word"}).size(), 1u);
  ASSERT_TRUE(kernel_->SetPolicyGeneration(kGeneration + 1).ok());
  EXPECT_EQ(Asked({"/bin/true", "word"}).size(), 1u);
}

TEST_F(ProgramTest, ChangedFileIsAskedAboutAgain) {
  struct stat st;
  ASSERT_EQ(stat("/bin/true", &st), 0);
  FileId before = FileIdFromStat(st);
  --before.ctime_ns;
  ASSERT_TRUE(kernel_->SetProgram(before, 0, HP_PROGRAM_OTHER, kGeneration).ok());
  EXPECT_EQ(Asked({"/bin/true", "word"}).size(), 1u);
}

TEST_F(ProgramTest, KnownAgentIsOneByAnyName) {
  Say("/bin/true", 0, HP_PROGRAM_AGENT);
  ASSERT_EQ(symlink("/bin/true", Path("innocent").c_str()), 0);
  EXPECT_EQ(Candidates({Path("innocent"), "word"}).size(), 1u);
  EXPECT_EQ(Candidates({"/bin/false"}).size(), 0u);
}

TEST_F(ProgramTest, KnownToBeNoneItIsNoneByNameEither) {
  ASSERT_EQ(symlink("/bin/true", Path("hp-fake-agent").c_str()), 0);
  Say("/bin/true", 0, HP_PROGRAM_OTHER);
  EXPECT_EQ(Candidates({Path("hp-fake-agent"), "word"}).size(), 0u);
  EXPECT_TRUE(gate_->Find(HP_EVENT_PROGRAM, "word").empty());
}

TEST_F(ProgramTest, InterpreterIsKnownByItsScript) {
  Say("/bin/sh", 0, HP_PROGRAM_INTERPRETER);
  const std::string one = Script("one", "exit 0\n"), two = Script("two", "exit 0\n");
  const std::vector<ExecEvent> asked = Asked({"/bin/sh", "-e", one, "word"});
  ASSERT_EQ(asked.size(), 1u);
  ASSERT_NE(asked[0].exec_id, 0u);
  Say("/bin/sh", asked[0].exec_id, HP_PROGRAM_OTHER);
  EXPECT_EQ(Asked({"/bin/sh", "-e", one, "word"}).size(), 0u);
  EXPECT_EQ(Asked({"/bin/sh", "-e", "-u", one, "another"}).size(), 0u);  // The same script.
  const std::vector<ExecEvent> other = Asked({"/bin/sh", "-e", two, "word"});
  ASSERT_EQ(other.size(), 1u);
  EXPECT_NE(other[0].exec_id, asked[0].exec_id);
  Say("/bin/sh", other[0].exec_id, HP_PROGRAM_AGENT);
  EXPECT_EQ(Candidates({"/bin/sh", "-e", two, "word"}).size(), 1u);
  EXPECT_EQ(Candidates({"/bin/sh", "-e", one, "word"}).size(), 0u);
}

TEST_F(ProgramTest, RelativeScriptIsAnotherOneInAnotherFolder) {
  Say("/bin/sh", 0, HP_PROGRAM_INTERPRETER);
  Script("one", "exit 0\n");
  const auto hash = [&](const std::string& folder) -> uint64_t {
    gate_->execs.clear();
    Child runner = InScope([&] { return chdir(folder.c_str()) == 0 ? RunProgram({"/bin/sh", "one", "word"}) : 1; });
    runner.Go();
    gate_->RunUntilEnd(runner);
    const std::vector<ExecEvent> asked = gate_->Find(HP_EVENT_PROGRAM, "word");
    return asked.empty() ? 0 : asked[0].exec_id;
  };
  const uint64_t here = hash(directory_);
  EXPECT_NE(here, 0u);
  EXPECT_EQ(hash(directory_), here);
  EXPECT_NE(hash("/"), here);
}

TEST_F(ProgramTest, NothingIsAskedOutsideTheScopeOrInASession) {
  gate_->execs.clear();
  Child outside = OutsideScope([] { return RunProgram({"/bin/true", "word"}); });
  outside.Go();
  gate_->RunUntilEnd(outside);
  Child root = InScope([] { return RunProgram({"/bin/true", "word"}); });
  Label(root, HP_SESSION_CONFIRMED);
  root.Go();
  gate_->RunUntilEnd(root);
  EXPECT_TRUE(gate_->Find(HP_EVENT_PROGRAM, "word").empty());
  EXPECT_EQ(gate_->Find(HP_EVENT_EXEC, "word").size(), 1u);
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
