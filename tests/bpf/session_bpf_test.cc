// Who belongs to a session, and who does not.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "tests/bpf/fixture.h"

namespace holdpoint {
namespace {

constexpr uint32_t kObserve = HP_SESSION_CONFIRMED;

class SessionTest : public KernelTest {
 protected:
  // Runs `body` as the root of a session in observe; every exec with `word` in argv must carry its label.
  void ExpectLabelled(const std::string& word, size_t times, std::function<int()> body) {
    Child root = InScope(std::move(body));
    const SessionNumber session = Label(root, kObserve);
    root.Go();
    EXPECT_TRUE(gate_->RunUntil([&] { return gate_->Find(HP_EVENT_EXEC, word).size() >= times; })) << word;
    gate_->RunUntilEnd(root);
    const std::vector<ExecEvent> events = gate_->Find(HP_EVENT_EXEC, word);
    EXPECT_EQ(events.size(), times);
    for (const ExecEvent& event : events) {
      EXPECT_EQ(event.head.session, session);
      EXPECT_EQ(event.reason, HP_REASON_OBSERVE);
      EXPECT_EQ(event.executable, "/usr/bin/true");
    }
  }
};

TEST_F(SessionTest, ForkKeepsTheLabel) {
  ExpectLabelled("by-fork", 1, [] { return RunProgram({"/bin/true", "by-fork"}); });
}

TEST_F(SessionTest, VforkKeepsTheLabel) {
  ExpectLabelled("by-vfork", 1, [] {
    const char* argv[] = {"/bin/true", "by-vfork", nullptr};
    const pid_t pid = vfork();
    if (pid == 0) {
      execv(argv[0], const_cast<char**>(argv));
      _exit(127);
    }
    return waitpid(pid, nullptr, 0) == pid ? 0 : 1;
  });
}

TEST_F(SessionTest, PosixSpawnKeepsTheLabel) {
  ExpectLabelled("by-spawn", 1, [] {
    const char* argv[] = {"/bin/true", "by-spawn", nullptr};
    pid_t pid = 0;
    if (posix_spawn(&pid, argv[0], nullptr, nullptr, const_cast<char**>(argv), environ) != 0) return 1;
    return waitpid(pid, nullptr, 0) == pid ? 0 : 1;
  });
}

TEST_F(SessionTest, ThreadsKeepTheLabel) {
  ExpectLabelled("by-thread", 8, [] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) threads.emplace_back([] { RunProgram({"/bin/true", "by-thread"}); });
    for (std::thread& thread : threads) thread.join();
    return 0;
  });
}

TEST_F(SessionTest, ExecFromAThreadThatIsNotTheLeaderKeepsTheLabel) {
  ExpectLabelled("by-other-thread", 1, [] {
    const pid_t pid = fork();  // The root itself is a child of the gate, which nothing stops.
    if (pid == 0) {
      std::thread([] { Exec({"/bin/true", "by-other-thread"}); }).join();
      _exit(1);
    }
    return waitpid(pid, nullptr, 0) == pid ? 0 : 1;
  });
}

TEST_F(SessionTest, DoubleForkAndSetsidStayInTheSession) {
  ExpectLabelled("by-daemon", 1, [] {
    const pid_t pid = fork();
    if (pid == 0) {
      setsid();
      if (fork() == 0) _exit(Exec({"/bin/true", "by-daemon"}));
      _exit(0);
    }
    return waitpid(pid, nullptr, 0) == pid ? 0 : 1;
  });
}

TEST_F(SessionTest, EventsSayWhatRan) {
  Child root = InScope([] {
    if (chdir("/usr/share") != 0) return 1;
    return RunProgram({"/bin/../bin/true", "a b", "", "c"});
  });
  const SessionNumber session = Label(root, kObserve);
  root.Go();
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
  const std::vector<ExecEvent> events = gate_->Find(HP_EVENT_EXEC, "a b");
  ASSERT_EQ(events.size(), 1u);
  const ExecEvent& event = events[0];
  EXPECT_EQ(event.head.session, session);
  EXPECT_EQ(event.executable, "/usr/bin/true");
  EXPECT_EQ(event.filename, "/bin/../bin/true");
  EXPECT_EQ(event.cwd, "/usr/share");
  EXPECT_EQ(event.Argv(), (std::vector<std::string>{"/bin/../bin/true", "a b", "", "c"}));
  EXPECT_EQ(event.uid, 0u);
  EXPECT_EQ(event.head.flags, 0u);
  ASSERT_EQ(gate_->exits.size(), 2u);
  EXPECT_EQ(gate_->exits[0].head.process, event.head.process);
  EXPECT_EQ(gate_->exits[0].exec_id, event.exec_id);
}

TEST_F(SessionTest, ThreadsThatRanBeforeTheLabelAreInIt) {
  int ready[2], go[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(go), 0);
  Child root = InScope([&] {
    std::thread worker([&] {
      char byte;
      (void)!write(ready[1], "r", 1);
      if (read(go[0], &byte, 1) == 1) RunProgram({"/bin/true", "worker"});
    });
    worker.join();
    return 0;
  });
  root.Go();
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  const SessionNumber session = Label(root, kObserve);
  ASSERT_EQ(write(go[1], "g", 1), 1);
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
  const std::vector<ExecEvent> events = gate_->Find(HP_EVENT_EXEC, "worker");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].head.session, session);
}

TEST_F(SessionTest, ThreadsOfADissolvedSessionAreInTheNextOneOfTheirProcess) {
  int ready[2], go[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(go), 0);
  Child root = InScope([&] {
    std::thread worker([&] {
      char byte;
      (void)!write(ready[1], "r", 1);
      if (read(go[0], &byte, 1) != 1) return;
      RunProgram({"/bin/true", "child"});
      Exec({"/bin/true", "worker"});
    });
    worker.join();
    return 0;
  });
  const SessionNumber dissolved = Label(root, kObserve);
  root.Go();
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_TRUE(kernel_->SetSession(dissolved, {.environment = 1, .flags = HP_SESSION_DISSOLVED}).ok());
  const SessionNumber session = Label(root, kObserve);
  ASSERT_EQ(write(go[1], "g", 1), 1);
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
  for (const char* what : {"child", "worker"}) {
    const std::vector<ExecEvent> events = gate_->Find(HP_EVENT_EXEC, what);
    ASSERT_EQ(events.size(), 1u) << what;
    EXPECT_EQ(events[0].head.session, session) << what;
  }
}

TEST_F(SessionTest, LabelTakenOffIsTakenOffItsThreads) {
  int ready[2], go[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(go), 0);
  Child root = InScope([&] {
    std::thread worker([&] {
      char byte;
      (void)!write(ready[1], "r", 1);
      if (read(go[0], &byte, 1) == 1) RunProgram({"/bin/true", "worker"});
    });
    worker.join();
    return 0;
  });
  Label(root, kObserve);  // So the thread is born with a label of its own.
  root.Go();
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_TRUE(kernel_->SetLabel(root.pidfd(), hp_label{}).ok());
  ASSERT_EQ(write(go[1], "g", 1), 1);
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
  EXPECT_TRUE(gate_->execs.empty());
}

TEST_F(SessionTest, OutsideTheScopeNothingIsRecognised) {
  ASSERT_TRUE(kernel_->SetAgentNames({"true"}).ok());
  ASSERT_TRUE(kernel_->SetRecognition(true, kObserve, 0).ok());
  Child outside = OutsideScope([] { return RunProgram({"/bin/true", "outside"}); });
  Child inside = InScope([] { return RunProgram({"/bin/true", "inside"}); });
  outside.Go();
  EXPECT_EQ(gate_->RunUntilEnd(outside), 0);
  inside.Go();
  EXPECT_EQ(gate_->RunUntilEnd(inside), 0);
  EXPECT_EQ(gate_->Find(HP_EVENT_CANDIDATE, "inside").size(), 1u);
  EXPECT_TRUE(gate_->Find(HP_EVENT_CANDIDATE, "outside").empty());
  EXPECT_EQ(gate_->execs.size(), 1u);
}

}  // namespace
}  // namespace holdpoint
