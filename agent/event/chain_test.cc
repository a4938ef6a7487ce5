#include "agent/event/chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

using Kind = ChainFinding::Kind;

std::string HashOf(uint64_t sequence) {
  return sequence == 0 ? std::string(32, '\0') : absl::StrCat("hash ", sequence);
}
ChainLink Link(uint64_t sequence) { return {sequence, HashOf(sequence - 1), HashOf(sequence)}; }

std::vector<std::string> Names(const std::vector<ChainFinding>& findings) {
  std::vector<std::string> names;
  for (const auto& f : findings) names.push_back(absl::StrCat(ChainFindingName(f.kind), " ", f.first, "-", f.last));
  return names;
}

std::vector<std::string> Check(std::vector<ChainLink> links, std::vector<DeclaredGap> declared = {}) {
  ChainChecker checker;
  for (const ChainLink& link : links) checker.Add(link);
  for (const DeclaredGap& gap : declared) checker.AddDeclaredGap(gap);
  return Names(checker.Finish());
}

TEST(ChainTest, WholeChainHasNoFindings) { EXPECT_THAT(Check({Link(1), Link(2), Link(3)}), testing::IsEmpty()); }

TEST(ChainTest, FindsRemovedRecords) {
  EXPECT_THAT(Check({Link(1), Link(4), Link(6)}), testing::ElementsAre("missing 2-3", "missing 5-5"));
  EXPECT_THAT(Check({Link(3)}), testing::ElementsAre("missing 1-2"));
}

TEST(ChainTest, FindsAChangedRecord) {
  ChainLink changed = Link(2);
  changed.hash = "other";
  EXPECT_THAT(Check({Link(1), changed, Link(3)}), testing::ElementsAre("broken 3-3"));
  ChainLink first = Link(1);
  first.previous_hash = "something";
  EXPECT_THAT(Check({first}), testing::ElementsAre("broken 1-1"));
}

TEST(ChainTest, FindsRepeatedAndReorderedRecords) {
  EXPECT_THAT(Check({Link(1), Link(2), Link(2)}), testing::ElementsAre("repeated 2-2"));
  EXPECT_THAT(Check({Link(1), Link(3), Link(2)}), testing::UnorderedElementsAre("missing 2-2", "repeated 2-2"));
}

TEST(ChainTest, TombstonesAccountForAGapIfTheyCoverAllOfIt) {
  const std::vector<ChainLink> links = {Link(1), Link(6)};
  EXPECT_THAT(Check(links, {{2, 5, HashOf(5)}}), testing::IsEmpty());
  EXPECT_THAT(Check(links, {{4, 5, HashOf(5)}, {2, 3, HashOf(3)}}), testing::IsEmpty());
  EXPECT_THAT(Check(links, {{2, 3, HashOf(3)}}), testing::ElementsAre("missing 4-5"));
  EXPECT_THAT(Check(links, {{4, 5, HashOf(5)}}), testing::ElementsAre("missing 2-3"));
  EXPECT_THAT(Check(links, {{2, 2, HashOf(2)}, {4, 9, HashOf(9)}}), testing::ElementsAre("missing 3-3"));
}

TEST(ChainTest, TombstoneWithAnotherHashIsAFinding) {
  EXPECT_THAT(Check({Link(1), Link(6)}, {{2, 5, "forged"}}), testing::ElementsAre("bad-tombstone 2-5"));
}

TEST(ChainTest, EndIsCheckedAgainstTheNextRunsWord) {
  const auto with_end = [](uint64_t sequence, const std::string& hash) {
    ChainChecker checker;
    checker.Add(Link(1));
    checker.Add(Link(2));
    checker.ExpectEnd(sequence, hash);
    return Names(checker.Finish());
  };
  EXPECT_THAT(with_end(2, HashOf(2)), testing::IsEmpty());
  EXPECT_THAT(with_end(4, HashOf(4)), testing::ElementsAre("missing 3-4"));
  EXPECT_THAT(with_end(2, "other"), testing::ElementsAre("broken 2-2"));
  EXPECT_THAT(with_end(1, HashOf(1)), testing::ElementsAre("broken 2-2"));
}

}  // namespace
}  // namespace holdpoint
