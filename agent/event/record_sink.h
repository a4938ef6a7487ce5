#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/base/sha256.h"
#include "agent/event/record_class.h"

namespace holdpoint {

// Sequences of one stream whose records are gone.
struct SequenceGap {
  uint64_t first = 0;
  uint64_t last = 0;
  Sha256Digest last_hash{};  // of the record `last`
};

// Records that a sink gave up. The recorder writes a Tombstone for each, so that the chain still verifies.
struct Eviction {
  std::string run_id = {};             // the stream that they belonged to
  std::vector<SequenceGap> gaps = {};  // at least one, ascending; what lies between them is still there
  bool delivered = false;              // the brokers had them all: nothing is lost
  uint64_t records = 0;                // 0: declared before, and that tombstone is one of the records that went
  uint64_t kept_last = 0;              // of them, no ordinary ones
  uint64_t bytes = 0;
  std::string reason = {};  // "the spool is full", "older than max_age", "could not be written"; few and ours
};

// Where serialised envelopes go. The real one is the Spool.
class RecordSink {
 public:
  virtual ~RecordSink() = default;

  // Takes one record. On an error nothing of it was kept, and the next Append may succeed: also at once, for a record
  // of a class that has more room.
  // Errors: kResourceExhausted (disk full), kInternal (input or output error). Thread: one at a time.
  virtual absl::Status Append(uint64_t sequence, absl::string_view record, RecordClass record_class) = 0;

  // Returns once all that was appended before is on stable storage. Any thread, also while another one appends.
  virtual absl::Status Sync() = 0;

  // Records from gap.first on could not be appended, up to now. A sink that can remembers it until EvictionsDeclared(),
  // also across the death of this process. Same thread as Append.
  virtual void NoteUnwritten(const SequenceGap& gap) = 0;

  // What was evicted since the last call, oldest first. Same thread as Append.
  virtual std::vector<Eviction> TakeEvictions() = 0;

  // A tombstone was appended for all that was noted, and for each eviction that was taken so far. Until then a sink must remember them, also across
  // a power cut. Same thread as Append.
  virtual void EvictionsDeclared() = 0;
};

}  // namespace holdpoint
