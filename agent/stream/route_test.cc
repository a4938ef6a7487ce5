#include "agent/stream/route.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/sha256.h"
#include "agent/event/framing.h"
#include "agent/event/recorder.h"

namespace holdpoint {
namespace {

v1::Envelope Example() {
  v1::Envelope event;
  event.set_schema(1);
  event.mutable_stream()->set_host("web-1");
  event.mutable_stream()->set_host_id("h1");
  event.mutable_stream()->set_instance("default");
  event.mutable_stream()->set_run_id("run-1");
  event.set_sequence(7);
  event.set_previous_hash(std::string(32, '\x11'));
  event.set_session("s-1");
  event.set_session_sequence(3);
  event.set_time_unix_ns(1'700'000'000'123'456'789);
  event.add_blind_spots("argv truncated");
  event.mutable_exec()->mutable_process()->add_argv("rm");
  return event;
}

std::string Bytes(const v1::Envelope& event) {
  std::string bytes;
  SerializeRecord(event, &bytes);
  return bytes;
}

TEST(RouteTest, ReadsWhatTheMessageSays) {
  const std::string bytes = Bytes(Example());
  Route route;
  ASSERT_TRUE(ReadRoute(bytes, &route));
  EXPECT_EQ(route.run_id, "run-1");
  EXPECT_EQ(route.host_id, "h1");
  EXPECT_EQ(route.instance, "default");
  EXPECT_EQ(route.session, "s-1");
  EXPECT_EQ(route.sequence, 7u);
  EXPECT_EQ(route.session_sequence, 3u);
  EXPECT_EQ(route.time_unix_ns, 1'700'000'000'123'456'789);
  EXPECT_EQ(route.previous_hash, std::string(32, '\x11'));
  EXPECT_EQ(route.type(), "exec");
  EXPECT_EQ(route.key(), "s-1");
}

TEST(RouteTest, HostEventsHaveTheHostAsTheirKey) {
  v1::Envelope event = Example();
  event.clear_session();
  const std::string bytes = Bytes(event);
  Route route;
  ASSERT_TRUE(ReadRoute(bytes, &route));
  EXPECT_EQ(route.key(), "h1");
}

TEST(RouteTest, SurvivesEveryCutAndEveryChangedByte) {
  const std::string bytes = Bytes(Example());
  for (size_t size = 0; size < bytes.size(); ++size) {
    Route route;
    ReadRoute(absl::string_view(bytes).substr(0, size), &route);
    EXPECT_LE(route.session.size(), size);
  }
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const char with : {'\x00', '\x7f', '\xff'}) {
      std::string changed = bytes;
      changed[at] = with;
      Route route;
      ReadRoute(changed, &route);
      EXPECT_LE(route.session.size(), changed.size());
    }
  }
  Route route;
  EXPECT_FALSE(ReadRoute("\xff\xff\xff", &route));
}

TEST(RouteTest, AStandInDeclaresExactlyTheRecordItStandsFor) {
  const std::string bytes = Bytes(Example());
  v1::Envelope stand_in;
  ASSERT_TRUE(ParseRecord(StandIn(bytes, "too large"), &stand_in));
  EXPECT_EQ(stand_in.stream().run_id(), "run-1");
  EXPECT_EQ(stand_in.sequence(), 7u);
  EXPECT_EQ(stand_in.session(), "s-1");
  EXPECT_EQ(stand_in.previous_hash(), Example().previous_hash());
  EXPECT_FALSE(stand_in.has_exec());
  EXPECT_EQ(stand_in.tombstone().first_sequence(), 7u);
  EXPECT_EQ(stand_in.tombstone().last_sequence(), 7u);
  const Sha256Digest hash = Sha256(bytes);
  EXPECT_EQ(stand_in.tombstone().last_hash(), std::string(hash.begin(), hash.end()));
}

TEST(FramingTest, WhatIsFramedIsUnframedAndARecordIsLeftAsItIs) {
  const std::string bytes = Bytes(Example());
  std::string framed;
  FrameRecord(0x01020304, bytes, &framed);
  EXPECT_EQ(framed.substr(0, 6), std::string("\x00\x01\x02\x03\x04\x00", 6));
  EXPECT_EQ(UnframeRecord(framed), bytes);
  EXPECT_EQ(UnframeRecord(bytes), bytes);
  EXPECT_EQ(UnframeRecord(""), "");
  EXPECT_EQ(UnframeRecord(absl::string_view(framed).substr(0, 3)).size(), 3u);
}

}  // namespace
}  // namespace holdpoint
