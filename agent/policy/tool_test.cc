#include "agent/policy/tool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/policy/rule_reader.h"

namespace holdpoint {
namespace {

using testing::ElementsAre;

constexpr char kPack[] = R"(schema: 1
family: t
tools:
  - names: [vcs]
    globals_first: true
    options: "C= quiet,q"
    known: "status log"
    commands:
      - names: [push]
        options: "force,f C set,s="
      - names: [stash]
        known: "pop"
        commands:
          - names: [drop, rm]
            options: "quiet,q"
  - names: [ctl]
    options: "namespace,n= force,f"
    commands:
      - names: [delete, del]
        options: "all now=?"
  - names: [find]
    syntax: find
    abbreviations: false
    single_dash_long: true
    options: "delete name= exec"
    wraps: {exec_options: [exec]}
  - names: [cloud]
    unknown_options: with_value
    options: "quiet,q region=?"
)";

class ToolTest : public testing::Test {
 protected:
  void SetUp() override {
    auto pack = ReadPack("t.yaml", kPack);
    ASSERT_TRUE(pack.ok()) << pack.status().message();
    pack_ = *std::move(pack);
  }
  ToolCall Parse(size_t tool, const std::vector<std::string>& argv) { return ParseToolCall(pack_.tools[tool], argv); }
  static std::vector<std::string> Operands(const ToolCall& call) {
    std::vector<std::string> words;
    for (const ParsedOperand& operand : call.operands) words.push_back(operand.value);
    return words;
  }
  Pack pack_;
};

TEST_F(ToolTest, GlobalOptionsStandBeforeTheSubCommandAndKeepTheirMeaning) {
  const ToolCall call = Parse(0, {"vcs", "-C", "/x", "push", "-f", "-C", "origin", "--set=1"});
  EXPECT_EQ(call.command, "push");
  EXPECT_TRUE(call.Has("force"));
  EXPECT_THAT(Operands(call), ElementsAre("origin"));  // -C takes no value here
  ASSERT_NE(call.Value("set"), nullptr);
  EXPECT_EQ(*call.Value("set"), "1");
}

TEST_F(ToolTest, SubCommandsNestAndHaveOtherNames) {
  const ToolCall call = Parse(0, {"vcs", "stash", "rm", "-q", "7"});
  EXPECT_EQ(call.command, "stash drop");
  EXPECT_THAT(Operands(call), ElementsAre("7"));
  EXPECT_EQ(Parse(0, {"vcs", "stash", "pop"}).command, "stash");
  EXPECT_EQ(Parse(0, {"vcs", "stash"}).command, "stash");
}

TEST_F(ToolTest, OnlyWhatTheModelDoesNotKnowMayBeAnAlias) {
  EXPECT_EQ(Parse(0, {"vcs", "status"}).unknown_command, "");
  EXPECT_EQ(Parse(0, {"vcs", "push"}).unknown_command, "");
  EXPECT_EQ(Parse(0, {"vcs", "-q", "nuke", "x"}).unknown_command, "nuke");
}

TEST_F(ToolTest, GlobalOptionsMayStandAnywhereWhereTheToolTakesThemSo) {
  for (const std::vector<std::string>& argv :
       {std::vector<std::string>{"ctl", "-n", "prod", "delete", "pod", "a", "--force"},
        std::vector<std::string>{"ctl", "delete", "--force", "pod", "-nprod", "a"},
        std::vector<std::string>{"ctl", "--force", "del", "--namespace=prod", "--", "pod", "a"}}) {
    const ToolCall call = Parse(1, argv);
    EXPECT_EQ(call.command, "delete");
    EXPECT_TRUE(call.Has("force"));
    ASSERT_NE(call.Value("namespace"), nullptr);
    EXPECT_EQ(*call.Value("namespace"), "prod");
    EXPECT_THAT(Operands(call), ElementsAre("pod", "a"));
  }
}

TEST_F(ToolTest, OptionsThatAreNotListedTakeTheNextWordWhereTheToolIsModelledSo) {
  const ToolCall call = Parse(3, {"cloud", "vm", "--zone", "b", "-g", "shop", "--quiet", "delete", "--x=1", "web", "-vq", "a",
                                  "--last", "--", "--not"});
  EXPECT_THAT(Operands(call), ElementsAre("vm", "delete", "web", "a", "--not"));
  EXPECT_TRUE(call.Has("quiet"));
  EXPECT_THAT(Operands(Parse(3, {"cloud", "--region", "b", "--region=c", "--tail", "web"})), ElementsAre("b"));
  EXPECT_THAT(Operands(Parse(3, {"cloud", "--no-color", "vm", "delete"})), ElementsAre("vm", "delete"));
  EXPECT_THAT(Operands(Parse(1, {"ctl", "--zone", "b", "web"})), ElementsAre("b", "web"));
}

TEST_F(ToolTest, OfFindTheExpressionIsReadAndNotTheText) {
  const ToolCall call =
      Parse(2, {"find", "-L", "a", "b", "-name", "-delete", "-exec", "rm", "-delete", "{}", ";", "-print"});
  EXPECT_THAT(Operands(call), ElementsAre("a", "b"));
  EXPECT_FALSE(call.Has("delete"));
  EXPECT_TRUE(call.Has("exec"));
  EXPECT_TRUE(Parse(2, {"find", ".", "!", "-name", "x", "-delete"}).Has("delete"));
}

}  // namespace
}  // namespace holdpoint
