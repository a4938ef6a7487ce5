#include "agent/kernel/account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace holdpoint {
namespace {

using testing::ElementsAre;

constexpr size_t kUrgent = 0, kEvents = 1;

std::array<std::byte, sizeof(hp_event_header)> Record(hp_event_kind kind, uint64_t boot_ns = 50) {
  hp_event_header header{};
  header.kind = static_cast<uint16_t>(kind);
  header.boot_ns = boot_ns;
  std::array<std::byte, sizeof(header)> bytes;
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

class AccountTest : public testing::Test {
 protected:
  AccountTest() {
    account_.Keep(&page_, {}, BootTime{10});
    account_.SetKnown();
  }
  // As the next daemon would find it, with the rings read up to these places.
  Account::Acts Left(uint64_t urgent, uint64_t events) { return Account::LeftIn(page_, {urgent, events}).acts; }

  hp_account page_{};
  Account account_;
};

TEST_F(AccountTest, OnlyActsThatRanAreTaken) {
  uint64_t position = 0;
  for (const hp_event_kind kind : {HP_EVENT_CANDIDATE, HP_EVENT_ASK, HP_EVENT_KILLED, HP_EVENT_EXIT, HP_EVENT_PROGRAM}) {
    account_.Take(kEvents, position += 64, Record(kind));
  }
  EXPECT_THAT(Left(0, position + 64), ElementsAre(0, 0));
  account_.Take(kEvents, position + 64, Record(HP_EVENT_EXEC));
  account_.Take(kUrgent, 0, Record(HP_EVENT_CONNECT));
  account_.Take(kEvents, position + 128, std::array<std::byte, 3>{});
  EXPECT_THAT(Left(64, position + 192), ElementsAre(1, 1));
}

TEST_F(AccountTest, WhatIsSettledIsNotLeft) {
  for (uint64_t i = 0; i < 5; ++i) account_.Take(kEvents, i * 64, Record(HP_EVENT_EXEC));
  account_.Settle(HP_ACT_EXEC, 3);
  account_.Add(HP_ACT_EXEC, BootTime{60});
  account_.Take(kEvents, 5 * 64, Record(HP_EVENT_CONNECT));
  account_.Drop(HP_ACT_CONNECT);
  EXPECT_THAT(Left(0, 6 * 64), ElementsAre(3, 0));
  EXPECT_THAT(account_.owed(), ElementsAre(3, 0));
}

// A record that was taken and not given back as read comes again: it is not lost.
TEST_F(AccountTest, TheRecordInHandIsNotLeftWhicheverRingItIsOf) {
  account_.Take(kEvents, 0, Record(HP_EVENT_EXEC));
  account_.Take(kUrgent, 0, Record(HP_EVENT_CONNECT));
  EXPECT_THAT(Left(0, 64), ElementsAre(1, 0));
  EXPECT_THAT(Left(64, 64), ElementsAre(1, 1));
  account_.Take(kEvents, 64, Record(HP_EVENT_EXEC));
  EXPECT_THAT(Left(64, 64), ElementsAre(1, 1));
  account_.Drop(HP_ACT_EXEC);
  EXPECT_THAT(Left(64, 64), ElementsAre(1, 1)) << "dropped in hand: it comes again, and is dropped again";
  EXPECT_THAT(Left(64, 128), ElementsAre(1, 1));
}

// However far Take came: each field is stored on its own, in this order.
TEST_F(AccountTest, AnEndAtAnyStepOfTakingLosesAndInventsNothing) {
  account_.Take(kEvents, 0, Record(HP_EVENT_EXEC));
  account_.Take(kUrgent, 0, Record(HP_EVENT_EXEC));
  const hp_account before = page_;
  account_.Take(kEvents, 64, Record(HP_EVENT_EXEC));
  const hp_account after = page_;

  page_ = before;
  for (size_t act = 0; act < HP_ACT_COUNT; ++act) {
    page_.before[kEvents][act] = after.before[kEvents][act];
    EXPECT_THAT(Left(64, 64), ElementsAre(2, 0));
  }
  page_.at[kEvents] = after.at[kEvents];
  EXPECT_THAT(Left(64, 64), ElementsAre(2, 0));
  page_.taken[HP_ACT_EXEC] = after.taken[HP_ACT_EXEC];
  EXPECT_THAT(Left(64, 64), ElementsAre(2, 0));
  EXPECT_THAT(Left(64, 128), ElementsAre(3, 0));
}

TEST_F(AccountTest, TheNextOneGoesOnWithWhatWasLeft) {
  account_.Take(kEvents, 0, Record(HP_EVENT_EXEC));
  account_.Take(kEvents, 64, Record(HP_EVENT_EXEC, 70));
  account_.SetSince(BootTime{30});
  account_.SetSince(BootTime{20});
  account_.SetDeclared(1, 9);
  const Account::Left left = Account::LeftIn(page_, {0, 64});
  EXPECT_TRUE(left.known);
  EXPECT_THAT(left.acts, ElementsAre(1, 0));
  EXPECT_EQ(left.since.ns, 30u);
  EXPECT_EQ(left.last.ns, 70u);

  Account next;
  next.Keep(&page_, left, BootTime{100});
  EXPECT_THAT(Left(0, 64), ElementsAre(1, 0)) << "killed before it has declared it";
  next.Settle(HP_ACT_EXEC, 1);
  next.Take(kEvents, 64, Record(HP_EVENT_EXEC));
  EXPECT_THAT(Left(0, 128), ElementsAre(1, 0));
  EXPECT_EQ(next.declared(1), 9u);
}

TEST(AccountPageTest, WithoutAnAccountNothingIsKnown) {
  const Account::Left left = Account::LeftIn(hp_account{}, {0, 0});
  EXPECT_FALSE(left.known);
  EXPECT_FALSE(left.begun);
}

TEST(AccountPageTest, ThatNothingIsKnownIsLeftToTheNextOneUntilItIsSaid) {
  hp_account page{};
  for (const uint64_t start : {10, 20}) {  // killed before it has said it, and once more
    Account account;
    account.Keep(&page, Account::LeftIn(page, {0, 0}), BootTime{start});
    EXPECT_FALSE(Account::LeftIn(page, {0, 0}).known);
    EXPECT_TRUE(Account::LeftIn(page, {0, 0}).begun);
  }
  Account account;
  account.Keep(&page, Account::LeftIn(page, {0, 0}), BootTime{30});
  account.SetKnown();
  EXPECT_TRUE(Account::LeftIn(page, {0, 0}).known);
  EXPECT_EQ(Account::LeftIn(page, {0, 0}).since.ns, 30u);
}

}  // namespace
}  // namespace holdpoint
