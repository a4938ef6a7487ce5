// holdpoint check and rules as programs: what they print and how they end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

using testing::HasSubstr;

struct Ended {
  int code = -1;
  std::string out;
};

class CheckCliTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/hp-check-XXXXXX";
    folder_ = mkdtemp(name);
    workspace_ = folder_ + "/shop";
    std::filesystem::create_directories(workspace_ + "/node_modules/x");
    std::filesystem::create_directories(workspace_ + "/notes/x");
    std::ofstream(workspace_ + "/empty.yaml");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Text for a shell; standard error comes with standard output.
  Ended Run(const std::string& arguments) {
    const std::string line = absl::StrCat("cd '", workspace_, "' && HOME='", folder_, "' '", getenv("HP_BUILD_DIR"),
                                          "/bin/holdpoint' ", arguments, " 2>&1");
    Ended ended;
    FILE* pipe = popen(line.c_str(), "r");
    if (pipe == nullptr) return ended;
    std::array<char, 4096> buffer;
    for (size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) ended.out.append(buffer.data(), n);
    const int status = pclose(pipe);
    if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
    return ended;
  }
  static std::string Flags() {
    return absl::StrCat("--rules '", getenv("HP_SOURCE_DIR"), "/rules' --config '", getenv("HP_SOURCE_DIR"),
                        "/config/holdpoint.yaml' ");
  }
  Ended Check(const std::string& arguments) { return Run("check " + Flags() + arguments); }

  std::string folder_, workspace_;
};

TEST_F(CheckCliTest, SaysWhatWouldHappenAndEndsWithOneWhereItIsStopped) {
  const Ended held = Check("-- curl -X DELETE https://api.example.com/v1/volumes/1");
  EXPECT_EQ(held.code, 1);
  EXPECT_THAT(held.out, HasSubstr("hold  curl DELETE api.example.com /v1/volumes/1"));
  EXPECT_THAT(held.out, HasSubstr("rule: http.delete"));
  EXPECT_THAT(held.out, HasSubstr("may approve: "));
  EXPECT_EQ(Check("-c 'ls -la; echo done'").code, 0);
}

TEST_F(CheckCliTest, LooksAtTheFilesThatTheCommandNamesWhereAsked) {
  EXPECT_EQ(Check("--look -- rm -rf node_modules").code, 0);
  EXPECT_EQ(Check("--look -- rm -rf notes").code, 1);
  EXPECT_EQ(Check("--look -- rm -rf nothing-there").code, 0);
  EXPECT_EQ(Check("-- rm -rf nothing-there").code, 1);
  EXPECT_TRUE(std::filesystem::exists(workspace_ + "/node_modules/x")) << "nothing is ever run";
}

TEST_F(CheckCliTest, AnswersJsonLineForJsonLine) {
  std::ofstream(workspace_ + "/rows.jsonl") << R"({"id":"a","command":"rm -rf node_modules"})"
                                            << "\n"
                                            << R"({"id":"b","argv":["rm","-rf","notes"]})"
                                            << "\n";
  const Ended ended = Check("--look rows.jsonl");
  EXPECT_EQ(ended.code, 1);
  std::istringstream lines(ended.out);
  std::vector<nlohmann::json> rows;
  for (std::string line; std::getline(lines, line);) rows.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["id"], "a");
  EXPECT_EQ(rows[0]["verdict"], "allow");
  EXPECT_EQ(rows[1]["id"], "b");
  EXPECT_EQ(Check("--look - < rows.jsonl").out, ended.out);
}

TEST_F(CheckCliTest, WrongUseIsOneSentenceWithItsExitCode) {
  const Ended bad_line = Check("empty.yaml /dev/null");
  EXPECT_EQ(bad_line.code, 2);
  std::ofstream(workspace_ + "/bad.jsonl") << "\n{\n";
  EXPECT_EQ(Check("bad.jsonl").code, 2);
  EXPECT_THAT(Check("bad.jsonl").out, HasSubstr("line 2: wanted one JSON object a line"));
  EXPECT_EQ(Check("--env nowhere -- ls").code, 2);
  EXPECT_THAT(Check("--env nowhere -- ls").out, HasSubstr("no such environment"));
  EXPECT_EQ(Check("-c ls -- ls").code, 2);
  EXPECT_THAT(Check("none.jsonl").out, HasSubstr("none.jsonl"));
  EXPECT_NE(Check("none.jsonl").code, 0);
  EXPECT_EQ(Run("check --rules . -- ls").code, 78);
  EXPECT_EQ(Run("check --rules /nonexistent -- ls").code, 78);
}

TEST_F(CheckCliTest, RulesAreListedAndTested) {
  const Ended tested = Run("rules test --rules '" + std::string(getenv("HP_SOURCE_DIR")) + "/rules'");
  EXPECT_EQ(tested.code, 0) << tested.out;
  EXPECT_THAT(tested.out, HasSubstr("0 rules with a case that fails"));
  const Ended listed = Run("rules list " + Flags());
  EXPECT_EQ(listed.code, 0);
  EXPECT_THAT(listed.out, HasSubstr("files.rm  enforce  destroy by-facts  Deleting files"));
}

TEST_F(CheckCliTest, ARuleWhoseCaseFailsIsAFinding) {
  std::filesystem::create_directories(workspace_ + "/mine");
  std::ofstream(workspace_ + "/mine/x.yaml")
      << "schema: 1\nfamily: x\ntools:\n  - {names: [t], options: \"a\"}\nrules:\n  - {id: x.y, effect: destroy, "
         "recoverability: irreversible, why: w, when: {tool: t, options: {any: [a]}}, cases: {fires: [{argv: [t]}], "
         "passes: [{argv: [t, -a], verdict: hold}]}}\n";
  const Ended tested = Run("rules test --rules mine");
  EXPECT_EQ(tested.code, 1);
  EXPECT_THAT(tested.out, HasSubstr("mine/x.yaml:6:"));
  EXPECT_EQ(Run("check --rules mine -- ls").code, 78);
}

TEST_F(CheckCliTest, ShowsOneRuleWithItsTechniquesAndWhatTheKernelLooksFor) {
  const Ended shown = Run("--json rules show git.push-force " + Flags());
  EXPECT_EQ(shown.code, 0) << shown.out;
  const auto row = nlohmann::json::parse(shown.out, nullptr, false);
  ASSERT_TRUE(row.is_object()) << shown.out;
  EXPECT_EQ(row["id"], "git.push-force");
  EXPECT_FALSE(row["techniques"].empty());
  EXPECT_THAT(std::string(row["kernel"]), HasSubstr("push"));
  EXPECT_GE(row["cases"].size(), 2u);
  EXPECT_THAT(Run("rules show files.rm " + Flags()).out, HasSubstr("always asked"));
  const Ended none = Run("rules show no.such " + Flags());
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.out, HasSubstr("no loaded rule"));
}

TEST_F(CheckCliTest, ImportsASigmaRuleAsItIsAndNamesWhatIsNotSupported) {
  const std::string source = "title: History wiped\nid: aa-11\nlogsource: {product: linux, category: process_creation}\n"
                             "detection:\n  s: {CommandLine|contains: 'history -c'}\n  condition: s\n";
  std::ofstream(workspace_ + "/good.yml") << source;
  std::ofstream(workspace_ + "/bad.yml") << "title: Parent\nlogsource: {product: linux, category: process_creation}\n"
                                            "detection:\n  s: {ParentImage: /bin/x}\n  condition: s\n";
  std::filesystem::create_directories(folder_ + "/rules");
  const std::string flags = absl::StrCat("--rules '", getenv("HP_SOURCE_DIR"), "/rules' --to '", folder_, "/rules' ");
  const Ended dry = Run("rules import --dry-run " + flags + "good.yml");
  EXPECT_EQ(dry.code, 0) << dry.out;
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/rules"));
  const Ended imported = Run("rules import " + flags + "good.yml bad.yml");
  EXPECT_EQ(imported.code, 1);
  EXPECT_THAT(imported.out, HasSubstr("1 of 2 files imported"));
  EXPECT_THAT(imported.out, HasSubstr("Sigma rule \"Parent\": the field ParentImage is not supported"));
  std::ifstream in(folder_ + "/rules/sigma.aa-11.yaml");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), source);
  EXPECT_THAT(Run("rules list --rules " + folder_ + "/rules").out, HasSubstr("sigma.aa-11  observe"));
  EXPECT_NE(Run("rules import " + flags + "good.yml").code, 0);  // It is there.
}

}  // namespace
}  // namespace holdpoint
