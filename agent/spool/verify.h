#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/event/chain.h"

namespace holdpoint {

struct StreamReport {
  std::string run_id;
  std::string host;
  uint64_t segments = 0;
  uint64_t bytes = 0;
  uint64_t records = 0;
  uint64_t first_sequence = 0;
  uint64_t last_sequence = 0;
  uint64_t declared_missing = 0;  // accounted for by tombstones: evicted, or never written
  uint64_t declared_lost = 0;     // of them: no broker had them
  bool newest = false;            // perhaps still being written
  std::vector<ChainFinding> chain;
  std::vector<std::string> damage;  // lines for people: checksums, undecodable records, misplaced ones

  bool ok() const { return chain.empty() && damage.empty(); }
};

struct SpoolReport {
  std::vector<StreamReport> streams;  // oldest first
  bool ok() const;
  uint64_t records() const;
  std::string ToString() const;  // for people: a line for each stream and each finding, no line feed at the end
};

// Reads a whole spool and checks framing, checksums, sequences, the hash chain across segments, that the gaps are
// accounted for, and where one stream says that the one before it ended, also where nothing is left of that one. Changes nothing. The newest stream may be
// written meanwhile: a record that is not whole at its very end is not a finding.
//
// Errors: kNotFound without a spool, those of reading.
absl::StatusOr<SpoolReport> VerifySpool(const std::string& spool_dir);

}  // namespace holdpoint
