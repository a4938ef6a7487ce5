#include "collector/verify/delivery_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdpoint {
namespace {

using Ranges = std::vector<std::pair<uint64_t, uint64_t>>;

struct Seen {
  int again = 0, reordered = 0;
  Ranges unfinished;
};

Seen Feed(const std::vector<uint64_t>& sequences) {
  DeliveryOrder order;
  Seen seen;
  for (const uint64_t sequence : sequences) {
    const DeliveryOrder::Kind kind = order.Add(sequence);
    seen.again += kind == DeliveryOrder::Kind::kAgain;
    seen.reordered += kind == DeliveryOrder::Kind::kReordered;
  }
  seen.unfinished = order.Unfinished();
  return seen;
}

TEST(DeliveryOrderTest, AStreamThatBeginsAgainIsNoFinding) {
  const Seen once = Feed({1, 4, 5, 9, 4, 5, 9, 10});
  EXPECT_EQ(once.again, 3);
  EXPECT_EQ(once.reordered, 0);
  EXPECT_THAT(once.unfinished, testing::IsEmpty());
  // Killed in the middle of it, and again.
  EXPECT_THAT(Feed({1, 4, 5, 9, 4, 5, 5, 9, 4, 5, 9, 10}).unfinished, testing::IsEmpty());
  // The last that was on its way when it was killed comes in between.
  EXPECT_THAT(Feed({1, 4, 5, 4, 9, 5, 9, 10}).unfinished, testing::IsEmpty());
}

TEST(DeliveryOrderTest, ARecordThatIsReplayedOnItsOwnIsFound) {
  EXPECT_EQ(Feed({1, 4, 5, 9, 4, 10, 11}).unfinished, (Ranges{{4, 4}}));
  EXPECT_EQ(Feed({1, 4, 5, 9, 4}).unfinished, (Ranges{{4, 4}}));
  EXPECT_EQ(Feed({1, 4, 5, 9, 1, 5, 10}).unfinished, (Ranges{{1, 1}, {5, 5}}));
  EXPECT_THAT(Feed({1, 4, 5, 9, 9, 10}).unfinished, testing::IsEmpty());  // The newest one: as a stream would.
}

TEST(DeliveryOrderTest, AReplayIsFoundBesideARealRepetition) {
  EXPECT_EQ(Feed({1, 2, 3, 4, 5, 1, 4, 5, 6}).unfinished, (Ranges{{1, 1}}));
}

TEST(DeliveryOrderTest, ARecordBehindItsSuccessorIsReordered) {
  const Seen seen = Feed({1, 5, 3, 4, 6});
  EXPECT_EQ(seen.reordered, 2);
  EXPECT_THAT(seen.unfinished, testing::IsEmpty());
}

}  // namespace
}  // namespace holdpoint
