#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/sha256.h"
#include "agent/event/record_sink.h"

namespace holdpoint {

// What a segment holds that nobody writes to.
struct SegmentSurvey {
  uint64_t records = 0;
  uint64_t kept_last = 0;       // of them
  uint64_t record_bytes = 0;    // without frames
  uint64_t ordinary_bytes = 0;  // of those that are not kept last, with frames
  uint64_t last_sequence = 0;   // 0: no whole record
  Sha256Digest last_hash{};
  std::string last_record{};
  uint64_t damaged_bytes = 0;  // between records
  uint64_t tail_bytes = 0;     // behind the last one
  uint64_t end = 0;            // offset behind the last one
};

// Reads a whole segment. Errors: those of reading.
absl::StatusOr<SegmentSurvey> SurveySegment(const std::string& path);

// What a thinned copy leaves out.
struct Thinned {
  std::vector<SequenceGap> gaps;
  uint64_t records = 0;
  uint64_t record_bytes = 0;
  uint64_t size = 0;  // of the copy
};

// Copies what is kept last to `copy`, byte by byte, and forces it to disk. On an error there is no copy.
absl::StatusOr<Thinned> ThinSegment(const std::string& path, const std::string& copy);

// The tombstones in a segment, as they were declared: run_id, gaps, delivered, reason. `own_run` is the run that the
// segment belongs to.
absl::StatusOr<std::vector<Eviction>> TombstonesIn(const std::string& path, const std::string& own_run);

}  // namespace holdpoint
