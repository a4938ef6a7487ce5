#include "agent/notify/budget.h"

#include <gtest/gtest.h>

namespace holdpoint {
namespace {

TEST(BudgetTest, ABurstThenOneEachInterval) {
  Budget budget(3, absl::Seconds(10));
  BootTime now{1'000'000'000'000};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(budget.Take(now));
  EXPECT_FALSE(budget.Take(now));
  EXPECT_FALSE(budget.Take(now + absl::Seconds(9)));
  EXPECT_TRUE(budget.Take(now + absl::Seconds(10)));
  EXPECT_FALSE(budget.Take(now + absl::Seconds(19)));
  EXPECT_TRUE(budget.Take(now + absl::Seconds(20)));
}

TEST(BudgetTest, QuietFillsItUpToTheBurstAndNoFurther) {
  Budget budget(2, absl::Seconds(10));
  BootTime now{1'000'000'000'000};
  EXPECT_TRUE(budget.Take(now));
  EXPECT_TRUE(budget.Take(now));
  now = now + absl::Hours(1);
  EXPECT_TRUE(budget.Take(now));
  EXPECT_TRUE(budget.Take(now));
  EXPECT_FALSE(budget.Take(now));
}

}  // namespace
}  // namespace holdpoint
