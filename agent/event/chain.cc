#include "agent/event/chain.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

std::string Range(uint64_t first, uint64_t last) {
  return first == last ? absl::StrCat("record ", first) : absl::StrCat("records ", first, " to ", last);
}

}  // namespace

absl::string_view ChainFindingName(ChainFinding::Kind kind) {
  switch (kind) {
    case ChainFinding::Kind::kMissing:
      return "missing";
    case ChainFinding::Kind::kBroken:
      return "broken";
    case ChainFinding::Kind::kRepeated:
      return "repeated";
    case ChainFinding::Kind::kBadTombstone:
      return "bad-tombstone";
  }
  return "unknown";
}

bool IsStandIn(const v1::Envelope& event) {
  const v1::Tombstone& tombstone = event.tombstone();
  return event.has_tombstone() && tombstone.run_id().empty() && tombstone.first_sequence() == event.sequence() &&
         tombstone.last_sequence() == event.sequence();
}

ChainLink LinkOf(const v1::Envelope& event, absl::string_view record) {
  const Sha256Digest hash = Sha256(record);
  return {event.sequence(), event.previous_hash(),
          std::string(reinterpret_cast<const char*>(hash.data()), hash.size())};
}

std::vector<DeclaredGap> GapsOf(const v1::Tombstone& tombstone) {
  std::vector<DeclaredGap> gaps = {
      {tombstone.first_sequence(), tombstone.last_sequence(), tombstone.last_hash(), tombstone.delivered()}};
  for (const v1::Tombstone::Gap& gap : tombstone.gaps()) {
    gaps.push_back({gap.first_sequence(), gap.last_sequence(), gap.last_hash(), tombstone.delivered()});
  }
  return gaps;
}

void ChainChecker::Add(const ChainLink& link) {
  if (link.sequence <= last_) {
    findings_.push_back({ChainFinding::Kind::kRepeated, link.sequence, link.sequence,
                         absl::StrCat("record ", link.sequence, " comes again or out of order, after record ", last_)});
    return;
  }
  const uint64_t expected = last_ + 1;  // A stream starts at 1.
  if (link.sequence > expected) {
    gaps_.push_back({expected, link.sequence - 1, link.previous_hash});
  } else {
    const std::string want = last_ > 0 ? last_hash_ : std::string(Sha256Digest().size(), '\0');
    if (link.previous_hash != want) {
      findings_.push_back({ChainFinding::Kind::kBroken, link.sequence, link.sequence,
                           last_ > 0
                               ? absl::StrCat("record ", link.sequence, " does not follow from record ", last_,
                                              ": one of the two was changed")
                               : absl::StrCat("record ", link.sequence, " is the first, but names one before it")});
    }
  }
  if (records_ == 0) first_ = link.sequence;
  ++records_;
  last_ = link.sequence;
  last_hash_ = link.hash;
}

void ChainChecker::Judge(const Gap& gap) {
  uint64_t next = gap.first;  // The first sequence that nothing accounts for yet.
  const auto missing_up_to = [&](uint64_t last) {
    if (next > last) return;
    findings_.push_back({ChainFinding::Kind::kMissing, next, last,
                         absl::StrCat(Range(next, last), " missing, and nothing accounts for it")});
    next = last + 1;
  };
  for (const DeclaredGap& declared : declared_) {  // Sorted by first_sequence.
    if (declared.last_sequence < next || declared.first_sequence > gap.last) continue;
    if (declared.first_sequence > next) missing_up_to(declared.first_sequence - 1);
    const uint64_t covered_to = std::min(declared.last_sequence, gap.last);
    declared_missing_ += covered_to - next + 1;
    if (!declared.delivered) declared_lost_ += covered_to - next + 1;
    next = covered_to + 1;
    if (declared.last_sequence == gap.last && declared.last_hash != gap.next_previous_hash) {
      findings_.push_back({ChainFinding::Kind::kBadTombstone, gap.first, gap.last,
                           absl::StrCat("the tombstone for ", Range(gap.first, gap.last),
                                        " has another hash than record ", gap.last + 1, " says")});
    }
  }
  missing_up_to(gap.last);
}

void ChainChecker::ExpectEnd(uint64_t sequence, absl::string_view hash) {
  expected_end_ = sequence;
  expected_end_hash_ = std::string(hash);
}

void ChainChecker::JudgeEnd() {
  if (expected_end_ == 0) return;
  if (last_ < expected_end_) {
    gaps_.push_back({last_ + 1, expected_end_, expected_end_hash_});
  } else if (last_ > expected_end_) {
    findings_.push_back({ChainFinding::Kind::kBroken, expected_end_ + 1, last_,
                         absl::StrCat(Range(expected_end_ + 1, last_), " came after the next run saw this one end at ",
                                      expected_end_)});
  } else if (last_hash_ != expected_end_hash_) {
    findings_.push_back({ChainFinding::Kind::kBroken, last_, last_,
                         absl::StrCat("record ", last_, ", the last one, is not what the next run saw there")});
  }
}

std::vector<ChainFinding> ChainChecker::Finish() {
  JudgeEnd();
  std::sort(declared_.begin(), declared_.end(),
            [](const DeclaredGap& a, const DeclaredGap& b) { return a.first_sequence < b.first_sequence; });
  for (const Gap& gap : gaps_) Judge(gap);
  gaps_.clear();
  std::stable_sort(findings_.begin(), findings_.end(),
                   [](const ChainFinding& a, const ChainFinding& b) { return a.first < b.first; });
  return std::move(findings_);
}

}  // namespace holdpoint
