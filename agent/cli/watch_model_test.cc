#include "agent/cli/watch_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdpoint {
namespace {

using ::testing::HasSubstr;
using What = Key::What;
using Mode = WatchModel::Mode;
using Wish = WatchModel::Wish::What;

constexpr int64_t kNow = 1'700'000'000;

TicketRow Row(const std::string& ticket, const std::string& state = "held") {
  TicketRow row;
  row.ticket = ticket;
  row.state = state;
  row.environment = "production";
  row.protected_environment = true;
  row.deciders = {"dana", "lee"};
  row.deadline = kNow + 20;
  row.expires = kNow + 3600;
  row.opened = kNow;
  return row;
}

class WatchModelTest : public ::testing::Test {
 protected:
  void SetUp() override { model_.Begun(); }
  WatchModel::Wish Type(const std::string& text) {
    WatchModel::Wish wish;
    for (const char c : text) {
      wish = model_.Press(c == '\n' ? Key{What::kEnter} : c == '\x1b' ? Key{What::kEscape} : Key{What::kText, c});
    }
    return wish;
  }
  WatchModel model_{"dana", "web-1"};
};

TEST_F(WatchModelTest, ApprovesWithOneKeyAReasonAndThePassword) {
  EXPECT_TRUE(model_.Ticket("opened", Row("HP-0001"), kNow));
  Type("a");
  EXPECT_EQ(model_.mode(), Mode::kReason);
  Type("planned\n");
  EXPECT_EQ(model_.mode(), Mode::kSecret);
  const WatchModel::Wish wish = Type("pass word\n");
  EXPECT_EQ(wish.what, Wish::kDecide);
  EXPECT_TRUE(wish.approve);
  EXPECT_EQ(wish.ticket, "HP-0001");
  EXPECT_EQ(wish.reason, "planned");
  EXPECT_EQ(model_.TakeSecret(), "pass word");
  EXPECT_EQ(model_.TakeSecret(), "");
  EXPECT_EQ(model_.mode(), Mode::kBusy);
  model_.Answered(true, "HP-0001 approved");
  EXPECT_EQ(model_.mode(), Mode::kList);
  EXPECT_EQ(model_.message(), "HP-0001 approved");
}

TEST_F(WatchModelTest, WhatIsProtectedIsNotApprovedWithoutAReason) {
  model_.Ticket("opened", Row("HP-0001"), kNow);
  Type("a\n");
  EXPECT_EQ(model_.mode(), Mode::kReason);
  Type("  \n");
  EXPECT_EQ(model_.mode(), Mode::kReason);
  Type("x\n");
  EXPECT_EQ(model_.mode(), Mode::kSecret);
}

TEST_F(WatchModelTest, TheKeySaysHowFarAnApprovalGoes) {
  TicketRow row = Row("HP-0001");
  row.protected_environment = false;
  model_.Ticket("opened", row, kNow);
  WatchModel::Wish wish = Type("a\npass\n");  // Once, and nothing protected: without a reason.
  EXPECT_EQ(wish.scope, WatchModel::Scope::kOnce);
  EXPECT_EQ(wish.until, 0);
  model_.Answered(false, "the password was not accepted");
  Type("s\n");
  EXPECT_EQ(model_.mode(), Mode::kReason) << "what is remembered needs a reason";
  wish = Type("planned\npass\n");
  EXPECT_EQ(wish.what, Wish::kDecide);
  EXPECT_EQ(wish.scope, WatchModel::Scope::kSession);
  EXPECT_EQ(wish.reason, "planned");
  EXPECT_EQ(wish.until, 0);
}

TEST_F(WatchModelTest, UntilADateAsksForOneThatIsToCome) {
  model_.Ticket("opened", Row("HP-0001"), kNow);
  model_.Tick(kNow + 5);
  Type("u");
  EXPECT_EQ(model_.mode(), Mode::kUntil);
  for (const char* wrong : {"for ever\n", "2001-01-01\n", "\n"}) {
    Type(wrong);
    EXPECT_EQ(model_.mode(), Mode::kUntil) << wrong;
    EXPECT_NE(model_.wrong(), "") << wrong;
    model_.Press({What::kErase});
  }
  Type("2h\n");
  EXPECT_EQ(model_.mode(), Mode::kReason);
  EXPECT_EQ(model_.typed(), "");
  Type("\n");
  EXPECT_EQ(model_.mode(), Mode::kReason);
  const WatchModel::Wish wish = Type("planned\npass\n");
  EXPECT_EQ(wish.scope, WatchModel::Scope::kUntil);
  EXPECT_EQ(wish.until, kNow + 5 + 7200);
}

TEST_F(WatchModelTest, OfTwoPersonsTheSecondSaysTheSame) {
  TicketRow row = Row("HP-0001");
  row.approved_by = {"lee"};
  row.scope = "session";
  model_.Ticket("opened", row, kNow);
  Type("a");
  EXPECT_EQ(model_.mode(), Mode::kList);
  EXPECT_THAT(model_.message(), HasSubstr("lee approved HP-0001 for session"));
  Type("s");
  EXPECT_EQ(model_.mode(), Mode::kReason);
  Type("\x1b" "d");
  EXPECT_EQ(model_.mode(), Mode::kReason) << "to deny is one person's";
}

TEST_F(WatchModelTest, ADenialNeedsNoReasonAndAnEmptyPasswordIsNone) {
  model_.Ticket("opened", Row("HP-0001"), kNow);
  Type("d\n\n");
  EXPECT_EQ(model_.mode(), Mode::kSecret);
  const WatchModel::Wish wish = Type("p\n");
  EXPECT_EQ(wish.what, Wish::kDecide);
  EXPECT_FALSE(wish.approve);
}

TEST_F(WatchModelTest, EscapeDecidesNothingAndForgetsThePassword) {
  model_.Ticket("opened", Row("HP-0001"), kNow);
  Type("ax\nsecret\x1b");
  EXPECT_EQ(model_.mode(), Mode::kList);
  EXPECT_EQ(model_.TakeSecret(), "");
}

// A new ticket that comes in above, and the end of another, never move a decision to another ticket.
TEST_F(WatchModelTest, TheChoiceStaysWithItsTicket) {
  model_.Ticket("opened", Row("HP-0002", "open"), kNow);
  model_.Ticket("opened", Row("HP-0001"), kNow);  // held: sorted above
  ASSERT_EQ(model_.rows()[0].ticket, "HP-0001");
  EXPECT_EQ(model_.chosen()->ticket, "HP-0002");
  Type("a");
  model_.Ticket("opened", Row("HP-0003"), kNow);
  EXPECT_EQ(Type("r\np\n").ticket, "HP-0002");
}

TEST_F(WatchModelTest, WhatIsDecidedElsewhereStaysForAMomentAndCannotBeApproved) {
  model_.Ticket("opened", Row("HP-0001"), kNow);
  TicketRow denied = Row("HP-0001", "denied");
  denied.decided_by = "lee";
  EXPECT_FALSE(model_.Ticket("denied", denied, kNow));
  Type("a");
  EXPECT_EQ(model_.mode(), Mode::kList);
  EXPECT_THAT(model_.message(), HasSubstr("is denied already"));
  model_.Tick(kNow + 9);
  EXPECT_EQ(model_.rows().size(), 1u);
  model_.Tick(kNow + 10);
  EXPECT_TRUE(model_.rows().empty());
  EXPECT_EQ(model_.chosen(), nullptr);
}

TEST_F(WatchModelTest, WhoMayNotDecideIsNotAskedForAPassword) {
  TicketRow row = Row("HP-0001");
  row.deciders = {"lee"};
  model_.Ticket("opened", row, kNow);
  Type("a");
  EXPECT_EQ(model_.mode(), Mode::kList);
  EXPECT_EQ(model_.message(), "dana may not decide on HP-0001; may decide: lee");
}

TEST_F(WatchModelTest, ANewListReplacesTheOldOne) {
  model_.Ticket("opened", Row("HP-0001"), kNow);
  model_.Disconnected("the daemon is gone");
  EXPECT_EQ(model_.problem(), "the daemon is gone");
  Type("a");
  EXPECT_EQ(model_.mode(), Mode::kList);
  EXPECT_FALSE(model_.Ticket("now", Row("HP-0009"), kNow));
  model_.Begun();
  EXPECT_EQ(model_.problem(), "");
  ASSERT_EQ(model_.rows().size(), 1u);
  EXPECT_EQ(model_.chosen()->ticket, "HP-0009");
  model_.Disconnected("gone");
  model_.Begun();
  EXPECT_TRUE(model_.rows().empty());
}

TEST_F(WatchModelTest, LeavesWithQAndWithAnInterrupt) {
  EXPECT_EQ(Type("q").what, Wish::kQuit);
  EXPECT_EQ(model_.Press({What::kInterrupt}).what, Wish::kQuit);
  EXPECT_EQ(Type("?").what, Wish::kNothing);
  EXPECT_EQ(model_.mode(), Mode::kHelp);
  EXPECT_EQ(Type("q").what, Wish::kNothing);  // any key goes back
  EXPECT_EQ(model_.mode(), Mode::kList);
}

}  // namespace
}  // namespace holdpoint
