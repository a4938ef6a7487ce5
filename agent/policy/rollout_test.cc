// What is in force of a rule: files, switches, promotions; and that a change of a rule never opens a hole.
#include "agent/policy/rollout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "agent/environment/load.h"

namespace holdpoint {
namespace {

constexpr char kPack[] = R"(schema: 1
family: t
mode: enforce
tools:
  - names: [rm]
    options: "recursive,r force,f"
  - names: [ctl]
    commands: [{names: [drop]}, {names: [list]}]
rules:
  - id: t.rm
    title: Deleting
    effect: destroy
    recoverability: by-facts
    why: deletes files
    resource: {type: path, from: operands}
    when: {tool: rm}
    cases: {fires: [{argv: [rm, /x]}], passes: [{argv: [ctl]}]}
  - id: t.drop
    effect: destroy
    recoverability: irreversible
    why: drops
    resource: {type: thing, from: {operand: 0}}
    when: {tool: ctl, command: drop}
    cases: {fires: [{argv: [ctl, drop, x]}], passes: [{argv: [ctl, list]}]}
)";

constexpr char kReplacer[] = R"(  - id: t.drop-known
    effect: read
    why: drops what nobody wants
    replaces: [t.drop]
    when: {tool: ctl, command: drop}
    cases: {fires: [{argv: [ctl, drop, x], verdict: allow}], passes: [{argv: [ctl, list]}]}
)";

std::shared_ptr<const Policy> Compile(const std::string& text) {
  auto pack = ReadPack("t.yaml", text);
  if (!pack.ok()) ADD_FAILURE() << pack.status().message();
  std::vector<Pack> packs;
  packs.push_back(*std::move(pack));
  return *Policy::Compile(std::move(packs));
}

v1::Rollout PromotedFrom(const std::string& text) {
  Configuration ignored = BuiltInConfiguration();
  v1::Rollout rollout;
  for (const v1::RuleState& state : ApplyRollout(*Compile(text), nullptr, &ignored)) {
    *rollout.add_promoted() = state.rule();
  }
  return rollout;
}

v1::Rollout::Override* Switch(v1::Rollout* rollout, const std::string& kind, const std::string& name,
                              const std::string& mode) {
  v1::Rollout::Override* override = rollout->add_overrides();
  override->set_kind(kind);
  override->set_name(name);
  override->set_mode(mode);
  return override;
}

// What becomes of a command in a staging session, with a pack and a rollout in force.
struct World {
  std::shared_ptr<const Policy> policy;
  Configuration configuration = BuiltInConfiguration();
  std::vector<v1::RuleState> states;

  World(const std::string& pack, const v1::Rollout* rollout, const std::string& config = "") : policy(Compile(pack)) {
    configuration = *LoadConfiguration("c.yaml", config);
    states = ApplyRollout(*policy, rollout, &configuration);
  }
  const v1::RuleState& State(const std::string& id) const {
    for (const v1::RuleState& state : states) {
      if (state.rule().rule() == id) return state;
    }
    ADD_FAILURE() << "no rule " << id;
    return states.front();
  }
  v1::Judgement Judge(std::vector<std::string> argv) const {
    ExecAct act;
    act.executable.path = "/usr/bin/" + argv[0];
    act.argv = std::move(argv);
    act.cwd = "/home/dev/shop";
    v1::SessionContext session;
    session.set_environment("staging");
    session.set_workspace("/home/dev/shop");
    session.set_uid(1000);
    const v1::Facts facts;
    FactBook book(&facts);
    return policy->Evaluate(act, {configuration, "", session, nullptr}, &book);
  }
  bool Stops(std::vector<std::string> argv) const {
    const v1::Judgement judgement = Judge(std::move(argv));
    return judgement.verdict() >= v1::VERDICT_HOLD && !judgement.observed_only();
  }
};

const std::vector<std::string> kRm = {"rm", "/srv/data"};
const std::vector<std::string> kDrop = {"ctl", "drop", "x"};

TEST(RolloutTest, WithoutOneTheFilesAreInForce) {
  const World world(kPack, nullptr);
  EXPECT_EQ(world.State("t.rm").mode(), "enforce");
  EXPECT_EQ(world.State("t.rm").standing(), "");
  EXPECT_TRUE(world.Stops(kRm));
}

TEST(RolloutTest, TheFirstStartPromotesAll) {
  v1::Rollout first;
  first.set_promote_all(true);
  const World world(kPack, &first);
  EXPECT_EQ(world.State("t.rm").mode(), "enforce");
  EXPECT_TRUE(world.Stops(kRm));
}

TEST(RolloutTest, ANewRuleIsObservedAndItsNeighbourEnforced) {
  v1::Rollout rollout = PromotedFrom(kPack);
  rollout.mutable_promoted()->DeleteSubrange(0, 1);
  const World world(kPack, &rollout);
  EXPECT_EQ(world.State("t.rm").mode(), "observe");
  EXPECT_EQ(world.State("t.rm").standing(), "new");
  EXPECT_FALSE(world.Stops(kRm));
  EXPECT_EQ(world.Judge(kRm).verdict(), v1::VERDICT_HOLD) << "what it would have done is recorded";
  EXPECT_EQ(world.State("t.drop").standing(), "");
  EXPECT_TRUE(world.Stops(kDrop));
}

TEST(RolloutTest, TextForPeopleAndSpacesAreNoChange) {
  const v1::Rollout rollout = PromotedFrom(kPack);
  const World world(absl::StrReplaceAll(kPack, {{"title: Deleting", "title: Removing"},
                                                {"why: drops", "why: throws away"},
                                                {"when: {tool: rm}", "when:  { tool: rm }  # all of it"},
                                                {"[{argv: [rm, /x]}]", "[{argv: [rm, /x]}, {argv: [rm, /y]}]"}}),
                    &rollout);
  EXPECT_EQ(world.State("t.rm").standing(), "");
  EXPECT_EQ(world.State("t.drop").standing(), "");
}

TEST(RolloutTest, AChangeOfAToolsModelIsAChangeOfItsRules) {
  const v1::Rollout rollout = PromotedFrom(kPack);
  const World world(absl::StrReplaceAll(kPack, {{"recursive,r force,f", "recursive,r"}}), &rollout);
  EXPECT_EQ(world.State("t.rm").standing(), "changed");
  EXPECT_EQ(world.State("t.drop").standing(), "");
}

TEST(RolloutTest, AChangedRuleDoesNotGetMilder) {
  const v1::Rollout rollout = PromotedFrom(kPack);
  const std::string milder =
      absl::StrReplaceAll(kPack, {{"    effect: destroy\n    recoverability: irreversible\n", "    effect: read\n"}});
  const World world(milder, &rollout);
  EXPECT_EQ(world.State("t.drop").standing(), "changed");
  EXPECT_TRUE(world.Stops(kDrop));
  const v1::Rollout promoted = PromotedFrom(milder);
  EXPECT_FALSE(World(milder, &promoted).Stops(kDrop)) << "promoted, the new text counts";
}

TEST(RolloutTest, AnOverrideOfTheTableDoesNotGetLostByAChange) {
  const std::string refusing = absl::StrReplaceAll(kPack, {{"    why: drops\n", "    verdict: refuse\n    why: drops\n"}});
  const v1::Rollout rollout = PromotedFrom(refusing);
  const World world(kPack, &rollout);
  EXPECT_EQ(world.Judge(kDrop).verdict(), v1::VERDICT_REFUSE);
  EXPECT_FALSE(world.Judge(kDrop).observed_only());
}

TEST(RolloutTest, WhatAChangedRuleWouldDoMoreIsObserved) {
  const std::string reading =
      absl::StrReplaceAll(kPack, {{"    effect: destroy\n    recoverability: irreversible\n", "    effect: read\n"}});
  const v1::Rollout rollout = PromotedFrom(reading);
  const World world(kPack, &rollout);
  const v1::Judgement judgement = world.Judge(kDrop);
  EXPECT_EQ(judgement.verdict(), v1::VERDICT_HOLD);
  EXPECT_TRUE(judgement.observed_only());
}

TEST(RolloutTest, LookingElsewhereForTheLossMakesNothingMilder) {
  const v1::Rollout rollout = PromotedFrom(kPack);
  const World world(absl::StrReplaceAll(kPack, {{"{type: path, from: operands}", "{type: path, from: {operand: 5}}"}}),
                    &rollout);
  EXPECT_EQ(world.State("t.rm").standing(), "changed");
  EXPECT_TRUE(world.Stops(kRm));
}

TEST(RolloutTest, ANewRuleReplacesNoEnforcedOne) {
  const v1::Rollout rollout = PromotedFrom(kPack);
  const std::string both = absl::StrCat(kPack, kReplacer);
  const World world(both, &rollout);
  EXPECT_EQ(world.State("t.drop-known").standing(), "new");
  EXPECT_TRUE(world.Stops(kDrop));
  const v1::Rollout promoted = PromotedFrom(both);
  EXPECT_FALSE(World(both, &promoted).Stops(kDrop)) << "promoted, it does";
}

TEST(RolloutTest, AChangedRuleReplacesOnlyWhatItDidBefore) {
  const std::string both = absl::StrCat(kPack, kReplacer);
  const v1::Rollout rollout = PromotedFrom(absl::StrReplaceAll(both, {{"    replaces: [t.drop]\n", ""}}));
  EXPECT_TRUE(World(both, &rollout).Stops(kDrop));
}

TEST(RolloutTest, TheConfigurationsWordForARuleByNameIsAPromotion) {
  const v1::Rollout nothing;
  const World world(kPack, &nothing, "policy: {rules: {t.rm: enforce}}");
  EXPECT_TRUE(world.Stops(kRm));
  EXPECT_FALSE(world.Stops(kDrop));
}

TEST(RolloutTest, ASwitchHasTheLastWord) {
  v1::Rollout rollout = PromotedFrom(kPack);
  Switch(&rollout, "rule", "t.rm", "observe");
  Switch(&rollout, "rule", "t.gone", "observe");
  const World world(kPack, &rollout, "policy: {rules: {t.rm: enforce}}");
  EXPECT_EQ(world.State("t.rm").file_mode(), "enforce");
  EXPECT_EQ(world.State("t.rm").mode(), "observe");
  EXPECT_FALSE(world.Stops(kRm));
  EXPECT_TRUE(world.Stops(kDrop));

  v1::Rollout nothing;
  Switch(&nothing, "rule", "t.rm", "enforce");
  EXPECT_TRUE(World(kPack, &nothing).Stops(kRm)) << "a new rule, switched on by name";
}

TEST(RolloutTest, AnEnvironmentIsSwitchedAndItsNeighbourNot) {
  v1::Rollout rollout = PromotedFrom(kPack);
  Switch(&rollout, "environment", "staging", "observe");
  const World world(kPack, &rollout);
  EXPECT_FALSE(world.Stops(kRm));
  EXPECT_EQ(world.configuration.Find("staging")->mode, Mode::kObserve);
  EXPECT_EQ(world.configuration.Find("production")->mode, Mode::kEnforce);
}

}  // namespace
}  // namespace holdpoint
