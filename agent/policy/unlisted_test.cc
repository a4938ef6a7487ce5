#include "agent/policy/unlisted.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/policy/policy.h"
#include "agent/policy/rule_reader.h"

namespace holdpoint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

bool Says(const std::vector<std::string>& argv, bool noun = false) {
  return Speaks({.verbs = {"delete", "drop"}, .noun = noun, .options = false}, ParseUnlisted(argv));
}

TEST(UnlistedTest, OptionsHaveTheirNameAsWrittenAndOnlyAnAttachedValue) {
  const ToolCall call = ParseUnlisted(std::vector<std::string>{"x", "-rf", "a", "--zone=b", "--dry-run", "c", "-", "--", "-n", "d"});
  ASSERT_EQ(call.options.size(), 3u);
  EXPECT_TRUE(call.Has("rf"));
  EXPECT_TRUE(call.Has("dry-run"));
  ASSERT_NE(call.Value("zone"), nullptr);
  EXPECT_EQ(*call.Value("zone"), "b");
  std::vector<std::string> operands;
  for (const ParsedOperand& operand : call.operands) operands.push_back(operand.value);
  EXPECT_THAT(operands, ElementsAre("a", "c", "-", "-n", "d"));
}

TEST(UnlistedTest, TheVerbStandsAmongTheFirstWords) {
  EXPECT_TRUE(Says({"x", "delete", "db"}));
  EXPECT_TRUE(Says({"x", "db", "delete"}));
  EXPECT_TRUE(Says({"x", "a", "b", "c", "delete"}));
  EXPECT_FALSE(Says({"x", "a", "b", "c", "d", "delete"}));
  EXPECT_FALSE(Says({"x", "db", "list", "--", "delete"}));
  EXPECT_FALSE(Says({"delete", "db"}));
}

TEST(UnlistedTest, WhatStandsBehindAnOptionMayBeItsValueAndIsNotCounted) {
  EXPECT_TRUE(Says({"x", "-p", "shop", "--zone", "b", "-c", "f", "-l", "g", "db", "delete"}));
  EXPECT_TRUE(Says({"x", "--url", "https://x.example.com/", "db", "delete"}));
  EXPECT_TRUE(Says({"x", "-v", "delete"}));
  EXPECT_FALSE(Says({"x", "--url=a", "https://x.example.com/", "db", "delete"}));
}

TEST(UnlistedTest, AWordMayHoldNounAndVerb) {
  for (const char* word : {"delete-db", "db:drop", "db_delete", "deleteDb", "DeleteDBCluster", "dbDelete", "DROP-all", "batch-delete-db", "force_drop_db"}) {
    EXPECT_TRUE(Says({"x", word})) << word;
    EXPECT_TRUE(Says({"x", word}, true)) << word;
  }
  for (const char* word : {"deleted", "undelete", "db-delete-log", "Delete", "dropbox", "delete.sql", "./delete", "delete=1", "rm"}) {
    EXPECT_FALSE(Says({"x", word})) << word;
  }
}

TEST(UnlistedTest, AnOptionSaysItWhereTheRuleWantsThat) {
  const auto says = [](const std::string& option, bool options) {
    return Speaks({.verbs = {"delete"}, .noun = false, .options = options}, ParseUnlisted(std::vector<std::string>{"x", "sync", "a", option}));
  };
  for (const char* option : {"--delete", "-delete", "--delete-excluded", "--force-delete", "--delete=true"}) {
    EXPECT_TRUE(says(option, true)) << option;
    EXPECT_FALSE(says(option, false)) << option;
  }
  for (const char* option : {"--no-delete", "--skip-delete", "--cap-delete", "--delete=false", "--deleted", "-d", "--if-delete"}) {
    EXPECT_FALSE(says(option, true)) << option;
  }
}

TEST(UnlistedTest, WithANounTheVerbAloneIsNotEnough) {
  EXPECT_FALSE(Says({"x", "delete", "db"}, true));
  EXPECT_TRUE(Says({"x", "db", "delete"}, true));
}

TEST(UnlistedTest, HostileWordsAreWords) {
  EXPECT_FALSE(Says({"x", std::string(2 << 20, 'a'), "delete"}));
  EXPECT_FALSE(Says({"x", "\xff\xfe", "delete"}));
  EXPECT_FALSE(Says({"x", "", "delete"}));
  EXPECT_FALSE(Says({}));
  std::vector<std::string> many(200'000, "-x");
  many.push_back("delete");
  EXPECT_TRUE(Says(many));
}

constexpr char kPack[] = R"(schema: 1
family: u
mode: enforce
tools:
  - names: [ctl]
    known: list
    commands: [{names: [get]}]
  - names: [vcs]
    git_aliases: true
    known: list
    commands: [{names: [get]}]
  - names: [sh]
    options: c
    stop_at_first_operand: true
    wraps: {flag_text: c}
  - names: [python]
    options: "code,c= m= E"
    stop_at_first_operand: true
    script: {unless: [code], module: m}
plain: grep make ctl
rules:
  - id: u.delete
    effect: unseen
    why: deletes
    when:
      unlisted: {verb: [delete, drop]}
    cases:
      fires: [{argv: [frob, db, delete], verdict: audit}, {argv: [ctl, db, delete], verdict: audit}]
      passes: [{argv: [ctl, list, delete]}, {argv: [vcs, db, delete]}, {argv: [ctl, get, delete]}, {argv: [python, -c, x, db, delete]}]
)";

std::shared_ptr<const Policy> Compiled() {
  absl::StatusOr<Pack> pack = ReadPack("u.yaml", kPack);
  EXPECT_TRUE(pack.ok()) << pack.status().message();
  std::vector<Pack> packs;
  packs.push_back(*std::move(pack));
  absl::StatusOr<std::shared_ptr<const Policy>> policy = Policy::Compile(std::move(packs));
  EXPECT_TRUE(policy.ok()) << policy.status().message();
  return *policy;
}

ExecAct Act(std::string path, std::vector<std::string> argv, std::string script = "") {
  ExecAct act;
  act.executable.path = std::move(path);
  act.argv = std::move(argv);
  act.script = std::move(script);
  return act;
}

TEST(UnlistedProgramTest, IsWhatNoPackDescribes) {
  const auto policy = Compiled();
  EXPECT_EQ(policy->UnlistedProgram(Act("/usr/bin/frob", {"frob"})), 0u);
  EXPECT_EQ(policy->UnlistedProgram(Act("/usr/bin/ctl", {"ctl"})), std::nullopt);
  EXPECT_EQ(policy->UnlistedProgram(Act("/usr/bin/grep", {"grep"})), std::nullopt);
  EXPECT_EQ(policy->UnlistedProgram(Act("grep", {"grep"})), std::nullopt);
  EXPECT_TRUE(policy->DependsOnArguments(Act("/usr/bin/frob", {"frob"})));
  EXPECT_TRUE(policy->DependsOnArguments(Act("/usr/bin/ctl", {"ctl"})));
  EXPECT_FALSE(policy->DependsOnArguments(Act("/usr/bin/grep", {"grep"})));
  EXPECT_FALSE(policy->DependsOnArguments(Act("/usr/bin/x86_64-linux-gnu-grep-3.8", {"grep"})));
  EXPECT_TRUE(policy->DependsOnArguments(Act("/usr/bin/grep-delete", {"grep-delete"})));
}

TEST(UnlistedProgramTest, ANameThatASessionCanGiveMakesNothingPlain) {
  EXPECT_EQ(Compiled()->UnlistedProgram(Act("/srv/shop/grep", {"grep"})), 0u);
  EXPECT_EQ(Compiled()->UnlistedProgram(Act("/tmp/make", {"make"})), 0u);
}

TEST(UnlistedProgramTest, OfAScriptItsOwnWordsCountAndAShellsScriptStartsPrograms) {
  const auto policy = Compiled();
  EXPECT_EQ(policy->UnlistedProgram(Act("/usr/bin/python", {"python", "-E", "/opt/frob", "db"}, "/opt/frob")), 2u);
  EXPECT_EQ(policy->UnlistedProgram(Act("/usr/bin/python", {"python", "/opt/ctl", "db"}, "/opt/ctl")), std::nullopt);
  EXPECT_EQ(policy->UnlistedProgram(Act("/bin/sh", {"sh", "./deploy", "destroy"}, "./deploy")), std::nullopt);
}

TEST(UnlistedProgramTest, OfAnInterpreterItsScriptOrModuleIsTheProgram) {
  const auto policy = Compiled();
  const auto program = [&](std::vector<std::string> argv) { return policy->UnlistedProgram(Act("/usr/bin/python", std::move(argv))); };
  EXPECT_EQ(program({"python", "-E", "tools/frob", "db"}), 2u);
  EXPECT_EQ(program({"python", "-m", "frob", "db"}), 2u);
  EXPECT_EQ(program({"python", "-mfrob", "db"}), 1u);
  EXPECT_EQ(program({"python", "-m", "frob", "-c", "db"}), 2u);
  EXPECT_EQ(program({"python", "-m", "make", "db"}), std::nullopt);
  EXPECT_EQ(program({"python", "bin/ctl", "db"}), std::nullopt);
  EXPECT_EQ(program({"python", "-c", "x", "db"}), std::nullopt);
  EXPECT_EQ(program({"python", "-"}), std::nullopt);
  EXPECT_EQ(program({"python"}), std::nullopt);
}

TEST(UnlistedProgramTest, TheWordsOfTheRulesAreGivenForAFilter) {
  EXPECT_THAT(Compiled()->UnlistedWords(), ElementsAre("delete", "drop"));
}

TEST(UnlistedProgramTest, APolicyWithoutSuchRulesHasNone) {
  const auto policy = Policy::Compile({});
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ((*policy)->UnlistedProgram(Act("/usr/bin/frob", {"frob"})), std::nullopt);
  EXPECT_FALSE((*policy)->DependsOnArguments(Act("/usr/bin/frob", {"frob"})));
}

}  // namespace
}  // namespace holdpoint
