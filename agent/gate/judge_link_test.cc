#include "agent/gate/judge_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

// Stands still until it is told to go on.
class HandClock final : public Clock {
 public:
  BootTime Boot() const override { return now; }
  absl::Time Wall() const override { return absl::UnixEpoch(); }
  BootTime now{1'000'000'000};
};

class JudgeLinkTest : public testing::Test {
 protected:
  void SetUp() override { Start(Clock::Real()); }

  void Start(const Clock& clock) {
    link_.reset();
    loop_ = *EventLoop::Create(clock);
    const char* build = getenv("HP_BUILD_DIR");
    ASSERT_NE(build, nullptr) << "run by ctest";
    auto link = JudgeLink::Start(*loop_, clock, absl::StrCat(build, "/tests/fake_judge"),
                                 [this](const std::string&) {
                                   ++restarted_;
                                   loop_->Stop();
                                 });
    ASSERT_TRUE(link.ok()) << link.status();
    link_ = *std::move(link);
    ASSERT_TRUE(link_->ConfigureAndWait(v1::Configure()).ok());
  }

  static v1::ToJudge Question(const std::string& what) {
    v1::ToJudge question;
    question.mutable_exec()->mutable_process()->set_working_directory(what);
    return question;
  }

  absl::StatusOr<v1::FromJudge> AskAndServe(const std::string& what, JudgeLink::FactsSource facts,
                                            absl::Duration budget = absl::Seconds(30)) {
    absl::StatusOr<v1::FromJudge> got = absl::UnknownError("not answered");
    link_->Ask(Question(what), budget, std::move(facts), [&](absl::StatusOr<v1::FromJudge> answer) {
      got = std::move(answer);
      loop_->Stop();
    });
    // A second loop would not see the first one's descriptors: the same one serves, until it is stopped again.
    EXPECT_TRUE(loop_->Run().ok());
    return got;
  }

  HandClock hand_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<JudgeLink> link_;
  int restarted_ = 0;
};

TEST_F(JudgeLinkTest, AnswersComeBack) {
  const auto answer = AskAndServe("answer", nullptr);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->exec().judgement().verdict(), v1::VERDICT_AUDIT);
}

TEST_F(JudgeLinkTest, SilentJudgeIsNotWaitedForBeyondTheBudget) {
  EXPECT_EQ(AskAndServe("silent", nullptr, absl::Milliseconds(5)).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(AskAndServe("answer", nullptr).ok());
}

TEST_F(JudgeLinkTest, CrashAnswersWhatWasAskedAndTheNextJudgeIsConfigured) {
  EXPECT_EQ(AskAndServe("crash", nullptr).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(link_->alive());
  ASSERT_TRUE(loop_->Run().ok());
  EXPECT_EQ(restarted_, 1);
  EXPECT_TRUE(link_->alive());
  EXPECT_TRUE(AskAndServe("answer", nullptr).ok());
}

TEST_F(JudgeLinkTest, WhatCrashedItIsNotAskedAgainAndItsNeighbourIs) {
  std::vector<std::string> quarantined;
  link_->on_quarantined = [&](const std::string& what) { quarantined.push_back(what); };
  EXPECT_FALSE(AskAndServe("crash", nullptr).ok());
  ASSERT_TRUE(loop_->Run().ok());
  EXPECT_EQ(quarantined.size(), 1u);
  absl::Status again;
  link_->Ask(Question("crash"), absl::Seconds(30), nullptr, [&](auto answer) { again = answer.status(); });
  EXPECT_EQ(again.code(), absl::StatusCode::kUnavailable);  // At once: nothing was sent.
  EXPECT_THAT(again.message(), testing::HasSubstr("not asked again"));
  EXPECT_TRUE(AskAndServe("answer", nullptr).ok());
  EXPECT_EQ(link_->restarts(), 1u);
}

TEST_F(JudgeLinkTest, ANewConfigurationForgetsWhatCrashedTheJudgeBefore) {
  EXPECT_FALSE(AskAndServe("crash", nullptr).ok());
  ASSERT_TRUE(loop_->Run().ok());
  ASSERT_TRUE(link_->ConfigureAndWait(v1::Configure()).ok());
  EXPECT_FALSE(AskAndServe("crash", nullptr).ok());
  ASSERT_TRUE(loop_->Run().ok());
  EXPECT_EQ(restarted_, 2);
}

TEST_F(JudgeLinkTest, TheOneItWasAtIsToBlameNotThoseBehindIt) {
  int left = 3;
  const auto answered = [&](auto) {
    if (--left == 0) loop_->Stop();
  };
  for (const char* what : {"answer", "crash", "answer too"}) {
    link_->Ask(Question(what), absl::Seconds(30), nullptr, answered);
  }
  ASSERT_TRUE(loop_->Run().ok());
  ASSERT_TRUE(loop_->Run().ok());
  EXPECT_TRUE(AskAndServe("answer too", nullptr).ok());
  absl::Status again;
  link_->Ask(Question("crash"), absl::Seconds(30), nullptr, [&](auto answer) { again = answer.status(); });
  EXPECT_THAT(again.message(), testing::HasSubstr("not asked again"));
}

TEST_F(JudgeLinkTest, FactsArePassedOnAsTheReaderWroteThem) {
  v1::Facts facts;
  facts.set_problem("from the reader");
  const auto answer = AskAndServe("facts", [&](const v1::FactsWanted& wanted, JudgeLink::FactsDone done) {
    EXPECT_EQ(wanted.paths(0), "/x");
    done(facts.SerializeAsString());
  });
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->exec().judgement().reason(), "from the reader");
}

// The reader has 1.3 s for what this judge wants; the judge has its time from when it was given the facts.
TEST_F(JudgeLinkTest, HoweverLateTheFactsCameTheJudgeHasItsTime) {
  Start(hand_);
  const auto answer = AskAndServe("facts", [&](const v1::FactsWanted&, JudgeLink::FactsDone done) {
    hand_.now = hand_.now + absl::Milliseconds(1290);
    done(v1::Facts().SerializeAsString());
    hand_.now = hand_.now + absl::Milliseconds(200);
  });
  EXPECT_TRUE(answer.ok()) << answer.status();
}

TEST_F(JudgeLinkTest, AReaderOnABusyMachineIsWaitedFor) {
  Start(hand_);
  const auto answer = AskAndServe("facts", [&](const v1::FactsWanted&, JudgeLink::FactsDone done) {
    loop_->At(hand_.now + absl::Milliseconds(1250), [done] { done(v1::Facts().SerializeAsString()); });
    hand_.now = hand_.now + absl::Milliseconds(1250);
  });
  EXPECT_TRUE(answer.ok()) << answer.status();
}

TEST_F(JudgeLinkTest, FactsThatNeverComeAreNotWaitedFor) {
  Start(hand_);
  const auto answer = AskAndServe("facts", [&](const v1::FactsWanted&, const JudgeLink::FactsDone&) {
    hand_.now = hand_.now + absl::Milliseconds(1301);
  });
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(JudgeLinkTest, RejectedConfigurationIsReportedAndTheJudgeGoesOn) {
  v1::Configure bad;
  bad.mutable_configuration()->set_content("bad");
  const auto configured = link_->ConfigureAndWait(bad);
  ASSERT_TRUE(configured.ok());
  EXPECT_FALSE(configured->accepted());
  EXPECT_TRUE(AskAndServe("answer", nullptr).ok());
}

}  // namespace
}  // namespace holdpoint
