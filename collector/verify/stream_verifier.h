#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/event/chain.h"

namespace holdpoint {

// How far a stream was verified: everything up to here is there, or a tombstone accounts for it, so it need not be
// read again. Records behind it may still arrive in any order: a topic has partitions.
struct VerifiedTo {
  uint64_t sequence = 0;
  std::string hash;  // of that record
};

// What is known of a stream from elsewhere.
struct StreamFacts {
  std::vector<DeclaredGap> declared;
  std::optional<VerifiedTo> end;  // where the next run saw it end
};

struct StreamVerdict {
  std::vector<ChainFinding> findings;  // those behind `from`; a kMissing one may be gone when the record arrives late
  VerifiedTo verified_to;              // before the first missing record
  uint64_t last_sequence = 0;
  uint64_t declared_missing = 0;  // behind `from`
};

// Verifies a stream from `from` on. `next` gives its links behind `from` in the order of their sequences, and nothing
// at the end. Pure but for `next`.
StreamVerdict VerifyStream(const VerifiedTo& from, const StreamFacts& facts,
                           const std::function<std::optional<ChainLink>()>& next);

}  // namespace holdpoint
