#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/base/sha256.h"

namespace holdpoint {

// Records that a sink gave up to make room. The recorder writes a Tombstone for each, so that the chain still verifies.
struct Eviction {
  std::string run_id;  // the stream that they belonged to
  uint64_t first_sequence = 0;
  uint64_t last_sequence = 0;
  Sha256Digest last_hash{};  // of the record with last_sequence
  bool delivered = false;    // the brokers had them all: nothing is lost
};

// Where serialised envelopes go. The real one is the Spool.
class RecordSink {
 public:
  virtual ~RecordSink() = default;

  // Takes one record. On an error nothing of it was kept, and the next Append may succeed.
  // Errors: kResourceExhausted (disk full), kInternal (input or output error). Thread: one at a time.
  virtual absl::Status Append(uint64_t sequence, absl::string_view record) = 0;

  // Returns once all that was appended before is on stable storage. Any thread, also while another one appends.
  virtual absl::Status Sync() = 0;

  // What was evicted since the last call, oldest first. Same thread as Append.
  virtual std::vector<Eviction> TakeEvictions() = 0;
};

}  // namespace holdpoint
