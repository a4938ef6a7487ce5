#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/base/clock.h"
#include "agent/gate/child.h"
#include "agent/gate/event_loop.h"

namespace holdpoint {

// A program of ours that reports: it is to run as long as the gate does, and nothing waits for it, as reporting is not
// enforcement. When it has ended it is started again, ever more slowly while it does not live for a minute.
//
// Thread: the event thread.
class KeptChild {
 public:
  static constexpr absl::Duration kPatience = absl::Seconds(10);

  // `what` is for the log: "the stream process". `loop` and `clock` outlive it.
  KeptChild(EventLoop& loop, const Clock& clock, std::string path, std::string what, absl::Duration patience = kPatience);
  ~KeptChild();  // Ends it and waits for that; past `patience` by SIGKILL: a stopped one keeps no gate from ending.
  KeptChild(const KeptChild&) = delete;
  KeptChild& operator=(const KeptChild&) = delete;

  // Starts it; with other arguments than before, again. Without any it is not wanted, and ended. Errors: those of starting;
  // then it is tried again.
  absl::Status Run(std::vector<std::string> args);
  // What ends from here on is not started again.
  void StartNoMore() { args_.clear(); }

  bool wanted() const { return !args_.empty(); }
  bool alive() const { return child_.pid > 0; }
  pid_t pid() const { return child_.pid; }
  uint64_t restarts() const { return restarts_; }

 private:
  absl::Status Start();
  void Ended(BootTime began);
  void Terminate();
  void StartLater();

  EventLoop& loop_;
  const Clock& clock_;
  const std::string path_;
  const std::string what_;
  const absl::Duration patience_;
  std::vector<std::string> args_;
  Child child_;
  bool again_ = false;  // it ends because it is to be started with other arguments
  EventLoop::TimerId timer_ = 0;
  absl::Duration pause_;
  uint64_t restarts_ = 0;
};

}  // namespace holdpoint
