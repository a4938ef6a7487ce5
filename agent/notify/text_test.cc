#include "agent/notify/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "nlohmann/json.hpp"

namespace holdpoint {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Notice Held() {
  Notice notice;
  notice.sequence = 7;
  notice.time_unix = 1'700'000'000;
  notice.deadline_unix = notice.time_unix + 20;
  notice.expires_unix = notice.time_unix + 3600;
  SetNoticeText(notice.change, "opened");
  SetNoticeText(notice.ticket, "HP-4K7Q");
  SetNoticeText(notice.state, "held");
  SetNoticeText(notice.environment, "production");
  SetNoticeText(notice.coding_agent, "claude-code");
  SetNoticeText(notice.user, "dev");
  SetNoticeText(notice.summary, "rm -rf /srv/data");
  SetNoticeText(notice.reason, "deletes it for good");
  SetNoticeText(notice.owners, "dana, %sre");
  SetNoticeText(notice.deciders, "dana, lee");
  return notice;
}

TEST(TerminalTextTest, AHoldIsTwoLinesWithABell) {
  EXPECT_EQ(TerminalText(Held(), "default"),
            "\a\r\nholdpoint: HP-4K7Q is HELD, 20 s to decide (production; claude-code of dev): rm -rf /srv/data\r\n"
            "holdpoint: why: deletes it for good; look and decide: holdpoint watch\r\n");
}

TEST(TerminalTextTest, ARefusalSaysHowLongItStaysOpen) {
  Notice notice = Held();
  notice.deadline_unix = 0;
  EXPECT_THAT(TerminalText(notice, "build"), HasSubstr("HP-4K7Q was REFUSED, open until 23:13 UTC"));
  EXPECT_THAT(TerminalText(notice, "build"), HasSubstr("holdpoint --instance build watch"));
}

TEST(TerminalTextTest, ADecisionIsOneQuietLineAndItsUseIsNone) {
  Notice notice = Held();
  SetNoticeText(notice.change, "denied");
  SetNoticeText(notice.decided_by, "lee");
  EXPECT_EQ(TerminalText(notice, "default"),
            "\r\nholdpoint: HP-4K7Q denied by lee (production; claude-code of dev): rm -rf /srv/data\r\n");
  for (const char* change : {"used", "hold ran out", "changed"}) {
    SetNoticeText(notice.change, change);
    EXPECT_THAT(TerminalText(notice, "default"), IsEmpty()) << change;
  }
}

TEST(TerminalTextTest, NothingThatATerminalActsOnGetsThrough) {
  Notice notice = Held();
  SetNoticeText(notice.summary, "rm \x1b]52;c;x\x07 \xe2\x80\xae \x9b\n\r");
  SetNoticeText(notice.reason, "a\nb\x1b[2J");
  std::string text = TerminalText(notice, "x\x1b");
  ASSERT_EQ(text.substr(0, 3), "\a\r\n");
  text = text.substr(3);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  for (const char c : text) EXPECT_TRUE((c >= 0x20 && c < 0x7f) || c == '\r' || c == '\n') << static_cast<int>(c);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 2);
}

TEST(TerminalTextTest, LongTextsAreClipped) {
  Notice notice = Held();
  SetNoticeText(notice.summary, std::string(1000, 's'));
  SetNoticeText(notice.reason, std::string(1000, 'r'));
  EXPECT_LT(TerminalText(notice, "default").size(), 700u);
}

TEST(WebhookBodyTest, IsAsciiJsonWithWhatAnOwnerNeeds) {
  NoticeSettings settings;
  SetNoticeText(settings.host, "web-1");
  SetNoticeText(settings.instance, "default");
  SetNoticeText(settings.run_id, "abc");
  Notice notice = Held();
  SetNoticeText(notice.summary, "rm \x1b \xff \"x\"");
  const std::string body = WebhookBody(notice, settings);
  for (const char c : body) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
  const auto json = nlohmann::json::parse(body);
  EXPECT_EQ(json["event"], "opened");
  EXPECT_EQ(json["delivery"], "abc-7");
  EXPECT_EQ(json["host"], "web-1");
  EXPECT_EQ(json["owners"], nlohmann::json({"dana", "%sre"}));
  EXPECT_EQ(json["deciders"], nlohmann::json({"dana", "lee"}));
  EXPECT_EQ(json["deadline"], 1'700'000'020);
  EXPECT_THAT(json["text"].get<std::string>(), HasSubstr("web-1: HP-4K7Q is HELD"));
  EXPECT_THAT(json["decide"].get<std::string>(), HasSubstr("holdpoint watch (on web-1"));
  EXPECT_THAT(json["rollback"], IsEmpty());
}

// The value is what `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret` prints.
TEST(WebhookSignatureTest, IsHmacSha256OverTimeAndBody) {
  EXPECT_EQ(WebhookSignature("secret", 1'700'000'000, "{\"a\":1}"),
            "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686");
  EXPECT_NE(WebhookSignature("secret", 1'700'000'001, "{\"a\":1}"), WebhookSignature("secret", 1'700'000'000, "{\"a\":1}"));
}

}  // namespace
}  // namespace holdpoint
