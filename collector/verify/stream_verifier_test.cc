#include "collector/verify/stream_verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

std::string HashOf(uint64_t sequence) {
  return sequence == 0 ? std::string(32, '\0') : absl::StrCat("hash ", sequence);
}

// The verdict on a stream that holds the records `sequences`, from `from` on.
StreamVerdict Verify(uint64_t from, std::vector<uint64_t> sequences, const StreamFacts& facts = {}) {
  size_t i = 0;
  return VerifyStream({from, from == 0 ? "" : HashOf(from)}, facts, [&]() -> std::optional<ChainLink> {
    if (i == sequences.size()) return std::nullopt;
    const uint64_t s = sequences[i++];
    return ChainLink{s, HashOf(s - 1), HashOf(s)};
  });
}

TEST(StreamVerifierTest, WholeStreamIsVerifiedToItsEnd) {
  const StreamVerdict verdict = Verify(0, {1, 2, 3});
  EXPECT_THAT(verdict.findings, testing::IsEmpty());
  EXPECT_EQ(verdict.verified_to.sequence, 3u);
  EXPECT_EQ(verdict.verified_to.hash, HashOf(3));
}

TEST(StreamVerifierTest, GoesOnWhereItStopped) {
  EXPECT_THAT(Verify(3, {4, 5}).findings, testing::IsEmpty());
  EXPECT_EQ(Verify(3, {4, 5}).verified_to.sequence, 5u);
  EXPECT_EQ(Verify(3, {}).verified_to.sequence, 3u);
}

TEST(StreamVerifierTest, StopsBeforeAHoleSoThatALateRecordCanFillIt) {
  const StreamVerdict hole = Verify(0, {1, 2, 4, 5, 8});
  ASSERT_EQ(hole.findings.size(), 2u);
  EXPECT_EQ(hole.findings[0].first, 3u);
  EXPECT_EQ(hole.findings[1].first, 6u);
  EXPECT_EQ(hole.verified_to.sequence, 2u);
  EXPECT_EQ(hole.last_sequence, 8u);
  const StreamVerdict filled = Verify(hole.verified_to.sequence, {3, 4, 5, 6, 7, 8});
  EXPECT_THAT(filled.findings, testing::IsEmpty());
  EXPECT_EQ(filled.verified_to.sequence, 8u);
}

TEST(StreamVerifierTest, PassesOverDeclaredGaps) {
  const StreamVerdict verdict = Verify(0, {3, 4, 7}, {.declared = {{1, 2, HashOf(2)}, {5, 6, HashOf(6)}}, .end = {}});
  EXPECT_THAT(verdict.findings, testing::IsEmpty());
  EXPECT_EQ(verdict.declared_missing, 4u);
  EXPECT_EQ(verdict.verified_to.sequence, 7u);
}

TEST(StreamVerifierTest, BrokenLinkIsAFindingAndPassedOver) {
  const StreamVerdict verdict = VerifyStream({2, "other hash"}, {}, [i = 2]() mutable -> std::optional<ChainLink> {
    if (++i > 4) return std::nullopt;
    return ChainLink{static_cast<uint64_t>(i), HashOf(i - 1), HashOf(i)};
  });
  ASSERT_EQ(verdict.findings.size(), 1u);
  EXPECT_EQ(verdict.findings[0].kind, ChainFinding::Kind::kBroken);
  EXPECT_EQ(verdict.verified_to.sequence, 4u);
}

TEST(StreamVerifierTest, EndThatWasCutOffIsMissing) {
  const StreamVerdict verdict = Verify(0, {1, 2}, {.declared = {}, .end = VerifiedTo{4, HashOf(4)}});
  ASSERT_EQ(verdict.findings.size(), 1u);
  EXPECT_EQ(verdict.findings[0].first, 3u);
  EXPECT_EQ(verdict.findings[0].last, 4u);
  EXPECT_EQ(verdict.verified_to.sequence, 2u);
}

}  // namespace
}  // namespace holdpoint
