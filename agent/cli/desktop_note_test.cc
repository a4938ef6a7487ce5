#include "agent/cli/desktop_note.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdpoint {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kNow = 1'700'000'000;

TicketRow Row(const std::string& state) {
  TicketRow row;
  row.ticket = "HP-4K7Q";
  row.state = state;
  row.environment = "production";
  row.summary = "rm -rf /srv";
  row.reason = "gone for good";
  row.owners = "%sre";
  row.may_decide = true;
  row.deadline = kNow + 20;
  row.expires = kNow + 3600;
  return row;
}

TEST(DesktopNoteTest, AHoldOfMineIsCriticalAndStays) {
  const DesktopNote note = DesktopNoteOf("opened", Row("held"), kNow);
  EXPECT_TRUE(note.wanted);
  EXPECT_TRUE(note.stays);
  EXPECT_EQ(note.urgency, 2);
  EXPECT_EQ(note.title, "HP-4K7Q is held: 20 s to decide");
  EXPECT_THAT(note.body, HasSubstr("production: rm -rf /srv\ngone for good\n"));
  EXPECT_THAT(note.body, HasSubstr("holdpoint watch"));
}

TEST(DesktopNoteTest, WhoMayNotDecideIsToldWhoMay) {
  TicketRow row = Row("open");
  row.may_decide = false;
  const DesktopNote note = DesktopNoteOf("opened", row, kNow);
  EXPECT_FALSE(note.stays);
  EXPECT_EQ(note.urgency, 1);
  EXPECT_THAT(note.body, HasSubstr("May decide: %sre"));
}

TEST(DesktopNoteTest, ADecisionTakesItsPlaceQuietlyAndUseShowsNothing) {
  TicketRow row = Row("denied");
  row.decided_by = "lee";
  row.decision_reason = "not today";
  const DesktopNote note = DesktopNoteOf("denied", row, kNow);
  EXPECT_EQ(note.title, "HP-4K7Q denied by lee");
  EXPECT_THAT(note.body, HasSubstr("not today"));
  EXPECT_EQ(note.urgency, 0);
  for (const char* change : {"used", "changed", "open again"}) EXPECT_FALSE(DesktopNoteOf(change, row, kNow).wanted);
  EXPECT_FALSE(DesktopNoteOf("now", Row("approved"), kNow).wanted);
}

TEST(DesktopNoteTest, MarkupOfASessionStaysText) {
  EXPECT_EQ(EscapeMarkup("<a href=\"x\">&"), "&lt;a href=\"x\"&gt;&amp;");
}

}  // namespace
}  // namespace holdpoint
