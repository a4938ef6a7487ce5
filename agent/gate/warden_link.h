#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/base/clock.h"
#include "agent/gate/child.h"
#include "agent/gate/event_loop.h"

namespace holdpoint {

// The gate's side of the warden (agent/kernel/warden.h): starts it, and starts it again when somebody ends it.
// Thread: the event thread.
class WardenLink {
 public:
  struct Options {
    std::string program;
    std::vector<int> fds;         // Kernel::WardenFds
    absl::Duration wedged_after;  // without a heartbeat
  };

  // Waits (5 s) until it stands by. `lost` is called with a reason each time one has ended and another was started.
  static absl::StatusOr<std::unique_ptr<WardenLink>> Start(EventLoop& loop, const Clock& clock, Options options,
                                                           std::function<void(const std::string&)> lost);
  ~WardenLink();

  bool alive() const { return child_.pid > 0; }
  pid_t pid() const { return child_.pid; }

 private:
  WardenLink(EventLoop& loop, const Clock& clock, Options options, std::function<void(const std::string&)> lost)
      : loop_(loop), clock_(clock), options_(std::move(options)), lost_(std::move(lost)) {}
  absl::StatusOr<UniqueFd> StartProcess();
  void Ended();
  void StartAgain();

  EventLoop& loop_;
  const Clock& clock_;
  const Options options_;
  const std::function<void(const std::string&)> lost_;
  Child child_;
  absl::Duration backoff_ = absl::ZeroDuration();
  BootTime started_;
  std::shared_ptr<bool> live_ = std::make_shared<bool>(true);
};

}  // namespace holdpoint
