#include "agent/gate/challenge.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdpoint {
namespace {

const ChallengeSource kSource{.host_id = "5f", .boot_id = "b-1", .key = "secret of this run"};
const Challenge kQuestion{.ticket = "HP-4K7Q",
                          .digest = std::string(32, '\x01'),
                          .decision = "approve",
                          .scope = "once",
                          .owner = "dana",
                          .expires = absl::FromUnixSeconds(1750000000)};

TEST(Challenge, IsOneLineThatSaysWhatIsDecided) {
  const std::string line = ChallengeLine(kQuestion, kSource);
  EXPECT_THAT(line, testing::MatchesRegex("holdpoint-decision-1 decision=approve ticket=HP-4K7Q scope=once owner=dana "
                                          "expires=2025-06-15T15:06:40Z digest=(01)+ nonce=[0-9a-f]+ host=5f boot=b-1"));
  EXPECT_EQ(ChallengeLine(kQuestion, kSource), line);
}

TEST(Challenge, IsAnotherForEveryOtherQuestion) {
  const std::string line = ChallengeLine(kQuestion, kSource);
  Challenge other = kQuestion;
  other.decision = "deny";
  EXPECT_NE(ChallengeLine(other, kSource), line);
  other = kQuestion;
  other.owner = "lee";
  EXPECT_NE(ChallengeLine(other, kSource), line);
  other = kQuestion;
  other.digest[31] = '\x02';
  EXPECT_NE(ChallengeLine(other, kSource), line);
  other = kQuestion;
  other.expires += absl::Nanoseconds(1);  // a ticket that has the id of one before it
  EXPECT_NE(ChallengeLine(other, kSource), line);
  ChallengeSource run = kSource;
  run.key = "secret of the next run";
  EXPECT_NE(ChallengeLine(kQuestion, run), line);
  run = kSource;
  run.host_id = "60";
  EXPECT_NE(ChallengeLine(kQuestion, run), line);
}

TEST(AnsweredChallenges, EachIsAnsweredOnceAndNotAfterItsEnd) {
  const std::string line = ChallengeLine(kQuestion, kSource);
  Challenge denial = kQuestion;
  denial.decision = "deny";
  const absl::Time now = kQuestion.expires - absl::Seconds(1);
  AnsweredChallenges answered;
  EXPECT_TRUE(answered.MayAnswer(kQuestion, line, now).ok());
  EXPECT_TRUE(answered.Answer(kQuestion, line));
  EXPECT_FALSE(answered.Answer(kQuestion, line));
  EXPECT_EQ(answered.MayAnswer(kQuestion, line, now).message(),
            "this signature has been used: dana answers each question of HP-4K7Q once");
  EXPECT_TRUE(answered.MayAnswer(denial, ChallengeLine(denial, kSource), now).ok()) << "another question";
  EXPECT_EQ(answered.MayAnswer(denial, ChallengeLine(denial, kSource), kQuestion.expires).message(),
            "HP-4K7Q has run out, and with it what was signed");
}

}  // namespace
}  // namespace holdpoint
