#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/report/render.h"
#include "agent/report/tally.h"
#include "nlohmann/json.hpp"

namespace holdpoint {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int64_t kSecond = 1'000'000'000;
const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

v1::Envelope At(int64_t seconds, const std::string& session = "s-1") {
  v1::Envelope event;
  event.set_time_unix_ns(absl::ToUnixNanos(kStart) + seconds * kSecond);
  event.set_session(session);
  event.set_environment("staging");
  return event;
}

v1::Envelope Exec(int64_t seconds, v1::Verdict verdict, bool observed, bool held = false, const std::string& what = "rm a",
                  const std::string& rule = "files.rm") {
  v1::Envelope event = At(seconds);
  v1::Judgement& judgement = *event.mutable_exec()->mutable_judgement();
  judgement.set_verdict(verdict);
  judgement.set_rule(rule);
  judgement.set_summary(what);
  judgement.set_act_digest(what);
  judgement.set_observed_only(observed);
  judgement.mutable_tags()->mutable_target()->set_environment("production");
  event.mutable_exec()->set_held(held);
  return event;
}

v1::Envelope Decision(int64_t seconds, const std::string& what, const std::string& digest, bool accepted = true) {
  v1::Envelope event = At(seconds);
  event.mutable_decision()->set_decision(what);
  event.mutable_decision()->set_ticket("HP-1");
  event.mutable_decision()->set_act_digest(digest);
  event.mutable_decision()->set_accepted(accepted);
  return event;
}

TEST(TallyTest, ObservedAndEnforcedAreCountedApartAndAllowedNotAtAll) {
  Tally tally(kStart);
  v1::Envelope started = At(0);
  started.mutable_session_started()->set_coding_agent("codex");
  started.mutable_session_started()->set_user("dana");
  tally.Add(started);
  tally.Add(Exec(1, v1::VERDICT_HOLD, true));
  tally.Add(Exec(2, v1::VERDICT_REFUSE, true));
  tally.Add(Exec(3, v1::VERDICT_KILL, true));
  tally.Add(Exec(4, v1::VERDICT_HOLD, false, true));
  tally.Add(Exec(5, v1::VERDICT_HOLD, false, false, "rm b"));
  tally.Add(Exec(6, v1::VERDICT_AUDIT, false));
  tally.Add(Exec(7, v1::VERDICT_ALLOW, false));
  EXPECT_EQ(tally.all().would_hold, 1u);
  EXPECT_EQ(tally.all().would_refuse, 1u);
  EXPECT_EQ(tally.all().would_kill, 1u);
  EXPECT_EQ(tally.all().held, 1u);
  EXPECT_EQ(tally.all().refused, 1u) << "a hold that could not wait is a refusal";
  EXPECT_EQ(tally.rules().at("files.rm").counts.observed(), 3u);
  EXPECT_EQ(tally.users().at("dana").stopped(), 2u);
  EXPECT_EQ(tally.environments().at("production").observed(), 3u);
  EXPECT_EQ(tally.sessions().size(), 1u);
  EXPECT_EQ(tally.WhoIs("s-1"), "codex, dana");
}

TEST(TallyTest, WhatWasBeforeCountsOnlyForNames) {
  Tally tally(kStart);
  v1::Envelope started = At(-100);
  started.mutable_session_started()->set_user("dana");
  tally.Add(started);
  tally.Add(Exec(-1, v1::VERDICT_HOLD, true));
  tally.Add(Exec(0, v1::VERDICT_HOLD, true));
  EXPECT_EQ(tally.all().would_hold, 1u);
  EXPECT_EQ(tally.users().at("dana").would_hold, 1u);
}

TEST(TallyTest, TheTimeToADecisionIsFromTheFirstStopOfTheAct) {
  Tally tally(kStart);
  tally.Add(Exec(10, v1::VERDICT_HOLD, false, true, "rm a"));
  tally.Add(Exec(20, v1::VERDICT_HOLD, false, false, "rm a"));  // tried again
  tally.Add(Decision(40, "approve", "rm a"));
  tally.Add(Exec(50, v1::VERDICT_HOLD, false, false, "rm b"));
  tally.Add(Decision(51, "deny", "rm b", false));
  tally.Add(Decision(60, "deny", "rm b"));
  EXPECT_EQ(tally.decisions().approved, 1u);
  EXPECT_EQ(tally.decisions().denied, 1u);
  EXPECT_EQ(tally.decisions().not_accepted, 1u);
  EXPECT_THAT(tally.decisions().waited, testing::ElementsAre(absl::Seconds(30), absl::Seconds(10)));
  EXPECT_EQ(Longest(tally.decisions().waited), absl::Seconds(30));
}

TEST(TallyTest, WhatPassesByAnApprovalIsNoRefusal) {
  Tally tally(kStart);
  tally.Add(Exec(1, v1::VERDICT_HOLD, false));
  tally.Add(Decision(2, "approve", "rm a"));
  tally.Add(Exec(3, v1::VERDICT_HOLD, false));  // used up here
  EXPECT_EQ(tally.all().refused, 1u);
  tally.Add(Exec(4, v1::VERDICT_HOLD, false));
  EXPECT_EQ(tally.all().refused, 2u);
}

TEST(TallyTest, AHeldActThatWasApprovedUsesItsApproval) {
  Tally tally(kStart);
  tally.Add(Exec(1, v1::VERDICT_HOLD, false, true));
  tally.Add(Decision(2, "approve", "rm a"));
  v1::Envelope released = At(2);
  released.mutable_outcome()->set_what("released");
  released.mutable_outcome()->set_ticket("HP-1");
  released.mutable_outcome()->set_held_ns(kSecond);
  tally.Add(released);
  tally.Add(Exec(3, v1::VERDICT_HOLD, false));
  EXPECT_EQ(tally.all().refused, 1u);
}

TEST(TallyTest, AnotherTextOfARuleBeginsAnew) {
  const auto changed = [](int64_t seconds, const std::string& hash) {
    v1::Envelope event = At(seconds);
    event.mutable_mode_changed()->set_change("rule new");
    event.mutable_mode_changed()->set_name("files.rm");
    event.mutable_mode_changed()->set_rule_hash(hash);
    return event;
  };
  Tally tally(kStart);
  tally.Add(changed(1, "aa"));
  tally.Add(Exec(2, v1::VERDICT_HOLD, true));
  tally.Add(changed(3, "aa"));  // the daemon was started again
  EXPECT_EQ(tally.rules().at("files.rm").observed_of_this_text, 1u);
  tally.Add(changed(4, "bb"));
  tally.Add(Exec(5, v1::VERDICT_HOLD, true));
  EXPECT_EQ(tally.rules().at("files.rm").observed_of_this_text, 1u);
  EXPECT_EQ(tally.rules().at("files.rm").counts.observed(), 2u);
}

TEST(TallyTest, EvictedRecordsAreLostOnceAndOnlyWhereTheBrokersHadThemNot) {
  Tally tally(kStart);
  v1::Envelope gone = At(1), again = At(2), delivered = At(3);
  gone.mutable_tombstone()->set_first_sequence(1);
  gone.mutable_tombstone()->set_last_sequence(4);
  gone.mutable_tombstone()->add_gaps()->set_first_sequence(7);
  gone.mutable_tombstone()->mutable_gaps(0)->set_last_sequence(8);
  again.mutable_tombstone()->set_first_sequence(1);
  again.mutable_tombstone()->set_last_sequence(7);
  delivered.mutable_tombstone()->set_first_sequence(20);
  delivered.mutable_tombstone()->set_last_sequence(90);
  delivered.mutable_tombstone()->set_delivered(true);
  for (const v1::Envelope& event : {gone, again, delivered}) tally.Add(event);
  EXPECT_EQ(tally.lost(), 8u);
}

TEST(TallyTest, LossesAreSaid) {
  Tally tally(kStart);
  v1::Envelope loss = At(1);
  loss.mutable_loss()->set_count(5);
  tally.Add(loss);
  EXPECT_EQ(tally.lost(), 5u);
  EXPECT_FALSE(tally.more_lost());
  loss.mutable_loss()->clear_count();
  loss.mutable_loss()->set_unknown(true);
  tally.Add(loss);
  EXPECT_EQ(tally.lost(), 5u);
  EXPECT_TRUE(tally.more_lost());
  EXPECT_THAT(RenderReport(tally, absl::Hours(24), false, 80), HasSubstr("LOST      5 events"));
  EXPECT_THAT(RenderReport(Tally(kStart), absl::Hours(24), false, 80), Not(HasSubstr("LOST")));
}

TEST(ReportTest, FitsItsWidthAndShowsNothingThatATerminalActsOn) {
  Tally tally(kStart);
  for (int i = 0; i < 40; ++i) {
    tally.Add(Exec(i, v1::VERDICT_HOLD, i % 2 == 0, false, absl::StrCat("rm \x1b[31m", std::string(300, 'x'), i),
                   absl::StrCat("files.", std::string(static_cast<size_t>(i), 'r'))));
  }
  for (const size_t width : {60u, 80u, 200u}) {
    for (const absl::string_view line : absl::StrSplit(RenderReport(tally, absl::Hours(24), false, width), '\n')) {
      EXPECT_LE(line.size(), std::max<size_t>(width, 80)) << line;
      EXPECT_EQ(line.find('\x1b'), absl::string_view::npos);
    }
  }
}

TEST(ReportTest, JsonHasAllRowsHeaviestFirst) {
  Tally tally(kStart);
  tally.Add(Exec(1, v1::VERDICT_HOLD, true, false, "one", "a.light"));
  for (int i = 0; i < 3; ++i) tally.Add(Exec(2, v1::VERDICT_HOLD, true, false, "two", "b.heavy"));
  const auto json = nlohmann::json::parse(ReportJson(tally));
  ASSERT_EQ(json["rules"].size(), 2u);
  EXPECT_EQ(json["rules"][0]["rule"], "b.heavy");
  EXPECT_EQ(json["rules"][0]["would_hold"], 3);
  EXPECT_EQ(json["rules"][0]["examples"][0]["times"], 3);
  EXPECT_EQ(json["all"]["would_hold"], 4);
}

}  // namespace
}  // namespace holdpoint
