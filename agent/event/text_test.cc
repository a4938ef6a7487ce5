#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "agent/event/json.h"
#include "agent/event/render.h"
#include "agent/event/stream_id.h"
#include "agent/base/utf8.h"
#include "agent/event/utf8.h"

namespace holdpoint {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

v1::Envelope Refused() {
  v1::Envelope event;
  event.set_sequence(7);
  event.set_previous_hash(std::string("\x00\xff", 2));
  event.set_session("s-1");
  event.set_time_unix_ns(1'700'000'000'000'000'005);
  auto& exec = *event.mutable_exec();
  exec.mutable_process()->add_argv("curl");
  exec.mutable_process()->add_argv("\x1b[31m\xe2\x80\xae");  // an escape sequence, and right-to-left override
  auto& judgement = *exec.mutable_judgement();
  judgement.set_verdict(v1::VERDICT_REFUSE);
  judgement.set_rule("http-graphql-destroy");
  judgement.set_effect(v1::EFFECT_USE_CREDENTIAL);
  judgement.set_reason("deletes a volume for good");
  judgement.mutable_tags()->set_crossing(true);
  judgement.mutable_tags()->mutable_session()->set_environment("staging");
  judgement.mutable_tags()->mutable_target()->set_environment("production");
  return event;
}

bool IsPrintableAscii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
}

TEST(JsonTest, IsOneLineOfAsciiWhateverASessionWrote) {
  const std::string json = EventToJson(Refused());
  EXPECT_TRUE(IsPrintableAscii(json)) << json;
  EXPECT_THAT(json, StartsWith("{\"type\":\"exec\",\"time\":\"2023-11-14T22:13:20.000000005Z\",\"sequence\":7"));
  EXPECT_THAT(json, HasSubstr("\"previous_hash\":\"00ff\""));
  EXPECT_THAT(json, HasSubstr("\"argv\":[\"curl\",\"\\u001b[31m\\u202e\"]"));
  EXPECT_THAT(json, HasSubstr("\"verdict\":\"refuse\""));
  EXPECT_THAT(json, HasSubstr("\"effect\":\"use_credential\""));
  EXPECT_THAT(json, HasSubstr("\"crossing\":true"));
}

TEST(JsonTest, MapsAreSortedObjects) {
  v1::Envelope event;
  auto& counters = *event.mutable_heartbeat()->mutable_counters();
  counters["b"] = 2;
  counters["a\""] = 1;
  EXPECT_THAT(EventToJson(event), HasSubstr("\"heartbeat\":{\"counters\":{\"a\\\"\":1,\"b\":2}}"));
}

TEST(JsonTest, StringsBeyondTheBasicPlaneBecomeSurrogates) {
  EXPECT_EQ(JsonString("\xf0\x9f\x98\x80\n\t\"\\"), "\"\\ud83d\\ude00\\n\\t\\\"\\\\\"");
  EXPECT_EQ(JsonString("\x7f\xc2\x9b"), "\"\\u007f\\u009b\"");
  EXPECT_EQ(JsonString("\xff"), "\"\\\\xff\"");
}

TEST(JsonTest, UnknownEnumValueIsANumberAndNoBodyIsNone) {
  v1::Envelope event = Refused();
  event.mutable_exec()->mutable_judgement()->set_verdict(static_cast<v1::Verdict>(99));
  EXPECT_THAT(EventToJson(event), HasSubstr("\"verdict\":99"));
  EXPECT_THAT(EventToJson({}), StartsWith("{\"type\":\"none\""));
}

TEST(RenderTest, SaysVerdictSubjectAndWhyInTwoLines) {
  EXPECT_EQ(RenderEvent(Refused(), false),
            "22:13:20 REFUSE    s-1 curl \\x1b[31m\\xe2\\x80\\xae\n"
            "                   deletes a volume for good; session staging, target production [http-graphql-destroy]");
}

TEST(RenderTest, OnlyOurOwnColoursAreControlBytes) {
  std::string text = RenderEvent(Refused(), true);
  EXPECT_THAT(text, HasSubstr("\x1b[1;31mREFUSE   \x1b[0m"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\x1b'), 6);
}

TEST(RenderTest, EveryBodyHasALine) {
  const auto* descriptor = v1::Envelope::descriptor();
  int bodies = 0;
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* field = descriptor->field(i);
    if (field->number() < 20) continue;
    ++bodies;
    v1::Envelope event;
    event.GetReflection()->MutableMessage(&event, field);
    EXPECT_THAT(RenderEvent(event, false), testing::Not(HasSubstr("newer schema"))) << field->name();
  }
  EXPECT_GE(bodies, 13);
}

TEST(RenderTest, LongTextIsClipped) {
  v1::Envelope event = Refused();
  event.mutable_exec()->mutable_judgement()->set_summary(std::string(10'000, '\x01'));
  EXPECT_LT(RenderEvent(event, false).size(), 500u);
}

TEST(Utf8Test, ValidTextStaysAndWrongBytesBecomeVisible) {
  for (const char* good : {"", "plain", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    EXPECT_TRUE(IsValidUtf8(good));
    EXPECT_EQ(EscapeInvalidUtf8(good), good);
  }
  // Overlong, surrogate, past the end, cut, continuation alone.
  for (const char* bad : {"\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xf5"}) {
    EXPECT_FALSE(IsValidUtf8(bad));
    EXPECT_TRUE(IsValidUtf8(EscapeInvalidUtf8(bad)));
  }
  EXPECT_EQ(EscapeInvalidUtf8("a\xe2\x82z"), "a\\xe2\\x82z");
}

TEST(Utf8Test, ReachesNestedRepeatedAndMappedText) {
  v1::Envelope event;
  event.add_blind_spots("\xff");
  auto& started = *event.mutable_session_started();
  started.mutable_root()->add_argv("\xfe");
  (*started.mutable_join_keys())["\xfd"] = "\xfc";
  MakeValidUtf8(event);
  std::string bytes;
  ASSERT_TRUE(event.SerializeToString(&bytes));
  v1::Envelope again;
  ASSERT_TRUE(again.ParseFromString(bytes));
  EXPECT_EQ(again.blind_spots(0), "\\xff");
  EXPECT_EQ(again.session_started().root().argv(0), "\\xfe");
  EXPECT_EQ(again.session_started().join_keys().at("\\xfd"), "\\xfc");
}

TEST(StreamIdTest, HostStaysAndRunsDiffer) {
  char name[] = "/tmp/holdpoint-stream-XXXXXX";
  const std::string dir = mkdtemp(name);
  const auto first = MakeStreamId(dir, "default");
  const auto second = MakeStreamId(dir, "default");
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  EXPECT_EQ(first->host_id(), second->host_id());
  EXPECT_EQ(first->host_id().size(), 64u);
  EXPECT_EQ(first->boot_id(), second->boot_id());
  EXPECT_EQ(first->instance(), "default");
  EXPECT_NE(first->run_id(), second->run_id());
  EXPECT_EQ(first->run_id().size(), 32u);
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace holdpoint
