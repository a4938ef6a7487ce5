#include "agent/cli/watch_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_join.h"

namespace holdpoint {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kNow = 1'700'000'000;

TicketRow Row() {
  TicketRow row;
  row.ticket = "HP-4K7Q";
  row.state = "held";
  row.environment = "production";
  row.protected_environment = true;
  row.summary = "curl POST backboard.railway.app volumeDelete";
  row.reason = "deletes a volume for good; the token is tagged production, this session is staging";
  row.command = "curl -sS -X POST https://backboard.railway.app/graphql/v2 -H 'Authorization: Bearer [redacted]'";
  row.effect = "destroy";
  row.recoverability = "irreversible";
  row.resource = "volume 3d2c42fb";
  row.backups = "on the same volume";
  row.coding_agent = "claude-code";
  row.user = "dev";
  row.session = "s-1f3c-12";
  row.deciders = {"dana"};
  row.rollback = "lee";
  row.tags = {{"session", "staging", "workspace ~/src/shop", false}, {"credential", "production", "file .env", true}};
  row.deadline = kNow + 14;
  row.expires = kNow + 3600;
  return row;
}

WatchModel& With(WatchModel& model, const std::vector<TicketRow>& rows) {
  for (const TicketRow& row : rows) model.Ticket("now", row, kNow);
  model.Begun();
  return model;
}

std::string Text(const WatchFrame& frame) { return absl::StrJoin(frame.lines, "\n"); }

TEST(WatchViewTest, ShowsWhatAnOwnerDecidesOn) {
  WatchModel model("dana", "web-1");
  const WatchFrame frame = RenderWatch(With(model, {Row()}), 80, 24, kNow, false);
  ASSERT_EQ(frame.lines.size(), 24u);
  for (const std::string& line : frame.lines) EXPECT_LE(line.size(), 80u) << line;
  const std::string text = Text(frame);
  EXPECT_THAT(text, AllOf(HasSubstr("1 waiting, 1 held"), HasSubstr("> HP-4K7Q"), HasSubstr("HELD"), HasSubstr("14 s")));
  EXPECT_THAT(text, AllOf(HasSubstr("the token is tagged production"), HasSubstr("irreversible destroy: volume 3d2c42fb"),
                          HasSubstr("on the same volume"), HasSubstr("credential  production, protected  (file .env)")));
  EXPECT_THAT(text, AllOf(HasSubstr("claude-code of dev"), HasSubstr("may decide dana; rollback: lee"), HasSubstr("a approve once")));
  EXPECT_FALSE(frame.cursor.has_value());
}

TEST(WatchViewTest, EveryLineFitsWhateverTheSize) {
  TicketRow long_row = Row();
  long_row.command = std::string(1500, 'c');
  long_row.summary = std::string(300, 's');
  std::vector<TicketRow> rows(30, long_row);
  for (size_t i = 0; i < rows.size(); ++i) rows[i].ticket = "HP-00" + std::to_string(10 + i);
  WatchModel model("dana", "web-1");
  With(model, rows);
  for (const size_t width : {1, 20, 39, 40, 80, 200}) {
    for (const size_t height : {1, 2, 11, 12, 24, 60}) {
      const WatchFrame frame = RenderWatch(model, width, height, kNow, false);
      ASSERT_EQ(frame.lines.size(), height) << width << "x" << height;
      for (const std::string& line : frame.lines) EXPECT_LE(line.size(), width) << width << "x" << height << ": " << line;
    }
  }
}

TEST(WatchViewTest, NoColorMeansNoEscapes) {
  WatchModel model("dana", "web-1");
  With(model, {Row()});
  EXPECT_THAT(Text(RenderWatch(model, 80, 24, kNow, false)), Not(HasSubstr("\x1b")));
  EXPECT_THAT(Text(RenderWatch(model, 80, 24, kNow, true)), HasSubstr("\x1b[7m"));
}

TEST(WatchViewTest, ALongDetailCanBeScrolled) {
  TicketRow row = Row();
  row.rule = "last-line";
  row.command = std::string(1000, 'c');
  WatchModel model("dana", "web-1");
  With(model, {row});
  EXPECT_THAT(Text(RenderWatch(model, 80, 16, kNow, false)), AllOf(HasSubstr("more lines: space"), Not(HasSubstr("last-line"))));
  for (int i = 0; i < 10; ++i) model.Press({Key::What::kPageDown});
  EXPECT_THAT(Text(RenderWatch(model, 80, 16, kNow, false)), HasSubstr("last-line"));
}

TEST(WatchViewTest, AsksForTheReasonAndThenHidesThePassword) {
  WatchModel model("dana", "web-1");
  With(model, {Row()});
  for (const char c : std::string("ago on")) model.Press({Key::What::kText, c});
  WatchFrame frame = RenderWatch(model, 80, 24, kNow, false);
  EXPECT_EQ(frame.lines[23], " Why approve HP-4K7Q? go on");
  EXPECT_THAT(frame.lines[22], HasSubstr("this is protected"));
  EXPECT_EQ(frame.cursor, (std::pair<size_t, size_t>(23, 27)));
  model.Press({Key::What::kEnter});
  for (const char c : std::string("hunter2")) model.Press({Key::What::kText, c});
  frame = RenderWatch(model, 80, 24, kNow, false);
  EXPECT_EQ(frame.lines[23], " Password of dana: ");
  EXPECT_THAT(Text(frame), Not(HasSubstr("hunter2")));
  EXPECT_THAT(Text(frame), Not(HasSubstr("*")));
}

TEST(WatchViewTest, SaysHowFarTheApprovalGoesThatItAsksFor) {
  WatchModel model("dana", "web-1");
  With(model, {Row()});
  const auto type = [&model](const std::string& text) {
    for (const char c : text) model.Press(c == '\n' ? Key{Key::What::kEnter} : c == '\x1b' ? Key{Key::What::kEscape} : Key{Key::What::kText, c});
  };
  type("s");
  WatchFrame frame = RenderWatch(model, 80, 24, kNow, false);
  EXPECT_EQ(frame.lines[23], " Why approve HP-4K7Q for the session? ");
  EXPECT_THAT(frame.lines[22], HasSubstr("it is remembered"));
  type("\x1bu1999-01-01\n");
  frame = RenderWatch(model, 80, 24, kNow, false);
  EXPECT_EQ(frame.lines[23], " Until when may HP-4K7Q pass? 1999-01-01");
  EXPECT_THAT(frame.lines[22], HasSubstr("over already"));
  model.Press({Key::What::kErase});
  type("2026-12-31\n");
  EXPECT_EQ(RenderWatch(model, 80, 24, kNow, false).lines[23], " Why approve HP-4K7Q until 2026-12-31 00:00 UTC? ");
}

TEST(WatchViewTest, SaysThatNothingWaitsAndThatTheDaemonIsGone) {
  WatchModel model("dana", "web-1");
  model.Begun();
  EXPECT_THAT(Text(RenderWatch(model, 80, 24, kNow, false)), HasSubstr("Nothing waits for a decision"));
  model.Disconnected("the daemon is gone");
  const std::string text = Text(RenderWatch(model, 80, 24, kNow, false));
  EXPECT_THAT(text, HasSubstr("the daemon is gone; trying again"));
  EXPECT_THAT(text, Not(HasSubstr("Nothing waits")));
}

}  // namespace
}  // namespace holdpoint
