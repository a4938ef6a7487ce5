#pragma once

#include <functional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/base/clock.h"
#include "agent/base/fd.h"

namespace holdpoint {

// Sees what becomes of the clocks while nobody looks: the host slept, or somebody set the wall clock. One thread.
class ClockWatch {
 public:
  // `slept`: for how long the host has slept since it booted.
  explicit ClockWatch(const Clock& clock, std::function<absl::Duration()> slept = SleptSinceBoot)
      : clock_(clock), slept_(std::move(slept)), before_(Read()) {}

  static absl::Duration SleptSinceBoot();

  // A descriptor that becomes readable when the host wakes up and when the wall clock is set. Drained by Look().
  absl::StatusOr<int> Open();

  struct Change {
    absl::Duration slept;  // zero: it did not
    absl::Duration set;    // forward, or back where negative; zero: it was not
  };
  // Since the last call. What a time service does little by little is no change: call it about once a second.
  Change Look();

 private:
  struct Reading {
    absl::Duration slept;
    absl::Time booted;  // the wall clock's idea of it
  };
  Reading Read() const;

  const Clock& clock_;
  const std::function<absl::Duration()> slept_;
  UniqueFd fd_;
  Reading before_;
};

}  // namespace holdpoint
