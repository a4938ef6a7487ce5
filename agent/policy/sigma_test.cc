#include "agent/policy/sigma.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/policy/rule_reader.h"
#include "agent/policy/sigma_value.h"

namespace holdpoint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

absl::StatusOr<std::shared_ptr<const SigmaRule>> Read(const std::string& detection,
                                                      const std::string& category = "process_creation") {
  const std::string text = absl::StrCat("title: A rule\nlogsource: {product: linux, category: ", category,
                                        "}\ndetection:\n", detection);
  HP_ASSIGN_OR_RETURN(const YamlNode root, ParseYaml("s.yml", text));
  return SigmaRule::Read(YamlValue("s.yml", "", root));
}

bool Finds(const std::string& detection, const std::string& image, const std::string& line) {
  const auto rule = Read(detection);
  EXPECT_TRUE(rule.ok()) << rule.status();
  return rule.ok() && (*rule)->Matches({{"Image", image}, {"CommandLine", line}, {"CurrentDirectory", "/srv"}});
}

TEST(SigmaTest, ValuesAreTextWithWildcardsWithoutRegardToCase) {
  const struct {
    const char* value;
    bool before, behind;
    const char* field;
    bool wanted;
  } rows[] = {
      {"rm", false, false, "rm", true},        {"rm", false, false, "RM", true},
      {"rm", false, false, "rmx", false},      {"rm", false, true, "rm -rf", true},
      {"rm", true, false, "/bin/rm", true},    {"rm", true, false, "/bin/rmx", false},
      {"a*b", false, false, "axxb", true},     {"a*b", false, false, "ab", true},
      {"a*b", false, false, "abc", false},     {"*a", false, false, "bca", true},
      {"a*", false, false, "abc", true},       {"a*", false, false, "ba", false},
      {"a?c", false, false, "abc", true},      {"a?c", false, false, "ac", false},
      {"a\\*b", false, false, "a*b", true},    {"a\\*b", false, false, "axb", false},
      {"aba", true, true, "xxababa", true},    {"ab*ab", false, false, "ab", false},
      {"", false, false, "", true},            {"", false, false, "x", false},
      {"*", false, false, "anything", true},   {"a*b*c", true, true, "xaybzcx", true},
      {"ab*b", false, false, "ab", false},     {"a\\x", false, false, "a\\x", true},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(SigmaValue::Text(row.value, row.before, row.behind).Matches(row.field), row.wanted)
        << row.value << " on " << row.field;
  }
}

TEST(SigmaTest, ModifiersAndLists) {
  EXPECT_TRUE(Finds("  s: {Image|endswith: /rm, CommandLine|contains: [' -rf ', ' -fr ']}\n  condition: s\n", "/usr/bin/rm", "rm -fr x"));
  EXPECT_FALSE(Finds("  s: {Image|endswith: /rm, CommandLine|contains: [' -rf ']}\n  condition: s\n", "/usr/bin/rm", "rm -fr x"));
  EXPECT_TRUE(Finds("  s: {CommandLine|contains|all: [a, b]}\n  condition: s\n", "/x", "b a"));
  EXPECT_FALSE(Finds("  s: {CommandLine|contains|all: [a, b]}\n  condition: s\n", "/x", "a a"));
  EXPECT_TRUE(Finds("  s: {CommandLine|startswith: SUDO}\n  condition: s\n", "/x", "sudo x"));
  EXPECT_TRUE(Finds("  s: {CommandLine|re: 'a{3}$'}\n  condition: s\n", "/x", "baaa"));
  EXPECT_FALSE(Finds("  s: {CommandLine|re: 'a{3}$'}\n  condition: s\n", "/x", "bAAA"));
  EXPECT_TRUE(Finds("  s: {CommandLine|contains|windash: ' -x'}\n  condition: s\n", "/x", "cmd /x"));
  EXPECT_TRUE(Finds("  s: [{Image: /a}, {Image: /b}]\n  condition: s\n", "/b", ""));
  EXPECT_TRUE(Finds("  s: {CommandLine: null}\n  condition: s\n", "/b", ""));
}

TEST(SigmaTest, Conditions) {
  const std::string selections =
      "  selection_a: {CommandLine|contains: a}\n  selection_b: {CommandLine|contains: b}\n  filter: {CommandLine|contains: z}\n";
  const auto finds = [&](const std::string& condition, const std::string& line) {
    return Finds(absl::StrCat(selections, "  condition: ", condition, "\n"), "/x", line);
  };
  EXPECT_TRUE(finds("1 of selection_*", "b"));
  EXPECT_FALSE(finds("1 of selection_*", "z"));
  EXPECT_TRUE(finds("all of selection_*", "ab"));
  EXPECT_FALSE(finds("all of selection_*", "a"));
  EXPECT_TRUE(finds("1 of them", "z"));
  EXPECT_FALSE(finds("all of them", "ab"));
  EXPECT_TRUE(finds("all of selection_* and not filter", "ab"));
  EXPECT_FALSE(finds("all of selection_* and not filter", "abz"));
  EXPECT_TRUE(finds("selection_a or selection_b and filter", "a"));
  EXPECT_FALSE(finds("(selection_a or selection_b) and filter", "a"));
  EXPECT_TRUE(finds("not (selection_a or filter)", "b"));
}

TEST(SigmaTest, AConnectionIsLookedForByAddressRangeAndPort) {
  const auto rule = Read("  s: {DestinationIp|cidr: [10.0.0.0/8, 'fd00::/8'], DestinationPort: 4444}\n  condition: s\n",
                         "network_connection");
  ASSERT_TRUE(rule.ok()) << rule.status();
  EXPECT_TRUE((*rule)->Matches({{"DestinationIp", "10.1.2.3"}, {"DestinationPort", "4444"}}));
  EXPECT_TRUE((*rule)->Matches({{"DestinationIp", "fd00::1"}, {"DestinationPort", "4444"}}));
  EXPECT_FALSE((*rule)->Matches({{"DestinationIp", "11.1.2.3"}, {"DestinationPort", "4444"}}));
  EXPECT_FALSE((*rule)->Matches({{"DestinationIp", "10.1.2.3"}, {"DestinationPort", "443"}}));
}

TEST(SigmaTest, WhatIsNotSupportedIsNamedByRuleAndField) {
  const auto problem = [](const std::string& detection, const std::string& category = "process_creation") {
    const auto rule = Read(detection, category);
    return rule.ok() ? std::string("it loads") : std::string(rule.status().message());
  };
  EXPECT_THAT(problem("  s: {ParentImage: /x}\n  condition: s\n"), HasSubstr("Sigma rule \"A rule\": the field ParentImage is not supported"));
  EXPECT_THAT(problem("  s: {CommandLine|base64: x}\n  condition: s\n"), HasSubstr("the modifier base64 of the field CommandLine"));
  EXPECT_THAT(problem("  s: [a, b]\n  condition: s\n"), HasSubstr("a keyword without a field"));
  EXPECT_THAT(problem("  s: {Image: x}\n  condition: s | count() > 5\n"), HasSubstr("\"|\" in the condition"));
  EXPECT_THAT(problem("  s: {Image: x}\n  condition: t\n"), HasSubstr("names \"t\""));
  EXPECT_THAT(problem("  s: {CommandLine|re: '(?<=a)b'}\n  condition: s\n"), HasSubstr("RE2 does not take"));
  EXPECT_THAT(problem("  s: {Image: x}\n  condition: s\n", "file_event"), HasSubstr("the category \"file_event\""));
  EXPECT_THAT(problem("  s: {Image: x}\n"), HasSubstr("wants a condition"));
  EXPECT_THAT(problem("  s: {DestinationIp|cidr: 10.0.0.0/99}\n  condition: s\n", "network_connection"), HasSubstr("address range"));
  EXPECT_THAT(problem("  s: {Image: x}\n  condition: (s\n"), HasSubstr("wanted a )"));
}

TEST(SigmaTest, WhatEveryMatchHasIsKnown) {
  const auto needed = [](const std::string& detection) {
    const auto rule = Read(detection);
    EXPECT_TRUE(rule.ok()) << rule.status();
    return (*rule)->NeededFor();
  };
  EXPECT_THAT(needed("  s: {Image|endswith: [/rm, /shred], CommandLine|contains: ' -rf '}\n  condition: s\n")->patterns.parts, testing::IsEmpty());
  EXPECT_THAT(needed("  s: {CommandLine|contains: 'history -c'}\n  condition: s\n")->patterns.parts, ElementsAre("history"));
  EXPECT_THAT(needed("  s: {Image|endswith: /rm}\n  t: {CommandLine|contains: wipe}\n  condition: s or t\n")->names, ElementsAre("rm"));
  EXPECT_FALSE(needed("  s: {CommandLine|re: x+}\n  condition: s\n").has_value());
  EXPECT_FALSE(needed("  s: {Image|endswith: /rm}\n  condition: not s\n").has_value());
}

TEST(SigmaTest, AFileOfOneIsAPackOfOneRule) {
  const auto pack = ReadPack("wipe.yml",
                             "title: History wiped\nid: 0F0F-11\nstatus: test\nlevel: high\n"
                             "tags: [attack.impact, attack.t1070.003]\nreferences: [https://example.com/x]\n"
                             "logsource: {product: linux, category: process_creation}\n"
                             "detection:\n  s: {CommandLine|contains: 'history -c'}\n  condition: s\n");
  ASSERT_TRUE(pack.ok()) << pack.status();
  ASSERT_EQ(pack->rules.size(), 1u);
  const Rule& rule = pack->rules[0];
  EXPECT_EQ(rule.id, "sigma.0f0f-11");
  EXPECT_THAT(rule.techniques, ElementsAre("T1070.003"));
  EXPECT_EQ(rule.effect, v1::EFFECT_DESTROY);
  EXPECT_EQ(rule.mode, RuleMode::kObserve);
  EXPECT_EQ(rule.hash.size(), 64u);
}

}  // namespace
}  // namespace holdpoint
