#include "agent/base/latency.h"

#include <gtest/gtest.h>

namespace holdpoint {
namespace {

TEST(LatencyTest, NothingCountedIsZero) {
  const Latency latency;
  EXPECT_EQ(latency.count(), 0u);
  EXPECT_EQ(latency.Quantile(0.99), absl::ZeroDuration());
}

TEST(LatencyTest, SmallNumbersAreExactAndLargeOnesWithinAnEighth) {
  for (int64_t ns = 0; ns < 8; ++ns) {
    Latency latency;
    latency.Add(absl::Nanoseconds(ns));
    EXPECT_EQ(latency.Quantile(0.5), absl::Nanoseconds(ns));
  }
  for (const int64_t ns : {8l, 9l, 15l, 16l, 17l, 1000l, 4095l, 4096l, 123'456l, 987'654'321l,
                           4'000'000'000'000'000'000l}) {
    Latency latency;
    latency.Add(absl::Nanoseconds(ns));
    const auto said = absl::ToInt64Nanoseconds(latency.Quantile(0.5));
    EXPECT_GE(said, ns);
    EXPECT_LE(static_cast<double>(said - ns), static_cast<double>(ns) / 8) << ns;
  }
}

TEST(LatencyTest, QuantilesAreOfWhatWasCounted) {
  Latency latency;
  for (int i = 0; i < 98; ++i) latency.Add(absl::Microseconds(50));
  latency.Add(absl::Milliseconds(3));
  latency.Add(absl::Milliseconds(3));
  EXPECT_EQ(latency.count(), 100u);
  EXPECT_LT(latency.Quantile(0.50), absl::Microseconds(57));
  EXPECT_LT(latency.Quantile(0.98), absl::Microseconds(57));
  EXPECT_GE(latency.Quantile(0.99), absl::Milliseconds(3));
  EXPECT_GE(latency.Quantile(1), absl::Milliseconds(3));
}

TEST(LatencyTest, AClockThatWentBackCountsAsNoTime) {
  Latency latency;
  latency.Add(-absl::Seconds(1));
  latency.Add(absl::InfiniteDuration());
  EXPECT_EQ(latency.count(), 2u);
  EXPECT_EQ(latency.Quantile(0.5), absl::ZeroDuration());
  EXPECT_GT(latency.Quantile(1), absl::Hours(24 * 365));
}

TEST(LatencyTest, AsFewBucketsItSaysTheSame) {
  Latency latency;
  for (const int us : {1, 16, 17, 1000, 200'000'000}) latency.Add(absl::Microseconds(us));
  const LatencyBuckets buckets = LatencyBuckets::Of(latency);
  EXPECT_EQ(LatencyBuckets::BoundNs(0), 16'384u);
  EXPECT_EQ(buckets.shorter[0], 2u);
  EXPECT_EQ(buckets.shorter[1], 3u);
  EXPECT_EQ(buckets.shorter[6], 4u) << "1,048,576 ns";
  EXPECT_EQ(buckets.shorter.back(), 4u);
  EXPECT_EQ(buckets.count, 5u);
  EXPECT_EQ(buckets.sum_ns, 200'001'034'000u);
}

}  // namespace
}  // namespace holdpoint
