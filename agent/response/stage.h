#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "agent/base/fd.h"
#include "agent/response/response.h"

// For tests: a program stopped at its exec before its first instruction, started by a parent that is not the test.
namespace holdpoint::stage {

struct Options {
  enum class How { kFork, kVfork, kPosixSpawn, kForkInThread };

  std::vector<std::string> argv = {};  // what the parent starts
  std::string target = {};             // path of the program to stop, argv[0] where empty: `sh -c TARGET` stops TARGET
  int out = -1;                        // its standard output and error; -1: the test's own
  int err = -1;
  bool close_err = false;
  How how = How::kFork;
  std::function<void()> in_parent = {};    // runs in the parent before it starts anything
  std::function<void()> before_exec = {};  // runs in the child, not with kPosixSpawn
  std::function<void(pid_t)> when_stopped =
      {};  // runs in the test while the target is in its exec stop, SIGSTOP pending
};

// The test traces the parent and everything it starts until the target execs, sends it SIGSTOP in its exec stop and
// lets all of them go: what the kernel programs do, without them.
class Stage {
 public:
  explicit Stage(Options options);
  ~Stage();
  Stage(Stage&& other) noexcept;
  Stage(const Stage&) = delete;

  const StoppedTask& task() const { return task_; }
  pid_t pid() const { return task_.id.tgid; }
  // Until the target's SIGSTOP has taken effect.
  void AwaitStopped() const;
  // The status, as wait(2) gives it, that the parent saw of what it started. Waits for it; -1 when none came.
  int AwaitParentStatus();

 private:
  StoppedTask task_;
  pid_t parent_ = -1;
  UniqueFd status_;
};

// Path of a program of testdata/ (made by CMakeLists.txt).
std::string Program(const std::string& name);

// Everything that can be read from `fd` until `count` bytes have come or its writers are gone. Waits, with a bound.
std::string ReadUntil(int fd, size_t count);
std::string ReadToEnd(int fd);
// True when the process ends within the bound.
bool AwaitEnd(int pidfd);

struct Pipe {
  Pipe();
  UniqueFd read;
  UniqueFd write;
};

}  // namespace holdpoint::stage
