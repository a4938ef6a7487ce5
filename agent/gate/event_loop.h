#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "agent/base/fd.h"

namespace holdpoint {

// The gate's event thread: descriptors that became readable, and timers on CLOCK_BOOTTIME. Everything runs on the
// thread that calls Run(); nothing here is thread-safe.
class EventLoop {
 public:
  using Callback = std::function<void()>;
  using TimerId = uint64_t;  // 0 is none

  static absl::StatusOr<std::unique_ptr<EventLoop>> Create(const Clock& clock);

  // Calls `readable` while `fd` has input or has hung up. The descriptor stays the caller's; Remove() it before it is
  // closed. A callback may add and remove descriptors, its own too.
  absl::Status Add(int fd, Callback readable);
  void Remove(int fd);

  // Calls `expired` once when the boot clock reaches `when`.
  TimerId At(BootTime when, Callback expired);
  void Cancel(TimerId id);

  // Called before each of the callbacks above: that this thread goes on is known also while many of them are due at once.
  void BeforeEach(Callback alive) { alive_ = std::move(alive); }

  // Serves until Stop(), behind which nothing runs, though it may be due. An error is of epoll itself.
  absl::Status Run();
  void Stop() { stop_ = true; }

 private:
  EventLoop(const Clock& clock, UniqueFd epoll) : clock_(clock), epoll_(std::move(epoll)) {}
  void RunTimers();
  int TimeoutMs() const;

  const Clock& clock_;
  UniqueFd epoll_;
  std::map<int, std::shared_ptr<Callback>> readers_;
  std::map<std::pair<BootTime, TimerId>, Callback> timers_;
  std::map<TimerId, BootTime> due_;
  TimerId last_timer_ = 0;
  Callback alive_ = [] {};
  bool stop_ = false;
};

}  // namespace holdpoint
