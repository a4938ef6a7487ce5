#include "agent/export/level.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "agent/export/test_events.h"

namespace holdpoint {
namespace {

v1::Envelope Act(v1::Verdict verdict, v1::Effect effect, v1::Recoverability recoverability, bool is_protected) {
  v1::Envelope event;
  v1::Judgement& judgement = *event.mutable_exec()->mutable_judgement();
  judgement.set_verdict(verdict);
  judgement.set_effect(effect);
  judgement.set_recoverability(recoverability);
  judgement.mutable_tags()->mutable_target()->set_protected_(is_protected);
  return event;
}

constexpr auto kGone = v1::RECOVERABILITY_IRREVERSIBLE;
constexpr auto kBack = v1::RECOVERABILITY_RECOVERABLE;

struct Row {
  std::string name;  // as docs/siem/README.md has it
  v1::Envelope event;
  Level level;
};

v1::Envelope Decided(const std::string& what, bool accepted) {
  v1::Envelope event;
  event.mutable_decision()->set_decision(what);
  event.mutable_decision()->set_accepted(accepted);
  return event;
}

v1::Envelope Ended(const std::string& what) {
  v1::Envelope event;
  event.mutable_outcome()->set_what(what);
  return event;
}

v1::Envelope Daemon(const std::string& state) {
  v1::Envelope event;
  event.mutable_daemon()->set_state(state);
  return event;
}

std::vector<Row> Rows() {
  v1::Envelope observed = Act(v1::VERDICT_REFUSE, v1::EFFECT_DESTROY, kGone, true);
  observed.mutable_exec()->mutable_judgement()->set_observed_only(true);
  v1::Envelope approved = Act(v1::VERDICT_HOLD, v1::EFFECT_DESTROY, kGone, true);
  approved.mutable_exec()->mutable_judgement()->set_passed_by("AP-1 by dana");
  v1::Envelope repeated = Act(v1::VERDICT_REFUSE, v1::EFFECT_WRITE, kBack, false);
  repeated.mutable_exec()->mutable_judgement()->set_repeats("HP-4K7Q");
  v1::Envelope tombstone, delivered, loss, started, guards, killed, config, off, observe, promoted, rollup, test, escaped;
  tombstone.mutable_tombstone();
  delivered.mutable_tombstone()->set_delivered(true);
  loss.mutable_loss();
  started.mutable_session_started();
  guards.mutable_session_started()->add_guards_off("--yolo");
  killed.mutable_session_ended()->set_reason("killed by dana");
  config.mutable_config_loaded();
  off.mutable_mode_changed()->set_accepted(true);
  off.mutable_mode_changed()->set_to("off");
  observe.mutable_mode_changed()->set_accepted(true);
  observe.mutable_mode_changed()->set_to("observe");
  promoted.mutable_mode_changed()->set_accepted(true);
  promoted.mutable_mode_changed()->set_kind("rule");
  promoted.mutable_mode_changed()->set_to("enforce");
  rollup.mutable_rollup();
  test.mutable_test_alert();
  escaped.mutable_escaped();
  return {
      {"allow", Act(v1::VERDICT_ALLOW, v1::EFFECT_READ, v1::RECOVERABILITY_UNSPECIFIED, true), Level::kInformational},
      {"audit", Act(v1::VERDICT_AUDIT, v1::EFFECT_WRITE, kBack, true), Level::kLow},
      {"audit of a destroy that is irreversible, an expose or an escalate",
       Act(v1::VERDICT_AUDIT, v1::EFFECT_DESTROY, kGone, false), Level::kMedium},
      {"hold, refuse", Act(v1::VERDICT_HOLD, v1::EFFECT_DESTROY, kBack, true), Level::kHigh},
      {"hold, refuse", Act(v1::VERDICT_REFUSE, v1::EFFECT_DESTROY, kGone, false), Level::kHigh},
      {"hold, refuse of an irreversible destroy where it is protected",
       Act(v1::VERDICT_REFUSE, v1::EFFECT_DESTROY, kGone, true), Level::kCritical},
      {"a repeated attempt", repeated, Level::kCritical},
      {"kill, kill_session", Act(v1::VERDICT_KILL, v1::EFFECT_WRITE, kBack, false), Level::kCritical},
      {"kill, kill_session", Act(v1::VERDICT_KILL_SESSION, v1::EFFECT_WRITE, kBack, false), Level::kCritical},
      {"hold, refuse or kill in observe: it ran", observed, Level::kMedium},
      {"hold, refuse or kill that an approval let through", approved, Level::kMedium},
      {"outcome released", Ended("released"), Level::kMedium},
      {"outcome refused, killed, connect refused", Ended("refused"), Level::kHigh},
      {"outcome refused, killed, connect refused", Ended("killed"), Level::kHigh},
      {"outcome gone", Ended("gone"), Level::kLow},
      {"decision approve, detach, kill", Decided("approve", true), Level::kMedium},
      {"decision approve, detach, kill", Decided("detach", true), Level::kMedium},
      {"decision break-glass, off", Decided("break-glass", true), Level::kHigh},
      {"decision break-glass, off", Decided("off", true), Level::kHigh},
      {"decision deny, expire, remove, on and the other ones", Decided("deny", true), Level::kLow},
      {"decision that was not accepted", Decided("approve", false), Level::kHigh},
      {"mode changed to off", off, Level::kHigh},
      {"mode changed to observe, or of an environment", observe, Level::kMedium},
      {"mode of a rule changed otherwise", promoted, Level::kLow},
      {"session started, updated, ended", started, Level::kInformational},
      {"session started with the coding agent's own guards off", guards, Level::kMedium},
      {"session killed", killed, Level::kMedium},
      {"session escaped", escaped, Level::kMedium},
      {"tamper", Daemon("tamper"), Level::kCritical},
      {"daemon started, stopping", Daemon("started"), Level::kInformational},
      {"another state of the daemon (judge restarted, fail mode)", Daemon("fail mode"), Level::kMedium},
      {"events lost", loss, Level::kHigh},
      {"records given up before the brokers had them", tombstone, Level::kHigh},
      {"records given up after that", delivered, Level::kLow},
      {"configuration not accepted", config, Level::kMedium},
      {"counts of what was allowed, heartbeat", rollup, Level::kInformational},
      {"test alert", test, Level::kHigh},
  };
}

TEST(LevelTest, EveryEventHasTheLevelThatTheDocumentationSays) {
  std::ifstream in(absl::StrCat(getenv("HP_SOURCE_DIR"), "/docs/siem/README.md"));
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  for (const Row& row : Rows()) {
    EXPECT_EQ(LevelName(LevelOf(row.event)), LevelName(row.level)) << row.name;
    EXPECT_THAT(text, testing::HasSubstr(absl::StrCat("\n| ", row.name, " | ", LevelName(row.level), " |")));
  }
}

TEST(LevelTest, AConnectHasTheLevelOfItsVerdict) {
  v1::Envelope event;
  event.mutable_connect()->mutable_judgement()->set_verdict(v1::VERDICT_REFUSE);
  EXPECT_EQ(LevelOf(event), Level::kHigh);
  event.mutable_connect()->mutable_judgement()->set_verdict(v1::VERDICT_AUDIT);
  EXPECT_EQ(LevelOf(event), Level::kLow);
}

TEST(LevelTest, NamesAndNumbers) {
  EXPECT_EQ(ParseLevel("critical"), Level::kCritical);
  EXPECT_EQ(ParseLevel("fatal"), std::nullopt);
  EXPECT_EQ(CefSeverity(Level::kHigh), 8);
  EXPECT_EQ(SyslogSeverity(Level::kCritical), 2);
  EXPECT_EQ(SyslogSeverity(Level::kInformational), 6);
}

}  // namespace
}  // namespace holdpoint
