#include "agent/sink/spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdpoint {
namespace {

TEST(SinkSpecTest, ATopicHasTheNameThatKafkaTakes) {
  const absl::StatusOr<SinkSpec> spec = ParseSinkSpec("soc=ocsf:kafka:holdpoint.ocsf.v1");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->kind, SinkSpec::Kind::kTopic);
  EXPECT_EQ(SinkTargetText(*spec), "kafka:holdpoint.ocsf.v1");
  EXPECT_FALSE(ParseSinkSpec("soc=ocsf:kafka:a b").ok());
  EXPECT_FALSE(ParseSinkSpec("soc=ocsf:kafka:").ok());
}

TEST(SinkSpecTest, TargetsAreReadAndSaidBack) {
  for (const char* target : {"file:/var/log/holdpoint/events.jsonl", "stdout", "unix:/dev/log", "udp://10.0.0.1:514",
                             "tcp://siem.example.com:601", "tls://[2001:db8::1]:6514"}) {
    const auto spec = ParseSinkSpec(std::string("siem=cef:") + target);
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_EQ(SinkTargetText(*spec), target);
    EXPECT_EQ(spec->name, "siem");
    EXPECT_EQ(spec->format, ExportFormat::kCef);
  }
  EXPECT_EQ(ParseSinkSpec("a=json:tls://[2001:db8::1]:6514")->place, "2001:db8::1");
  EXPECT_EQ(ParseSinkSpec("a=json:tls://[2001:db8::1]:6514")->port, 6514);
}

TEST(SinkSpecTest, WhatIsWrongIsSaidWithTheSinksName) {
  struct Bad {
    const char *text, *wanted;
  };
  for (const Bad& bad : {Bad{"siem", "NAME=FORMAT:TARGET"}, Bad{"Si em=cef:stdout", "NAME=FORMAT:TARGET"},
                         Bad{"siem=leef:stdout", "sink siem: wanted a format"},
                         Bad{"siem=cef:", "sink siem: wanted file:/PATH"},
                         Bad{"siem=cef:http://x:1", "sink siem: wanted file:/PATH"},
                         Bad{"siem=cef:stdout.txt", "nothing behind stdout"}, Bad{"siem=cef:file:x", "an absolute path"},
                         Bad{"siem=cef:file:/x\n", "an absolute path"}, Bad{"siem=cef:tcp://h", "HOST:PORT"},
                         Bad{"siem=cef:tcp://h:0", "HOST:PORT"}, Bad{"siem=cef:tcp://h:65536", "HOST:PORT"},
                         Bad{"siem=cef:tcp://u:p@h:1", "HOST:PORT"}, Bad{"siem=cef:tls://2001:db8::1:6514", "HOST:PORT"},
                         Bad{"siem=cef:kafka://topic", "name of a topic"}}) {
    const auto spec = ParseSinkSpec(bad.text);
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument) << bad.text;
    EXPECT_THAT(std::string(spec.status().message()), testing::HasSubstr(bad.wanted)) << bad.text;
  }
}

TEST(SinkSpecTest, Options) {
  SinkSpec spec = *ParseSinkSpec("siem=cef:tls://h:6514");
  ASSERT_TRUE(SetSinkOption("minimum=high", &spec).ok());
  ASSERT_TRUE(SetSinkOption("ca_file=/etc/ssl/ours.pem", &spec).ok());
  EXPECT_EQ(spec.minimum, Level::kHigh);
  EXPECT_EQ(spec.ca_file, "/etc/ssl/ours.pem");
  EXPECT_FALSE(SetSinkOption("minimum=loud", &spec).ok());
  EXPECT_FALSE(SetSinkOption("ca_file=ours.pem", &spec).ok());
  EXPECT_FALSE(SetSinkOption("verify=no", &spec).ok());
  SinkSpec plain = *ParseSinkSpec("siem=cef:tcp://h:601");
  EXPECT_FALSE(SetSinkOption("ca_file=/etc/ssl/ours.pem", &plain).ok());
}

}  // namespace
}  // namespace holdpoint
