#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace holdpoint {

// A point on CLOCK_BOOTTIME, in nanoseconds since boot. Deadlines and the heartbeat use it: it goes on during
// suspend and nobody can set it. The kernel programs stamp events with the same clock.
struct BootTime {
  uint64_t ns = 0;

  friend auto operator<=>(const BootTime&, const BootTime&) = default;
  friend BootTime operator+(BootTime t, absl::Duration d) {
    return BootTime{t.ns + static_cast<uint64_t>(absl::ToInt64Nanoseconds(d))};
  }
  friend absl::Duration operator-(BootTime a, BootTime b) {
    return absl::Nanoseconds(static_cast<int64_t>(a.ns) - static_cast<int64_t>(b.ns));
  }
};

// Where a module needs the time. Wall time is only for dates that people read and for the expiry of approvals.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual BootTime Boot() const = 0;
  virtual absl::Time Wall() const = 0;

  // The real clocks of this host. Lives as long as the process.
  static const Clock& Real();
};

}  // namespace holdpoint
