#include "agent/gate/tickets.h"

#include <gtest/gtest.h>

namespace holdpoint {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'000'000);

Ticket Asked(SessionNumber session, const std::string& digest) {
  Ticket ticket;
  ticket.session = session;
  ticket.digest = digest;
  ticket.expires = kNow + absl::Minutes(30);
  return ticket;
}

TEST(TicketTableTest, ApprovedTicketServesOneIdenticalActOfItsSession) {
  TicketTable table(8);
  Ticket* ticket = *table.Open(Asked(1, "digest-a"), 7);
  ticket->state = Ticket::State::kApproved;
  EXPECT_EQ(table.Find(1, "digest-b", kNow), nullptr);
  EXPECT_EQ(table.Find(2, "digest-a", kNow), nullptr);
  ASSERT_EQ(table.Find(1, "digest-a", kNow), ticket);
  EXPECT_TRUE(table.Use(*ticket, kNow));
  EXPECT_FALSE(table.Use(*ticket, kNow));
  EXPECT_EQ(table.Find(1, "digest-a", kNow), nullptr);
}

TEST(TicketTableTest, ApprovalOutOfDateServesNothing) {
  TicketTable table(8);
  Ticket* ticket = *table.Open(Asked(1, "d"), 7);
  ticket->state = Ticket::State::kApproved;
  const absl::Time late = ticket->expires;
  EXPECT_EQ(table.Find(1, "d", late), nullptr);
  EXPECT_FALSE(table.Use(*ticket, late));
  EXPECT_EQ(table.Expire(late).size(), 1u);
  EXPECT_EQ(ticket->state, Ticket::State::kExpired);
}

TEST(TicketTableTest, SameRandomNumberGivesAnotherId) {
  TicketTable table(8);
  const std::string first = (*table.Open(Asked(1, "a"), 7))->id;
  const std::string second = (*table.Open(Asked(1, "b"), 7))->id;
  EXPECT_NE(first, second);
  EXPECT_EQ(first.size(), 7u);
}

TEST(TicketTableTest, FullTableGivesUpDecidedTicketsButNeverAnOpenOne) {
  TicketTable table(2);
  Ticket* used = *table.Open(Asked(1, "a"), 1);
  used->state = Ticket::State::kUsed;
  const std::string used_id = used->id;
  ASSERT_TRUE(table.Open(Asked(1, "b"), 2).ok());
  ASSERT_TRUE(table.Open(Asked(1, "c"), 3).ok());
  EXPECT_EQ(table.FindById(used_id), nullptr);
  EXPECT_EQ(table.Open(Asked(1, "d"), 4).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(TicketTableTest, HeldTicketIsFoundByItsExecOnlyWhileHeld) {
  TicketTable table(4);
  Ticket* ticket = *table.Open(Asked(1, "a"), 1);
  EXPECT_EQ(table.Held(), 0u);
  table.Hold(*ticket, 99, BootTime{7});
  EXPECT_EQ(ticket->state, Ticket::State::kHeld);
  EXPECT_EQ(table.FindByExec(99), ticket);
  EXPECT_EQ(table.FindByExec(98), nullptr);
  EXPECT_EQ(table.Held(), 1u);
  ticket->state = Ticket::State::kOpen;
  EXPECT_EQ(table.FindByExec(99), nullptr);
}

hp_connect_key Peer(SessionNumber session, uint16_t port) { return {.session = session, .address = {}, .port = port, .pad = {}}; }

TEST(TicketTableTest, ApprovedConnectIsFoundByItsPeerAndOnlyWhileApproved) {
  TicketTable table(4);
  Ticket* ticket = *table.Open(Asked(1, "a"), 1);
  table.SetConnect(*ticket, Peer(1, 5432));
  EXPECT_EQ(table.FindApprovedConnect(Peer(1, 5432)), nullptr);  // nobody approved it yet
  ticket->state = Ticket::State::kApproved;
  EXPECT_EQ(table.FindApprovedConnect(Peer(1, 5432)), ticket);
  EXPECT_EQ(table.FindApprovedConnect(Peer(1, 5433)), nullptr);
  EXPECT_EQ(table.FindApprovedConnect(Peer(2, 5432)), nullptr);
  EXPECT_TRUE(table.Use(*ticket, kNow));
  EXPECT_EQ(table.FindApprovedConnect(Peer(1, 5432)), nullptr);
}

TEST(TicketTableTest, NewTicketOfAnActTakesThePlaceOfTheUsedOne) {
  TicketTable table(2);
  Ticket* used = *table.Open(Asked(1, "a"), 1);
  used->state = Ticket::State::kUsed;
  Ticket* again = *table.Open(Asked(1, "a"), 2);
  EXPECT_EQ(table.Find(1, "a", kNow), again);
  ASSERT_TRUE(table.Open(Asked(1, "b"), 3).ok());  // the used one goes, and takes nothing with it
  EXPECT_EQ(table.Find(1, "a", kNow), again);
  again->state = Ticket::State::kUsed;
  ASSERT_TRUE(table.Open(Asked(1, "c"), 4).ok());
  EXPECT_EQ(table.Find(1, "a", kNow), nullptr);
}

TEST(TicketTableTest, AnOpenQuestionAboutATargetIsFoundByAnotherActOnIt) {
  TicketTable table(4);
  Ticket asked = Asked(1, "a");
  asked.judgement.set_target_digest("target");
  Ticket* ticket = *table.Open(asked, 1);
  for (const Ticket::State state : {Ticket::State::kHeld, Ticket::State::kOpen, Ticket::State::kApproved}) {
    ticket->state = state;
    EXPECT_EQ(table.FindByTarget(1, "target", kNow), ticket);
  }
  EXPECT_EQ(table.FindByTarget(2, "target", kNow), nullptr);
  EXPECT_EQ(table.FindByTarget(1, "other", kNow), nullptr);
  EXPECT_EQ(table.FindByTarget(1, "target", ticket->expires), nullptr);
  for (const Ticket::State state : {Ticket::State::kUsed, Ticket::State::kDenied, Ticket::State::kExpired}) {
    ticket->state = state;
    EXPECT_EQ(table.FindByTarget(1, "target", kNow), nullptr);
  }
  ASSERT_TRUE(table.Open(Asked(1, "without a target"), 2).ok());
  EXPECT_EQ(table.FindByTarget(1, "", kNow), nullptr);
}

}  // namespace
}  // namespace holdpoint
