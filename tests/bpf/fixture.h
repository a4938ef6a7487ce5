#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "agent/base/fd.h"
#include "agent/kernel/decode.h"
#include "agent/kernel/kernel.h"

namespace holdpoint {

// A cgroup v2 directory of this test process, with everything in it ended and removed at the end.
class TestCgroup {
 public:
  explicit TestCgroup(const std::string& name);
  ~TestCgroup();
  const std::string& path() const { return path_; }
  void Enter() const;  // the calling process; for a forked child

 private:
  std::string path_;
};

// A forked child that waits for Go() before it runs its body. Killed and reaped at the end.
class Child {
 public:
  Child() = default;
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  // `cgroup` null: the child stays where the test is.
  static Child Fork(const TestCgroup* cgroup, std::function<int()> body);
  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }
  void Go();
  bool Ended() const;  // without reaping
  int Reap();          // waits; the status as wait(2) gives it

 private:
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd go_;
};

// The least of a gate: beats, drains both rings into lists, and answers ASK events.
class MiniGate {
 public:
  enum class Answer { kContinue, kKill, kLeave };

  explicit MiniGate(Kernel& kernel) : kernel_(kernel) {}

  std::function<Answer(const ExecEvent&)> on_ask = [](const ExecEvent&) { return Answer::kContinue; };
  bool beating = true;

  // Handles events until `done` says so; false after two minutes.
  bool RunUntil(const std::function<bool()>& done);
  // Until the child has ended; its wait status, -1 on the deadline.
  int RunUntilEnd(Child& child);
  void Drain();

  std::vector<ExecEvent> execs;  // CANDIDATE, ASK, EXEC, KILLED, PROGRAM, in order of arrival
  std::vector<ConnectEvent> connects;
  std::vector<ExitEvent> exits;
  std::vector<SignalEvent> signals;
  std::vector<UnixEvent> servers;
  std::vector<LeftEvent> lefts;

  // Events of one kind whose argv has `word`.
  std::vector<ExecEvent> Find(hp_event_kind kind, const std::string& word) const;
  // Answers a held task by its event.
  void Continue(const ExecEvent& event);

 private:
  void Take(absl::Span<const std::byte> record);
  Kernel& kernel_;
};

// Each test has a scope of its own, pins in a bpffs that nobody else sees, and one loaded Kernel.
class KernelTest : public testing::Test {
 protected:
  static void SetUpTestSuite();
  void SetUp() override;
  void TearDown() override;

  Kernel::Options DefaultOptions() const;
  // Opens kernel and gate; SetUp does it with DefaultOptions(), a test may do it again.
  void Open(const Kernel::Options& options);
  void Close();  // Detach and forget

  Child InScope(std::function<int()> body) { return Child::Fork(scope_.get(), std::move(body)); }
  Child OutsideScope(std::function<int()> body) { return Child::Fork(nullptr, std::move(body)); }
  // A new session whose root is `child`.
  SessionNumber Label(const Child& child, uint32_t flags);
  void SetClassOf(const std::string& path, hp_class_value value, uint32_t start = HP_TRIAGE_ASK);

  static constexpr uint32_t kGeneration = 7;
  std::unique_ptr<TestCgroup> scope_;
  std::unique_ptr<Kernel> kernel_;
  std::unique_ptr<MiniGate> gate_;
};

// In a child: execs, or ends with 127.
int Exec(const std::vector<std::string>& argv);
// In a child: forks, execs, waits; the wait status.
int RunProgram(const std::vector<std::string>& argv);
// The word of a test program, see tests/bpf/programs.
std::string Program(const std::string& name);

}  // namespace holdpoint
