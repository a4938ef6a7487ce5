#include "agent/cli/when.h"

#include <gtest/gtest.h>

namespace holdpoint {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

int64_t Until(const std::string& text) {
  const absl::StatusOr<absl::Time> until = ParseUntil(text, kNow, "--until");
  return until.ok() ? absl::ToUnixSeconds(*until) : -1;
}

TEST(WhenTest, DatesAndLengths) {
  EXPECT_EQ(Until("2026-12-31"), 1798675200);
  EXPECT_EQ(Until("2026-12-31T18:00"), 1798675200 + 18 * 3600);
  EXPECT_EQ(Until("2026-12-31T18:00:00+02:00"), 1798675200 + 16 * 3600);
  EXPECT_EQ(Until("12h"), 1'700'000'000 + 12 * 3600);
  EXPECT_EQ(Until("7d"), 1'700'000'000 + 7 * 86400);
  EXPECT_EQ(*ParseLength("90m", "--for"), absl::Minutes(90));
}

TEST(WhenTest, AnythingElseNamesTheFlag) {
  for (const char* text : {"", "soon", "for ever", "-1h", "0s", "2026-13-01", "inf", "7", "999999d"}) {
    EXPECT_EQ(Until(text), -1) << text;
    EXPECT_FALSE(ParseLength(text, "--for").ok()) << text;
  }
  EXPECT_EQ(ParseLength("x", "--for").status().message().substr(0, 5), "--for");
}

}  // namespace
}  // namespace holdpoint
