#include "agent/base/clock.h"

#include <time.h>

#include "absl/time/clock.h"

namespace holdpoint {
namespace {

class RealClock final : public Clock {
 public:
  BootTime Boot() const override {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return BootTime{static_cast<uint64_t>(now.tv_sec) * 1'000'000'000ull + static_cast<uint64_t>(now.tv_nsec)};
  }
  absl::Time Wall() const override { return absl::Now(); }
};

}  // namespace

const Clock& Clock::Real() {
  static const RealClock clock;
  return clock;
}

}  // namespace holdpoint
