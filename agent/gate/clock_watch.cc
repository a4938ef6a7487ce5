#include "agent/gate/clock_watch.h"

#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <limits>

#include "agent/base/status.h"

namespace holdpoint {
namespace {

// Under it, two readings of clocks one after the other on a busy machine.
constexpr absl::Duration kLeastSleep = absl::Milliseconds(100);
constexpr absl::Duration kLeastSet = absl::Seconds(1);

}  // namespace

// What the boot clock has and the monotonic one has not.
absl::Duration ClockWatch::SleptSinceBoot() {
  timespec awake{};
  clock_gettime(CLOCK_MONOTONIC, &awake);
  const absl::Duration since = absl::DurationFromTimespec(awake);
  return absl::Nanoseconds(static_cast<int64_t>(Clock::Real().Boot().ns)) - since;
}

absl::StatusOr<int> ClockWatch::Open() {
  fd_.reset(timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!fd_.ok()) return ErrnoStatus("timerfd_create");
  itimerspec never{};
  never.it_value.tv_sec = std::numeric_limits<time_t>::max() / 4'000'000'000;  // the kernel counts in nanoseconds
  if (timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr) != 0) {
    return ErrnoStatus("timerfd_settime");
  }
  return fd_.get();
}

ClockWatch::Reading ClockWatch::Read() const {
  const BootTime boot = clock_.Boot();
  return {.slept = slept_(), .booted = clock_.Wall() - absl::Nanoseconds(static_cast<int64_t>(boot.ns))};
}

ClockWatch::Change ClockWatch::Look() {
  uint64_t expired = 0;
  if (fd_.ok()) (void)!read(fd_.get(), &expired, sizeof(expired));  // ECANCELED is what it is for.
  const Reading now = Read();
  Change change{.slept = now.slept - before_.slept, .set = now.booted - before_.booted};
  before_ = now;
  if (change.slept < kLeastSleep) change.slept = absl::ZeroDuration();
  if (absl::AbsDuration(change.set) < kLeastSet) change.set = absl::ZeroDuration();
  return change;
}

}  // namespace holdpoint
