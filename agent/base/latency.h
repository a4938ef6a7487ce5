#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace holdpoint {

// Counts durations in buckets of which each is an eighth of a power of two wide: 3 KiB say any quantile from a
// nanosecond to centuries to within 12.5 %, and adding is a few instructions. Values: no clock, one thread.
class Latency {
 public:
  void Add(absl::Duration duration) {
    const int64_t ns = absl::ToInt64Nanoseconds(duration);
    ++counts_[Bucket(ns < 0 ? 0 : static_cast<uint64_t>(ns))];
    ++total_;
    sum_ns_ += ns < 0 ? 0 : static_cast<uint64_t>(ns);
  }

  uint64_t count() const { return total_; }
  absl::Duration sum() const { return absl::Nanoseconds(static_cast<int64_t>(sum_ns_)); }

  // How many were shorter than 2 to the power of `power` nanoseconds: exact, such a bound lies between two buckets.
  uint64_t ShorterThan(int power) const {
    uint64_t seen = 0;
    for (size_t bucket = 0; bucket < Bucket(uint64_t{1} << power); ++bucket) seen += counts_[bucket];
    return seen;
  }

  // The upper bound of the bucket in which the share `q` (0 to 1) of all durations is reached; zero without any.
  absl::Duration Quantile(double q) const {
    const double wanted = q * static_cast<double>(total_);
    uint64_t seen = 0;
    for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
      seen += counts_[bucket];
      if (counts_[bucket] > 0 && static_cast<double>(seen) >= wanted) {
        return absl::Nanoseconds(static_cast<int64_t>(UpperBound(bucket)));
      }
    }
    return absl::ZeroDuration();
  }

 private:
  static constexpr int kSubBits = 3;  // eighths
  static constexpr uint64_t kSub = 1u << kSubBits;
  static constexpr size_t kBuckets = (64 - kSubBits) * kSub;

  // Below kSub each number has its own bucket; above, the highest four bits say which.
  static constexpr size_t Bucket(uint64_t ns) {
    if (ns < kSub) return ns;
    const int shift = std::bit_width(ns) - 1 - kSubBits;
    return (static_cast<size_t>(shift) + 1) * kSub + static_cast<size_t>((ns >> shift) - kSub);
  }
  static constexpr uint64_t UpperBound(size_t bucket) {
    if (bucket < kSub) return bucket;
    const size_t shift = bucket / kSub - 1;
    return ((bucket % kSub + kSub + 1) << shift) - 1;
  }

  std::array<uint64_t, kBuckets> counts_ = {};
  uint64_t total_ = 0;
  uint64_t sum_ns_ = 0;
};

// The same as a histogram of few buckets, as it is shown: how many were shorter than 2^kFirstPower ns, twice that, ...
struct LatencyBuckets {
  static constexpr int kFirstPower = 14;  // 16 us
  static constexpr int kLastPower = 36;   // 69 s
  static constexpr size_t kCount = kLastPower - kFirstPower + 1;

  std::array<uint64_t, kCount> shorter = {};
  uint64_t count = 0;
  uint64_t sum_ns = 0;

  static constexpr uint64_t BoundNs(size_t i) { return uint64_t{1} << (kFirstPower + static_cast<int>(i)); }
  static LatencyBuckets Of(const Latency& latency) {
    LatencyBuckets buckets{.count = latency.count(),
                           .sum_ns = static_cast<uint64_t>(absl::ToInt64Nanoseconds(latency.sum()))};
    for (size_t i = 0; i < kCount; ++i) buckets.shorter[i] = latency.ShorterThan(kFirstPower + static_cast<int>(i));
    return buckets;
  }
};

}  // namespace holdpoint
