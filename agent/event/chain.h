#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/base/sha256.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// What the chain of one stream needs to know of a record.
struct ChainLink {
  uint64_t sequence = 0;
  std::string previous_hash;  // as the record says, raw bytes
  std::string hash;           // SHA-256 of the record's bytes, raw
};

// A declared absence: from a Tombstone record of this stream, or of a later one that names this stream's run.
struct DeclaredGap {
  uint64_t first_sequence = 0;
  uint64_t last_sequence = 0;
  std::string last_hash;
  bool delivered = false;  // the brokers had them: not lost, only gone from the host
};

// What a tombstone declares, one or more.
std::vector<DeclaredGap> GapsOf(const v1::Tombstone& tombstone);

struct ChainFinding {
  enum class Kind {
    kMissing,       // no records first..last, and no tombstone that accounts for them
    kBroken,        // the record `first` does not follow from the one before it: one of the two was changed
    kRepeated,      // the sequence `first` occurs more than once
    kBadTombstone,  // a tombstone covers the gap first..last, but its hash is not what the next record says
  };
  Kind kind;
  uint64_t first = 0;
  uint64_t last = 0;
  std::string text;  // one line for people
};

// Checks one stream whose records come in the order of their sequences. Pure state: no clock, no file.
//
// It finds records that are missing, changed, repeated or out of order. That the newest ones are missing shows only
// when somebody says where the stream ended: the first record of the next stream does.
class ChainChecker {
 public:
  ChainChecker() = default;
  // Goes on behind a record that was accounted for before.
  ChainChecker(uint64_t sequence, absl::string_view hash) : last_(sequence), last_hash_(hash) {}

  void Add(const ChainLink& link);
  void AddDeclaredGap(const DeclaredGap& gap) { declared_.push_back(gap); }

  // Where the next stream saw this one end. Later records, earlier ones or another hash are findings.
  void ExpectEnd(uint64_t sequence, absl::string_view hash);

  // Judges the gaps against all declarations. Call once, after the last Add.
  std::vector<ChainFinding> Finish();

  uint64_t records() const { return records_; }
  uint64_t first_sequence() const { return first_; }
  uint64_t last_sequence() const { return last_; }
  const std::string& last_hash() const { return last_hash_; }
  uint64_t declared_missing() const { return declared_missing_; }  // After Finish, as the next one.
  uint64_t declared_lost() const { return declared_lost_; }        // of them: no broker had them

 private:
  struct Gap {
    uint64_t first, last;
    std::string next_previous_hash;  // what the record behind the gap says of the last missing one
  };
  void Judge(const Gap& gap);
  void JudgeEnd();

  uint64_t records_ = 0;
  uint64_t first_ = 0;
  uint64_t last_ = 0;
  std::string last_hash_;
  uint64_t declared_missing_ = 0;
  uint64_t declared_lost_ = 0;
  uint64_t expected_end_ = 0;
  std::string expected_end_hash_;
  std::vector<Gap> gaps_;
  std::vector<DeclaredGap> declared_;
  std::vector<ChainFinding> findings_;
};

// A record that only stands for one that its receiver found too large: a tombstone for its own sequence. It is no link
// of the chain; the hash in it is that of the record.
bool IsStandIn(const v1::Envelope& event);

absl::string_view ChainFindingName(ChainFinding::Kind kind);

// The link of a record as it was stored.
ChainLink LinkOf(const v1::Envelope& event, absl::string_view record);

}  // namespace holdpoint
