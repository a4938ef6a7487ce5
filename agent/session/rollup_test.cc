#include "agent/session/rollup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace holdpoint {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Rollups::Kind kExec = Rollups::Kind::kExec;
constexpr Rollups::Kind kConnect = Rollups::Kind::kConnect;

absl::Time At(int64_t seconds) { return absl::FromUnixSeconds(1'700'000'040 + seconds); }  // the start of a minute

uint64_t Sum(const std::vector<Rollup>& values) {
  return std::accumulate(values.begin(), values.end(), uint64_t{0},
                         [](uint64_t sum, const Rollup& value) { return sum + value.count; });
}

TEST(RollupsTest, CountsPerSessionKindAndSubject) {
  Rollups rollups;
  rollups.Add(1, kExec, "/bin/ls", At(1));
  rollups.Add(1, kExec, "/bin/ls", At(9));
  rollups.Add(1, kConnect, "10.0.0.1:443", At(3));
  rollups.Add(2, kExec, "/bin/ls", At(4));
  EXPECT_THAT(rollups.Flush(At(59)), IsEmpty()) << "their minute is not over";

  std::vector<Rollup> values = rollups.Flush(At(60));
  ASSERT_THAT(values, SizeIs(3));
  EXPECT_EQ(values[0].session, 1u);
  EXPECT_EQ(values[0].kind, "exec");
  EXPECT_EQ(values[0].subject, "/bin/ls");
  EXPECT_EQ(values[0].count, 2u);
  EXPECT_EQ(values[0].first_unix_ns, absl::ToUnixNanos(At(1)));
  EXPECT_EQ(values[0].last_unix_ns, absl::ToUnixNanos(At(9)));
  EXPECT_EQ(values[1].kind, "connect");
  EXPECT_EQ(values[1].subject, "10.0.0.1:443");
  EXPECT_EQ(values[2].session, 2u);
  EXPECT_THAT(rollups.Flush(At(600)), IsEmpty()) << "handed out once";
}

TEST(RollupsTest, EventsOutOfOrderKeepFirstAndLast) {
  Rollups rollups;
  rollups.Add(1, kExec, "/bin/ls", At(9));
  rollups.Add(1, kExec, "/bin/ls", At(2));
  std::vector<Rollup> values = rollups.FlushAll();
  ASSERT_THAT(values, SizeIs(1));
  EXPECT_EQ(values[0].first_unix_ns, absl::ToUnixNanos(At(2)));
  EXPECT_EQ(values[0].last_unix_ns, absl::ToUnixNanos(At(9)));
}

TEST(RollupsTest, ClockSetBackHandsOutEverything) {
  Rollups rollups;
  rollups.Add(1, kExec, "/bin/ls", At(3600));
  EXPECT_EQ(Sum(rollups.Flush(At(0))), 1u);
}

TEST(RollupsTest, SubjectsBeyondTheLimitAreCountedAsOther) {
  Rollups rollups(Rollups::Limits{.subjects_per_minute = 2});
  for (int i = 0; i < 100; ++i) rollups.Add(1, kExec, "/tmp/x" + std::to_string(i), At(0));
  std::vector<Rollup> values = rollups.FlushAll();
  ASSERT_THAT(values, SizeIs(3));
  EXPECT_EQ(Sum(values), 100u);
  EXPECT_EQ(values[0].subject, Rollups::kOther);
  EXPECT_EQ(values[0].count, 98u);
}

TEST(RollupsTest, SessionsBeyondTheLimitAreCountedForNumberZero) {
  Rollups rollups(Rollups::Limits{.sessions = 1});
  rollups.Add(5, kExec, "/bin/ls", At(0));
  rollups.Add(6, kExec, "/bin/ls", At(0));
  rollups.Add(7, kConnect, "[::1]:1", At(0));
  std::vector<Rollup> values = rollups.FlushAll();
  EXPECT_EQ(Sum(values), 3u);
  ASSERT_THAT(values, SizeIs(3));
  EXPECT_EQ(values[0].session, 0u);
  EXPECT_EQ(values[0].subject, Rollups::kOther);
}

TEST(RollupsTest, SubjectsOfAllSessionsTogetherAreBoundedAndMakeRoomAgain) {
  Rollups rollups(Rollups::Limits{.subjects = 2});
  for (SessionNumber session = 1; session <= 3; ++session) rollups.Add(session, kExec, "/bin/ls", At(0));
  EXPECT_EQ(rollups.FlushSession(3)[0].subject, Rollups::kOther);
  EXPECT_EQ(rollups.FlushSession(2)[0].subject, "/bin/ls");
  rollups.Add(4, kExec, "/bin/cat", At(0));
  EXPECT_EQ(rollups.FlushSession(4)[0].subject, "/bin/cat");
}

TEST(RollupsTest, MinutesThatNobodyFlushesStayBounded) {
  Rollups rollups(Rollups::Limits{.minutes_waiting = 3});
  for (int i = 0; i < 1000; ++i) rollups.Add(1, kExec, "/bin/ls", At(i * 60));
  std::vector<Rollup> values = rollups.FlushAll();
  EXPECT_THAT(values, SizeIs(3));
  EXPECT_EQ(Sum(values), 1000u);
}

TEST(RollupsTest, HostileSubjectsAreEscapedAndClipped) {
  Rollups rollups(Rollups::Limits{.subject_bytes = 40});
  rollups.Add(1, kExec, "/tmp/\x1b[2J\n", At(0));
  rollups.Add(1, kExec, std::string(5000, 'a'), At(0));
  for (const Rollup& value : rollups.FlushSession(1)) {
    EXPECT_LE(value.subject.size(), 40u);
    for (char c : value.subject) EXPECT_TRUE(c >= ' ' && c <= '~') << value.subject;
  }
  EXPECT_THAT(rollups.FlushAll(), IsEmpty());
}

}  // namespace
}  // namespace holdpoint
