#include "agent/gate/clock_watch.h"

#include <gtest/gtest.h>

namespace holdpoint {
namespace {

class FakeClock final : public Clock {
 public:
  BootTime Boot() const override { return BootTime{static_cast<uint64_t>(absl::ToInt64Nanoseconds(boot))}; }
  absl::Time Wall() const override { return wall; }

  void Pass(absl::Duration time) { boot += time, wall += time; }
  void Sleep(absl::Duration time) { Pass(time), slept += time; }

  absl::Duration boot = absl::Hours(1);
  absl::Time wall = absl::FromUnixSeconds(1'800'000'000);
  absl::Duration slept;
};

TEST(ClockWatchTest, TimeThatPassesIsNoChange) {
  FakeClock clock;
  ClockWatch watch(clock, [&] { return clock.slept; });
  clock.Pass(absl::Hours(30));
  EXPECT_EQ(watch.Look().slept, absl::ZeroDuration());
  EXPECT_EQ(watch.Look().set, absl::ZeroDuration());
}

TEST(ClockWatchTest, SleepIsToldOnceAndIsNoSettingOfTheClock) {
  FakeClock clock;
  ClockWatch watch(clock, [&] { return clock.slept; });
  clock.Sleep(absl::Minutes(7));
  const ClockWatch::Change change = watch.Look();
  EXPECT_EQ(change.slept, absl::Minutes(7));
  EXPECT_EQ(change.set, absl::ZeroDuration());
  clock.Pass(absl::Seconds(1));
  EXPECT_EQ(watch.Look().slept, absl::ZeroDuration());
}

TEST(ClockWatchTest, SettingTheClockIsToldBothWays) {
  FakeClock clock;
  ClockWatch watch(clock, [&] { return clock.slept; });
  clock.wall += absl::Hours(24);
  EXPECT_EQ(watch.Look().set, absl::Hours(24));
  clock.Pass(absl::Seconds(1));
  EXPECT_EQ(watch.Look().set, absl::ZeroDuration());
  clock.wall -= absl::Hours(48);
  const ClockWatch::Change change = watch.Look();
  EXPECT_EQ(change.set, -absl::Hours(48));
  EXPECT_EQ(change.slept, absl::ZeroDuration());
}

TEST(ClockWatchTest, WhatATimeServiceDoesLittleByLittleIsNoChange) {
  FakeClock clock;
  ClockWatch watch(clock, [&] { return clock.slept; });
  for (int second = 0; second < 100'000; ++second) {
    clock.Pass(absl::Seconds(1));
    clock.wall += absl::Microseconds(500);
    ASSERT_EQ(watch.Look().set, absl::ZeroDuration());
  }
}

}  // namespace
}  // namespace holdpoint
