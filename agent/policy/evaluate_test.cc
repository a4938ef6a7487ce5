// What an evaluation does beyond the rules' own cases: dress, bounds, modes, the table, several rules at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "agent/environment/load.h"
#include "agent/policy/policy.h"

namespace holdpoint {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr char kPack[] = R"(schema: 1
family: t
mode: enforce
tools:
  - names: [rm]
    options: "recursive,r,R force,f"
  - names: [busybox]
    stop_at_first_operand: true
    wraps: {applet: true}
  - names: [curl]
    requests: curl
  - names: [ctl]
    options: "force,f"
    commands: [{names: [drop], options: "all"}, {names: [list]}]
rules:
  - id: t.rm
    effect: destroy
    recoverability: by-facts
    why: deletes files
    resource: {type: path, from: operands}
    when: {tool: rm}
    cases: {fires: [{argv: [rm, /x]}], passes: [{argv: [ctl]}]}
  - id: t.delete
    effect: destroy
    recoverability: irreversible
    why: deletes
    resource: {type: api, from: url}
    when: {request: {method: DELETE}}
    cases: {fires: [{argv: [curl, -X, DELETE, "http://a.example/x"]}], passes: [{argv: [curl, "http://a.example/x"]}]}
  - id: t.delete-tag
    effect: write
    why: deletes a tag
    replaces: [t.delete]
    when: {request: {method: DELETE, path: {prefix: /tags/}}}
    cases: {fires: [{argv: [curl, -X, DELETE, "http://a.example/tags/1"]}], passes: [{argv: [curl, "http://a.example/x"]}]}
  - id: t.drop
    effect: destroy
    recoverability: irreversible
    why: drops
    resource: {type: thing, from: {operand: 0}}
    when: {tool: ctl, command: drop}
    cases: {fires: [{argv: [ctl, drop, x]}], passes: [{argv: [ctl, list]}]}
  - id: t.drop-all
    effect: destroy
    recoverability: irreversible
    verdict: kill
    mode: observe
    why: drops all
    when: {tool: ctl, command: drop, options: {any: [all]}}
    cases: {fires: [{argv: [ctl, drop, --all]}], passes: [{argv: [ctl, list]}]}
)";

class EvaluateTest : public testing::Test {
 protected:
  void SetUp() override {
    auto pack = ReadPack("t.yaml", kPack);
    ASSERT_TRUE(pack.ok()) << pack.status().message();
    std::vector<Pack> packs;
    packs.push_back(*std::move(pack));
    auto policy = Policy::Compile(std::move(packs));
    ASSERT_TRUE(policy.ok()) << policy.status().message();
    policy_ = *std::move(policy);
    session_.set_environment("staging");
    session_.set_workspace("/home/dev/shop");
    session_.set_home("/home/dev");
    session_.set_uid(1000);
  }

  ExecAct Act(std::vector<std::string> argv, std::string executable = "") {
    ExecAct act;
    act.executable.path = executable.empty() ? "/usr/bin/" + argv[0] : std::move(executable);
    act.argv = std::move(argv);
    act.cwd = "/home/dev/shop";
    act.home = "/home/dev";
    return act;
  }

  // Everything that is asked about exists as a folder that git ignores; /srv is as it is.
  v1::Judgement Judge(const ExecAct& act) {
    v1::Facts facts;
    for (int round = 0;; ++round) {
      FactBook book(&facts);
      v1::Judgement judgement = policy_->Evaluate(act, {configuration_, "", session_, nullptr}, &book);
      if (!book.WantsMore() || round == 4) return judgement;
      for (const std::string& path : book.wanted().paths()) {
        v1::PathFact* fact = facts.add_paths();
        fact->set_path(path);
        fact->set_resolved(path);
        fact->set_exists(true);
        fact->set_kind("directory");
        fact->set_repository("/home/dev/shop");
        fact->set_ignored(true);
      }
    }
  }

  std::shared_ptr<const Policy> policy_;
  Configuration configuration_ = BuiltInConfiguration();
  v1::SessionContext session_;
};

TEST_F(EvaluateTest, ManyHarmlessOperandsHideNothing) {
  for (const size_t padding : {0, 10, 63, 64, 200, 5000}) {
    std::vector<std::string> argv = {"rm", "-rf"};
    for (size_t i = 0; i < padding; ++i) argv.push_back(absl::StrCat("build/", i));
    EXPECT_LE(Judge(Act(argv)).verdict(), padding > 4096 ? v1::VERDICT_HOLD : v1::VERDICT_AUDIT) << padding;
    argv.push_back("/srv/data");
    EXPECT_EQ(Judge(Act(argv)).verdict(), v1::VERDICT_HOLD) << padding;
  }
}

TEST_F(EvaluateTest, ManyHarmlessRequestsHideNothing) {
  for (const size_t padding : {0, 10, 63, 64, 200}) {
    std::vector<std::string> argv = {"curl"};
    for (size_t i = 0; i < padding; ++i) {
      argv.push_back(absl::StrCat("http://a.example/", i));
      argv.push_back("--next");
    }
    argv.insert(argv.end(), {"-X", "DELETE", "http://a.example/volumes/1"});
    EXPECT_EQ(Judge(Act(argv)).verdict(), v1::VERDICT_HOLD) << padding;
  }
}

TEST_F(EvaluateTest, ACutArgvIsSaidAndCountsAsMoreOperands) {
  ExecAct act = Act({"rm", "-rf", "build/x"});
  EXPECT_EQ(Judge(act).verdict(), v1::VERDICT_ALLOW);
  act.argv_cut = true;
  const v1::Judgement judgement = Judge(act);
  EXPECT_EQ(judgement.verdict(), v1::VERDICT_HOLD);
  EXPECT_THAT(judgement.blind_spots(), Contains("argv truncated"));
}

TEST_F(EvaluateTest, WhatAFileIsCountsBeforeWhatItIsCalled) {
  ExecAct renamed = Act({"ls", "/srv/data"}, "/tmp/ls");
  EXPECT_EQ(Judge(renamed).verdict(), v1::VERDICT_ALLOW);
  renamed.executable.known_as = {"rm"};
  EXPECT_EQ(Judge(renamed).rule(), "t.rm");
  // One file with many names does what argv[0] says, by its name or by its first word.
  ExecAct multi = Act({"rm", "/srv/data"}, "/usr/bin/busybox");
  multi.executable.known_as = {"busybox", "rm", "ctl"};
  EXPECT_EQ(Judge(multi).rule(), "t.rm");
  multi.argv = {"busybox", "rm", "/srv/data"};
  EXPECT_EQ(Judge(multi).rule(), "t.rm");
  multi.argv = {"ls", "/srv/data"};
  EXPECT_EQ(Judge(multi).rule(), "default");
}

TEST_F(EvaluateTest, WhatItsOwnersTaggedIsNotDisposableWhereverItLies) {
  const auto tagged = [](const char* id, const char* environment) {
    return ResourceConfig{.type = "path", .id = id, .environment = environment, .backups = ""};
  };
  for (const char* path : {"/tmp/shop/orders", "/home/dev/shop/build"}) {
    EXPECT_EQ(Judge(Act({"rm", "-rf", path})).verdict(), v1::VERDICT_ALLOW) << path;
    configuration_.resources = {tagged("/tmp/shop/orders", "production"), tagged("/home/dev/shop/build", "production")};
    const v1::Judgement held = Judge(Act({"rm", "-rf", path}));
    EXPECT_EQ(held.verdict(), v1::VERDICT_HOLD) << path;
    EXPECT_EQ(held.recoverability(), v1::RECOVERABILITY_IRREVERSIBLE) << path;
    EXPECT_THAT(held.reason(), HasSubstr("tagged it production")) << path;
    configuration_.resources = {tagged(path, "development")};
    EXPECT_EQ(Judge(Act({"rm", "-rf", path})).verdict(), v1::VERDICT_ALLOW) << path;
    configuration_.resources.clear();
  }
}

TEST_F(EvaluateTest, AScriptIsKnownByItsOwnName) {
  ExecAct act = Act({"/usr/bin/python3", "-I", "/opt/bin/ctl", "drop", "x"}, "/usr/bin/python3.11");
  act.script = "/opt/bin/ctl";
  const v1::Judgement judgement = Judge(act);
  EXPECT_EQ(judgement.rule(), "t.drop");
  EXPECT_EQ(judgement.resource().id(), "x");
}

TEST_F(EvaluateTest, ASpecialRuleReplacesAGeneralOneOnThatRequestOnly) {
  EXPECT_EQ(Judge(Act({"curl", "-X", "DELETE", "http://a.example/tags/1"})).rule(), "t.delete-tag");
  const v1::Judgement both = Judge(
      Act({"curl", "-X", "DELETE", "http://a.example/tags/1", "--next", "-X", "DELETE", "http://a.example/volumes/1"}));
  EXPECT_EQ(both.rule(), "t.delete");
  EXPECT_EQ(both.verdict(), v1::VERDICT_HOLD);
}

TEST_F(EvaluateTest, AnObservedRuleNeverHidesAnEnforcedOne) {
  const v1::Judgement judgement = Judge(Act({"ctl", "drop", "--all", "x"}));
  EXPECT_EQ(judgement.rule(), "t.drop");
  EXPECT_FALSE(judgement.observed_only());
  configuration_.policy.rules["t.drop"] = RuleMode::kOff;
  const v1::Judgement observed = Judge(Act({"ctl", "drop", "--all", "x"}));
  EXPECT_EQ(observed.rule(), "t.drop-all");
  EXPECT_EQ(observed.verdict(), v1::VERDICT_KILL);
  EXPECT_TRUE(observed.observed_only());
  configuration_.policy.rules["t.drop-all"] = RuleMode::kEnforce;
  EXPECT_FALSE(Judge(Act({"ctl", "drop", "--all", "x"})).observed_only());
}

TEST_F(EvaluateTest, AnEnvironmentThatObservesStopsNothingAndSaysWhatItWouldHaveDone) {
  for (EnvironmentConfig& environment : configuration_.environments) environment.mode = Mode::kObserve;
  const v1::Judgement judgement = Judge(Act({"rm", "/srv/data"}));
  EXPECT_EQ(judgement.verdict(), v1::VERDICT_HOLD);
  EXPECT_TRUE(judgement.observed_only());
}

TEST_F(EvaluateTest, TheTableOfTheConfigurationDecides) {
  configuration_.policy.table[static_cast<size_t>(Row::kDestroyIrreversible)][static_cast<size_t>(Column::kUnknown)] =
      v1::VERDICT_REFUSE;
  EXPECT_EQ(Judge(Act({"ctl", "drop", "x"})).verdict(), v1::VERDICT_REFUSE);
}

TEST_F(EvaluateTest, AResourceOfProductionInAStagingSessionIsACrossing) {
  configuration_.resources.push_back({.type = "thing", .id = "orders", .environment = "production", .backups = "s3"});
  const v1::Judgement judgement = Judge(Act({"ctl", "drop", "orders"}));
  EXPECT_TRUE(judgement.tags().crossing());
  EXPECT_EQ(judgement.resource().backups(), "s3");
  EXPECT_THAT(judgement.reason(),
              HasSubstr("its backups: s3; the resource is tagged production, this session is staging"));
}

TEST_F(EvaluateTest, TheSameInputGivesTheSameBytes) {
  const ExecAct act = Act({"curl", "-X", "DELETE", "http://a.example/volumes/1"});
  EXPECT_EQ(Judge(act).SerializeAsString(), Judge(act).SerializeAsString());
}

TEST_F(EvaluateTest, TheLossIsTheSameWhateverTheProgramAndItsFlags) {
  const v1::Judgement one = Judge(Act({"rm", "/srv/data"}));
  ASSERT_GE(one.verdict(), v1::VERDICT_HOLD);
  ASSERT_EQ(one.loss_digest().size(), 32u);
  ASSERT_EQ(one.target_digest().size(), 32u);
  const v1::Judgement forced = Judge(Act({"rm", "-rf", "/srv/./data"}, "/home/dev/shop/bin/rm"));
  EXPECT_NE(forced.act_digest(), one.act_digest());
  EXPECT_EQ(forced.loss_digest(), one.loss_digest());
  EXPECT_EQ(forced.target_digest(), one.target_digest());
  // Another one beside it, another one instead of it, another session's environment.
  EXPECT_NE(Judge(Act({"rm", "/srv/data", "/srv/more"})).loss_digest(), one.loss_digest());
  EXPECT_NE(Judge(Act({"rm", "/srv/more"})).loss_digest(), one.loss_digest());
  EXPECT_NE(Judge(Act({"rm", "/srv/more"})).target_digest(), one.target_digest());
  session_.set_environment("development");
  EXPECT_NE(Judge(Act({"rm", "/srv/data"})).loss_digest(), one.loss_digest());
}

TEST_F(EvaluateTest, WhatWasNotSeenWholeHasNoLossThatCouldBeRemembered) {
  ExecAct cut = Act({"rm", "/srv/data"});
  cut.argv_cut = true;
  const v1::Judgement judgement = Judge(cut);
  ASSERT_GE(judgement.verdict(), v1::VERDICT_HOLD);
  EXPECT_EQ(judgement.loss_digest(), "");
}

TEST_F(EvaluateTest, AnIdThatSaysNotWhereItIsCountsWithItsOptions) {
  const v1::Judgement one = Judge(Act({"ctl", "drop", "x"}));
  ASSERT_GE(one.verdict(), v1::VERDICT_HOLD);
  ASSERT_EQ(one.loss_digest().size(), 32u);
  EXPECT_NE(Judge(Act({"ctl", "-f", "drop", "x"})).loss_digest(), one.loss_digest());
  ExecAct elsewhere = Act({"ctl", "drop", "x"});
  elsewhere.cwd = "/home/dev/other";
  EXPECT_NE(Judge(elsewhere).loss_digest(), one.loss_digest());
  EXPECT_EQ(Judge(Act({"ctl", "drop", "x"}, "/opt/ctl")).loss_digest(), one.loss_digest());
}

TEST_F(EvaluateTest, ARequestIsKnownByItsHostToo) {
  const v1::Judgement one = Judge(Act({"curl", "-X", "DELETE", "http://a.example/x"}));
  ASSERT_EQ(one.loss_digest().size(), 32u);
  EXPECT_EQ(Judge(Act({"curl", "-s", "-X", "DELETE", "http://a.example/x"})).loss_digest(), one.loss_digest());
  EXPECT_NE(Judge(Act({"curl", "-X", "DELETE", "http://b.example/x"})).loss_digest(), one.loss_digest());
}

}  // namespace
}  // namespace holdpoint
