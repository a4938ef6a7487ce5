#include "agent/policy/rule_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/policy/cases.h"
#include "agent/policy/policy.h"

namespace holdpoint {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr char kGood[] = R"(schema: 1
family: disk
mode: enforce
tools:
  - names: [wipe]
    options: "all,a level,l= force,f"
rules:
  - id: disk.wipe
    title: Wiping
    effect: destroy
    recoverability: irreversible
    why: wipes a disk
    resource: {type: disk, from: operands}
    techniques: [T1561]
    when: {tool: wipe, options: {any: [all]}}
    cases:
      fires:
        - {argv: [wipe, -a, /dev/sdx], verdict: hold, resource: /dev/sdx}
      passes:
        - {argv: [wipe, /dev/sdx]}
)";

// Loads a pack, compiles it and runs its cases; the first problem.
std::string Problem(const std::string& text) {
  absl::StatusOr<Pack> pack = ReadPack("disk.yaml", text);
  if (!pack.ok()) return std::string(pack.status().message());
  std::vector<Pack> packs;
  packs.push_back(*std::move(pack));
  const auto policy = Policy::Compile(std::move(packs));
  if (!policy.ok()) return std::string(policy.status().message());
  return std::string(RunCases(**policy).message());
}

std::string With(absl::string_view from, absl::string_view to) {
  const std::string changed = absl::StrReplaceAll(kGood, {{from, to}});
  EXPECT_NE(changed, kGood) << from;
  return Problem(changed);
}

TEST(RuleReaderTest, AGoodPackLoadsAndItsCasesRun) { EXPECT_EQ(Problem(kGood), ""); }

TEST(RuleReaderTest, AnOperandAtAPlaceIsTestedThereAlone) {
  const auto problem_of = [](absl::string_view fires) {
    return Problem(absl::StrReplaceAll(
        kGood, {{"options: {any: [all]}", "operands: {at: {1: [disk, lv], 2: {prefix: delete}}}"},
                {"{argv: [wipe, -a, /dev/sdx], verdict: hold, resource: /dev/sdx}", fires}}));
  };
  EXPECT_EQ(problem_of("{argv: [wipe, -f, disk, delete-all, x], verdict: hold}"), "");
  EXPECT_EQ(problem_of("{argv: [wipe, lv, --level, delete, delete], verdict: hold}"), "");
  EXPECT_THAT(problem_of("{argv: [wipe, disk, list, delete], verdict: hold}"), HasSubstr("wanted hold"));
  EXPECT_THAT(problem_of("{argv: [wipe, disk], verdict: hold}"), HasSubstr("wanted hold"));
  EXPECT_THAT(problem_of("{argv: [wipe, delete, disk], verdict: hold}"), HasSubstr("wanted hold"));
}

struct BadCase {
  const char* name;
  const char* from;
  const char* to;
  const char* place;  // what the message starts with
  const char* says;
};

class BadPackTest : public testing::TestWithParam<BadCase> {};

TEST_P(BadPackTest, IsNamedByFileLineAndWhatWasWanted) {
  const std::string problem = With(GetParam().from, GetParam().to);
  EXPECT_THAT(problem, StartsWith(GetParam().place));
  EXPECT_THAT(problem, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Packs, BadPackTest,
    testing::Values(
        BadCase{"NoCaseThatFires",
                "      fires:\n        - {argv: [wipe, -a, /dev/sdx], verdict: hold, resource: /dev/sdx}\n", "",
                "disk.yaml:", "rule disk.wipe: "},
        BadCase{"NoCaseThatPasses", "      passes:\n        - {argv: [wipe, /dev/sdx]}\n", "",
                "disk.yaml:", "no passes"},
        BadCase{"EmptyCases", "        - {argv: [wipe, /dev/sdx]}\n", "        []\n", "disk.yaml:", "cases.passes"},
        BadCase{"BadRegex", "{any: [all]}", "{any: [{level: {regex: \"[a\"}}]}", "disk.yaml:15:", "missing ]"},
        BadCase{"HugeRegex", "{any: [all]}", "{any: [{level: {regex: \"(a{900}){900}\"}}]}", "disk.yaml:15:", "invalid repetition size"},
        BadCase{"UnknownKey", "    why: wipes a disk\n", "    why: wipes a disk\n    wy: x\n", "disk.yaml:13:", "wy"},
        BadCase{"UnknownEffect", "effect: destroy", "effect: explode", "disk.yaml:10:", "explode"},
        BadCase{"UnknownOption", "{any: [all]}", "{any: [al]}", "disk.yaml:8:", "got \"al\""},
        BadCase{"UnknownTool", "{tool: wipe,", "{tool: wiper,", "disk.yaml:8:", "got \"wiper\""},
        BadCase{"OperandAtNoPlace", "options: {any: [all]}}", "operands: {at: {0: now}}}", "disk.yaml:15:",
                "from 1 to 1000, got \"0\""},
        BadCase{"OperandAtAPlaceWithoutName", "options: {any: [all]}}", "operands: {at: {last: now}}}", "disk.yaml:15:",
                "got \"last\""},
        BadCase{"UnknownOptionsUnknown", "    options: \"all,a level", "    unknown_options: x\n    options: \"all,a level",
                "disk.yaml:6:", "with_value"},
        BadCase{"UnknownCommand", "{tool: wipe,", "{tool: wipe, command: now,", "disk.yaml:8:", "got \"now\""},
        BadCase{"BadId", "id: disk.wipe", "id: Wipe", "disk.yaml:8:", "lower-case words"},
        BadCase{"NeitherToolNorRequest", "when: {tool: wipe, options: {any: [all]}}", "when: {options: {any: [all]}}",
                "disk.yaml:15:", "a tool or a request, or unlisted"},
        BadCase{"ARequestThatIsEveryRequest", "{tool: wipe, options: {any: [all]}}", "{request: {}}", "disk.yaml:15:",
                "every request"},
        BadCase{"UnlistedBesideATool", "{tool: wipe, options: {any: [all]}}", "{tool: wipe, unlisted: {verb: delete}}",
                "disk.yaml:15:", "no tool, request or command"},
        BadCase{"UnlistedWithoutAVerb", "{tool: wipe, options: {any: [all]}}", "{unlisted: {noun: true}}",
                "disk.yaml:15:", "verb"},
        BadCase{"AVerbThatIsNoWord", "{tool: wipe, options: {any: [all]}}", "{unlisted: {verb: [delete, \"Drop it\"]}}",
                "disk.yaml:15:", "got \"Drop it\""},
        BadCase{"PlainWithAFolder", "rules:\n", "plain: /bin/cat\nrules:\n", "disk.yaml:7:", "without a folder"},
        BadCase{"FoldersByNoOption", "{type: disk, from: operands}", "{type: path, from: operands, folders: [al]}",
                "disk.yaml:8:", "got \"al\""},
        BadCase{"FoldersWithoutPaths", "{type: disk, from: operands}", "{type: disk, from: operands, folders: [all]}",
                "disk.yaml:13:", "evidence: path"},
        BadCase{"AScriptUnlessWhatIsNoOption", "    options: \"all,a level", "    script: {unless: [al]}\n    options: \"all,a level",
                "tool wipe", "got \"al\""},
        BadCase{"ByFactsWithoutEvidence", "recoverability: irreversible", "recoverability: by-facts",
                "disk.yaml:11:", "evidence"},
        BadCase{"ReplacesNothing", "    when:", "    replaces: [disk.none]\n    when:", "disk.yaml:8:", "disk.none"},
        BadCase{"ACaseThatDoesNotFire", "[wipe, -a, /dev/sdx], verdict", "[wipe, -f, /dev/sdx], verdict",
                "disk.yaml:18:", "wanted hold"},
        BadCase{"ACaseThatDoesNotPass", "{argv: [wipe, /dev/sdx]}", "{argv: [wipe, --al, /dev/sdx]}",
                "disk.yaml:20:", "wanted it to pass"},
        BadCase{"AnotherSchema", "schema: 1", "schema: 2", "disk.yaml:1:", "1"},
        BadCase{"UnknownReplacement", "    why: wipes a disk\n", "", "disk.yaml:", "why"}),
    [](const auto& each) { return each.param.name; });

TEST(RuleReaderTest, AnIdUsedTwiceIsNamedWithBothPlaces) {
  std::string twice = kGood;
  const size_t rule = twice.find("  - id: disk.wipe");
  twice += twice.substr(rule);
  EXPECT_EQ(Problem(twice), "disk.yaml:21:1: rule disk.wipe: this id is used already, at disk.yaml:8");
}

TEST(RuleReaderTest, WithoutAModeRulesOnlyObserve) {
  const auto pack = ReadPack("disk.yaml", absl::StrReplaceAll(kGood, {{"mode: enforce\n", ""}}));
  ASSERT_TRUE(pack.ok()) << pack.status().message();
  EXPECT_EQ(pack->rules[0].mode, RuleMode::kObserve);
}

TEST(RuleReaderTest, AnyBytesAreAnErrorAndNeverAnException) {
  for (const std::string text :
       {"", "\xff", "[", "a: b: c", "schema: 1\nfamily: x\nrules: 7", "{{{{", "- - -", "schema: 1"}) {
    EXPECT_FALSE(ReadPack("x.yaml", text).ok()) << text;
  }
}

}  // namespace
}  // namespace holdpoint
