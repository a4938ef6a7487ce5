#include "agent/gate/intent_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

constexpr SessionNumber kOne = 1, kTwo = 2;
constexpr uint32_t kDev = 1000, kOps = 1001;
constexpr absl::Duration kWindow = absl::Minutes(10);

BootTime At(int seconds) { return BootTime{static_cast<uint64_t>(seconds) * 1'000'000'000}; }

v1::Judgement Act(const std::string& digest, const std::string& repeats = "") {
  v1::Judgement judgement;
  judgement.set_act_digest(digest);
  judgement.set_repeats(repeats);
  return judgement;
}

v1::Footprint On(const std::string& path, int targets = 1) {
  v1::Footprint footprint;
  for (int i = 0; i < targets; ++i) footprint.add_targets()->set_id(path);
  return footprint;
}

v1::Footprint Small(const std::string& pool, uint32_t count) {
  v1::Footprint footprint;
  footprint.set_family("path");
  footprint.set_pool(pool);
  footprint.set_small_losses(count);
  return footprint;
}

std::vector<std::string> Tickets(const v1::History& history) {
  std::vector<std::string> tickets;
  for (const auto& attempt : history.refused()) tickets.push_back(attempt.ticket());
  return tickets;
}

TEST(IntentLedgerTest, RefusalsAreOfOneSessionAndARetryAddsNothing) {
  IntentLedger ledger;
  ledger.Refused(kOne, Act("rm"), "HP-1", On("/x"));
  ledger.Refused(kOne, Act("rm"), "HP-1", On("/x"));
  ledger.Refused(kOne, Act("find", "HP-1"), "HP-2", On("/x"));
  ledger.Refused(kOne, Act("find", "HP-1"), "HP-2", On("/x"));
  ledger.Refused(kOne, Act("no ticket"), "", On("/x"));
  ledger.Refused(kOne, Act("no resource"), "HP-3", v1::Footprint());
  const v1::History history = ledger.Of(kOne, kDev, At(0), kWindow);
  EXPECT_THAT(Tickets(history), testing::ElementsAre("HP-1", "HP-2"));
  EXPECT_EQ(history.repeated(), 1u);
  EXPECT_EQ(ledger.Of(kTwo, kDev, At(0), kWindow).refused_size(), 0);
  ledger.Forget(kOne);
  EXPECT_EQ(ledger.Of(kOne, kDev, At(0), kWindow).ByteSizeLong(), 0u);
}

TEST(IntentLedgerTest, AnApprovalForgivesTheWholeChainAndNoOther) {
  for (const char* approved : {"HP-1", "HP-2"}) {
    IntentLedger ledger;
    ledger.Refused(kOne, Act("rm"), "HP-1", On("/x"));
    ledger.Refused(kOne, Act("find", "HP-1"), "HP-2", On("/x"));
    ledger.Refused(kOne, Act("rm y"), "HP-3", On("/y"));
    ledger.Refused(kTwo, Act("rm"), "HP-4", On("/x"));
    ledger.Approved(kOne, kDev, approved, false);
    EXPECT_THAT(Tickets(ledger.Of(kOne, kDev, At(0), kWindow)), testing::ElementsAre("HP-3")) << approved;
    EXPECT_THAT(Tickets(ledger.Of(kTwo, kDev, At(0), kWindow)), testing::ElementsAre("HP-4")) << approved;
  }
}

TEST(IntentLedgerTest, TheOldestAttemptsGoFirst) {
  IntentLedger ledger({.attempts = 3, .targets = 4});
  for (int i = 0; i < 5; ++i) ledger.Refused(kOne, Act(absl::StrCat(i)), absl::StrCat("HP-", i), On("/x"));
  EXPECT_THAT(Tickets(ledger.Of(kOne, kDev, At(0), kWindow)), testing::ElementsAre("HP-2", "HP-3", "HP-4"));
  ledger.Refused(kOne, Act("many"), "HP-M", On("/x", 4));
  EXPECT_THAT(Tickets(ledger.Of(kOne, kDev, At(0), kWindow)), testing::ElementsAre("HP-M"));
}

TEST(IntentLedgerTest, SmallLossesCountForTheSessionAndForItsUserUntilTheWindowHasPassed) {
  IntentLedger ledger;
  ledger.Passed(kOne, kDev, Small("/repo", 3), At(0));
  ledger.Passed(kTwo, kDev, Small("/repo", 4), At(300));
  ledger.Passed(kTwo, kDev, Small("/other", 1), At(300));
  ledger.Passed(kTwo, kOps, Small("/repo", 50), At(300));
  ledger.Passed(kOne, kDev, v1::Footprint(), At(300));
  ledger.Forget(kOne);
  v1::History history = ledger.Of(kTwo, kDev, At(599), kWindow);
  ASSERT_EQ(history.losses_size(), 2);
  EXPECT_EQ(history.losses(0).pool(), "/other");
  EXPECT_EQ(history.losses(1).pool(), "/repo");
  EXPECT_EQ(history.losses(1).session(), 4u);
  EXPECT_EQ(history.losses(1).user(), 7u);
  history = ledger.Of(kTwo, kDev, At(600), kWindow);
  EXPECT_EQ(history.losses(1).user(), 4u);
  EXPECT_EQ(ledger.Of(kTwo, kDev, At(900), kWindow).losses_size(), 0);
}

TEST(IntentLedgerTest, AnApprovedHoldForManyLossesStartsTheCountAgain) {
  IntentLedger ledger;
  ledger.Passed(kOne, kDev, Small("/repo", 50), At(0));
  ledger.Approved(kOne, kDev, "HP-1", false);
  EXPECT_EQ(ledger.Of(kOne, kDev, At(1), kWindow).losses_size(), 1);
  ledger.Approved(kOne, kDev, "HP-1", true);
  EXPECT_EQ(ledger.Of(kOne, kDev, At(1), kWindow).losses_size(), 0);
}

TEST(IntentLedgerTest, WhatDoesNotFitIsTheOldest) {
  IntentLedger ledger({.sessions = 1, .losses = 2, .users = 2});
  ledger.Refused(kOne, Act("a"), "HP-1", On("/x"));
  ledger.Refused(kTwo, Act("b"), "HP-2", On("/x"));
  EXPECT_EQ(ledger.Of(kOne, 9, At(0), kWindow).refused_size(), 0);
  EXPECT_EQ(ledger.Of(kTwo, 9, At(0), kWindow).refused_size(), 1);
  for (int i = 0; i < 3; ++i) ledger.Passed(kOne, 1, Small("/repo", 1), At(i));
  EXPECT_EQ(ledger.Of(kOne, 1, At(3), kWindow).losses(0).session(), 2u);
  ledger.Passed(kOne, 2, Small("/repo", 1), At(4));
  ledger.Passed(kOne, 3, Small("/repo", 1), At(5));
  EXPECT_EQ(ledger.Of(kOne, 1, At(5), kWindow).losses_size(), 0);
  EXPECT_EQ(ledger.Of(kOne, 2, At(5), kWindow).losses_size(), 1);
}

}  // namespace
}  // namespace holdpoint
