// config check, fingerprint, check and rules: what needs no daemon.
#include <fstream>

#include "absl/strings/str_cat.h"
#include "agent/cli/test_cli.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdpoint {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(CliTest, ConfigCheckIs78WithPlaceAndWish) {
  const std::string file = folder_ + "/holdpoint.yaml";
  std::ofstream(file) << "version: 1\nsessions:\n  default_environment: nowhere\n";
  const Ended bad = Run({"config", "check", file});
  EXPECT_EQ(bad.code, 78);
  EXPECT_THAT(bad.err, HasSubstr(file + ":3:"));
  std::ofstream(file) << Run({"config", "default"}).out;
  EXPECT_EQ(Run({"config", "check", file}).code, 0);
  EXPECT_EQ(JsonLines(Run({"config", "check", file, "--json"}).out)[0]["accepted"], true);
  EXPECT_EQ(Run({"config", "check", folder_ + "/none.yaml"}).code, 78);
  EXPECT_EQ(Run({"config", "check", folder_}).code, 2);
}

TEST_F(CliTest, FingerprintIsOfTheValueAndTheKeyAndHidesBoth) {
  const std::string key = folder_ + "/key";
  std::ofstream(key) << std::string(32, 'k');
  const Ended one = Run({"fingerprint", "--key", key}, "token-value\n");
  EXPECT_EQ(one.code, 0) << one.err;
  EXPECT_THAT(one.out, StartsWith("fp:"));
  EXPECT_EQ(one.out.size(), 3u + 16u + 1u);
  EXPECT_EQ(Run({"fingerprint", "--key", key}, "token-value").out, one.out);
  EXPECT_NE(Run({"fingerprint", "--key", key}, "token-valuf").out, one.out);
  std::ofstream(key) << std::string(32, 'l');
  EXPECT_NE(Run({"fingerprint", "--key", key}, "token-value").out, one.out);
  EXPECT_EQ(Run({"fingerprint", "--key", key}, " \n").code, 2);
  std::ofstream(key) << "short";
  EXPECT_EQ(Run({"fingerprint", "--key", key}, "x").code, 78);
  EXPECT_EQ(Run({"fingerprint", "--key", folder_ + "/none"}, "x").code, 69);
  EXPECT_EQ(Run({"fingerprint", "token-value"}).code, 2);  // never as an argument
}

class CliPolicyTest : public CliTest {
 protected:
  static std::string Rules() { return absl::StrCat(getenv("HP_SOURCE_DIR"), "/rules"); }
  // `check` with the rules that ship and the built-in configuration.
  Ended Check(std::vector<std::string> args, const std::string& input = "") {
    std::ofstream(folder_ + "/empty.yaml") << "version: 1\n";
    args.insert(args.begin(), {"check", "--rules", Rules(), "--config", folder_ + "/empty.yaml"});
    return Run(args, input);
  }
};

TEST_F(CliPolicyTest, EachLineGetsItsAnswerInOrder) {
  const Ended ended = Check({}, R"({"id":7,"argv":["rm","-rf","/srv/data"],"cwd":"/srv/shop"})"
                                "\n\n"
                                R"({"id":"b","command":"ls -la","session_environment":"production"})"
                                "\n");
  EXPECT_EQ(ended.code, 1) << ended.err;  // one of them would be held
  const std::vector<json> rows = JsonLines(ended.out);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["id"], 7);
  EXPECT_EQ(rows[0]["verdict"], "hold");
  EXPECT_EQ(rows[0]["rule"], "files.rm");
  EXPECT_EQ(rows[0]["digest"].get<std::string>().size(), 64u);
  EXPECT_EQ(rows[1]["id"], "b");
  EXPECT_EQ(rows[1]["verdict"], "allow");
  EXPECT_EQ(rows[1]["tags"]["session"]["environment"], "production");
}

TEST_F(CliPolicyTest, CommandBehindTheDashesIsOneArgv) {
  const Ended ended = Check({"--", "sh", "-c", "rm -rf /srv/data", "--json"});
  EXPECT_EQ(ended.code, 1) << ended.err;
  EXPECT_THAT(ended.out, StartsWith("hold  "));
  EXPECT_EQ(JsonLines(Check({"--json", "--", "rm", "-rf", "/srv/data"}).out)[0]["verdict"], "hold");
  EXPECT_EQ(Check({"--", "ls"}).code, 0);
}

TEST_F(CliPolicyTest, WrongLineIsNamedAndIsTheEnd) {
  const Ended ended = Check({}, "{\"argv\":[\"ls\"]}\nno json \x1b\n{\"command\":\"ls\"}\n");
  EXPECT_EQ(ended.code, 2);
  EXPECT_EQ(JsonLines(ended.out).size(), 1u);
  EXPECT_THAT(ended.err, HasSubstr("line 2: "));
  EXPECT_THAT(ended.err, Not(HasSubstr("\x1b")));
}

TEST_F(CliPolicyTest, LookingAtTheFilesKnowsWhatCanBeMadeAgain) {
  const std::string shop = folder_ + "/shop";
  std::filesystem::create_directories(shop + "/build");
  std::ofstream(shop + "/.gitignore") << "build/\n";
  std::ofstream(shop + "/build/out.o") << "x";
  ASSERT_EQ(std::system(("git -c init.defaultBranch=main init -q " + shop).c_str()), 0);
  const auto verdict = [&](std::vector<std::string> flags, const std::string& path) {
    flags.insert(flags.begin(), {"--json", "--cwd", shop});
    flags.insert(flags.end(), {"--", "rm", "-rf", path});
    const Ended ended = Check(flags);
    return JsonLines(ended.out).at(0)["verdict"].get<std::string>();
  };
  EXPECT_EQ(verdict({"--look"}, "build"), "allow");
  EXPECT_EQ(verdict({}, "build"), "hold");
  EXPECT_EQ(verdict({"--look"}, ".git"), "hold");
}

TEST_F(CliPolicyTest, WithoutRulesOrWithAWrongConfigurationItIs78) {
  const Ended none = Run({"check", "--rules", folder_, "--", "ls"});
  EXPECT_EQ(none.code, 78);
  EXPECT_THAT(none.err, HasSubstr("--rules"));
  const std::string file = folder_ + "/wrong.yaml";
  std::ofstream(file) << "version: 1\nnonsense: 1\n";
  const Ended wrong = Run({"check", "--rules", Rules(), "--config", file, "--", "ls"});
  EXPECT_EQ(wrong.code, 78);
  EXPECT_THAT(wrong.err, HasSubstr(file + ":2:"));
}

TEST_F(CliPolicyTest, RulesTestRunsTheCasesOfEveryPack) {
  const Ended fine = Run({"rules", "test", "--rules", Rules()});
  EXPECT_EQ(fine.code, 0) << fine.err;
  EXPECT_THAT(fine.out, HasSubstr(", 0 rules with a case that fails"));
  const std::vector<json> rows = JsonLines(Run({"rules", "list", "--rules", Rules(), "--json"}).out);
  EXPECT_GT(rows.size(), 3u);
}

TEST_F(CliPolicyTest, RulesTestTellsAFailingCaseFromAPackThatIsWrong) {
  const std::string file = folder_ + "/pack.yaml";
  const auto pack = [&file](const std::string& cases) {
    std::ofstream(file)
        << "schema: 1\nfamily: own\ntitle: t\nmode: enforce\ntools:\n  - names: [wipe]\n"
           "rules:\n  - id: own.wipe\n    title: t\n    effect: destroy\n"
           "    recoverability: irreversible\n    why: wipes\n    resource: {type: path, from: operands}\n"
           "    techniques: [T1485]\n    when: {tool: [wipe]}\n"
        << cases;
  };
  pack("    cases:\n      fires: [{argv: [wipe, /srv/x]}]\n      passes: [{argv: [ls]}]\n");
  const Ended fine = Run({"rules", "test", "--rules", file});
  EXPECT_EQ(fine.code, 0) << fine.err;
  pack("    cases:\n      fires: [{argv: [ls]}]\n      passes: [{argv: [ls]}]\n");
  const Ended failing = Run({"rules", "test", "--rules", file});
  EXPECT_EQ(failing.code, 1);
  EXPECT_THAT(failing.err, HasSubstr("own.wipe"));
  pack("");
  EXPECT_EQ(Run({"rules", "test", "--rules", file}).code, 78);
}

}  // namespace
}  // namespace holdpoint
