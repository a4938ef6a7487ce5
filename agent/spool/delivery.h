#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/base/latency.h"

namespace holdpoint {

// What the stream process says of its work, for people and metrics: nothing is decided by it. Counts are since that
// process started.
struct DeliveryState {
  uint64_t delivered = 0;      // records that the brokers have
  uint64_t undeliverable = 0;  // of these: too large for ever, they stay in the spool
  uint64_t restarts = 0;       // producers that were given up and made anew
  int64_t started_unix_ns = 0;
  int64_t last_unix_ns = 0;         // of the last delivery report, 0 before the first
  int64_t last_record_unix_ns = 0;  // when the record was made that it was about
  LatencyBuckets delay = {};        // from a record's making to its delivery report
  std::string trouble = {};  // what keeps it from delivering now, clipped; empty: nothing
};

// STATE/stream/delivery: one fixed-size record with a checksum, replaced as a whole, so that the gate can read what
// another user's process wrote without parsing it.
std::string DeliveryPath(const std::string& state_dir);

// Writes PATH.new and renames it. Not forced to disk: after a power cut it is of no interest.
absl::Status WriteDelivery(const std::string& path, const DeliveryState& state);

// Errors: kNotFound where there is none, kDataLoss for something else than such a record.
absl::StatusOr<DeliveryState> ReadDelivery(const std::string& path);

}  // namespace holdpoint
