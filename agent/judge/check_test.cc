// `holdpoint check`, and with it wrappers and shell text: the same act in every dress gives the same verdict.
#include "agent/judge/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/judge/test_world.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

using testing::Contains;
using testing::HasSubstr;

// A world in which everything asked about exists: /srv/shop is a git checkout, below it "build" is ignored.
v1::Facts World(const ExecAct&, const v1::FactsWanted& wanted) {
  v1::Facts facts;
  for (const std::string& path : wanted.paths()) {
    v1::PathFact* fact = facts.add_paths();
    fact->set_path(path);
    fact->set_resolved(CleanPath(path));
    fact->set_exists(!HasComponent(path, "missing"));
    fact->set_kind(HasComponent(path, "file") ? "file" : "directory");
    if (IsWithin(path, "/srv/shop")) fact->set_repository("/srv/shop");
    fact->set_ignored(HasComponent(path, "build"));
  }
  for (const std::string& path : wanted.content_of()) facts.add_contents()->set_path(path);
  if (wanted.git_state()) {
    facts.mutable_git()->set_root("/srv/shop");
    facts.mutable_git()->set_branch("feature");
    facts.mutable_git()->set_default_branch("main");
  }
  if (wanted.git_status()) {
    facts.mutable_git()->set_status_known(true);
    facts.mutable_git()->set_dirty(true);
    facts.mutable_git()->set_dirty_files(2);
  }
  return facts;
}

class CheckTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto loaded = LoadPolicy({"holdpoint.yaml", ""}, testworld::ShippedPacks({"files", "git", "http", "wrappers", "interpreters", "remote"}), std::string(32, 'k'));
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    policy_ = *std::move(loaded);
  }

  CheckResult Run(const std::string& command) {
    CheckOptions options;
    options.cwd = options.workspace = "/srv/shop";
    options.home = "/home/dev";
    options.uid = 1000;
    options.facts = World;
    CheckRow row;
    row.command = command;
    return Check(*policy_, row, options);
  }
  std::string Verdict(const std::string& command) { return VerdictWord(Run(command).judgement.verdict()); }

  static inline std::shared_ptr<const LoadedPolicy> policy_;
};

TEST_F(CheckTest, AWrappedActIsTheAct) {
  for (const char* command : {"rm -rf /srv/data",
                              "/bin/rm -rf /srv/data",
                              "sudo rm -rf /srv/data",
                              "sudo -u root -- rm -rf /srv/data",
                              "env FOO=1 rm -rf /srv/data",
                              "env -i -u X PATH=/bin rm -rf /srv/data",
                              "nohup rm -rf /srv/data &",
                              "nice -n 10 rm -rf /srv/data",
                              "timeout -s KILL 5 rm -rf /srv/data",
                              "setsid rm -rf /srv/data",
                              "time rm -rf /srv/data",
                              "sh -c 'rm -rf /srv/data'",
                              "bash -lc \"sudo sh -c 'rm -rf /srv/data'\"",
                              "true && rm -rf /srv/data",
                              "echo x | xargs rm -rf",
                              "find /srv/data -exec rm -rf {} +",
                              "busybox rm -rf /srv/data",
                              "busybox sh -c 'rm -rf /srv/data'",
                              "busybox sh -c '/bin/rm -rf /srv/data'",
                              "busybox setsid -w /bin/dash -c 'rm -rf /srv/data'",
                              "command rm -rf /srv/data",
                              "cd /srv && rm -rf data",
                              "(cd /srv; rm -rf ./data)",
                              "rm -r /srv/data --for",
                              "rm -rf -- /srv/data",
                              "rm /srv/data -fr",
                              "FOO=bar rm -rf /srv/data",
                              "rm -rf \"/srv/data\"",
                              "r\\m -rf /srv/da'ta'",
                              "echo $(rm -rf /srv/data)",
                              "if true; then rm -rf /srv/data; fi",
                              "env -S 'rm -rf' /srv/data",
                              "su -c 'rm -rf /srv/data' dev",
                              "stdbuf -oL rm -rf /srv/data",
                              "strace -f -o /tmp/x rm -rf /srv/data"}) {
    const CheckResult result = Run(command);
    EXPECT_EQ(VerdictWord(result.judgement.verdict()), "hold") << command;
    EXPECT_EQ(result.judgement.rule(), "files.rm") << command;
  }
}

TEST_F(CheckTest, TextThatOnlyNamesAnActIsNoAct) {
  for (const char* command :
       {"echo 'rm -rf /srv/data'", "grep -r 'rm -rf /' .", "git commit -m 'git reset --hard'", "sh -c 'echo rm -rf /'",
        "# rm -rf /srv/data", "printf '%s' \"curl -X DELETE https://api.example.com/x\"", "man rm",
        "git log --grep=reset", "env", "sudo -l", "xargs --help", "find . -name rm", "busybox ls", "ls # ; rm -rf /"}) {
    EXPECT_EQ(Verdict(command), "allow") << command << ": " << Run(command).judgement.ShortDebugString();
  }
}

TEST_F(CheckTest, UnexpandedTextIsReadForWhatItIs) {
  EXPECT_EQ(Verdict("rm -rf *"), "hold");
  EXPECT_EQ(Verdict("rm -rf ./*"), "hold");
  EXPECT_EQ(Verdict("rm -rf ~"), "hold");
  EXPECT_EQ(Verdict("rm -rf ~/"), "hold");
  EXPECT_EQ(Verdict("rm -rf \"$HOME\""), "hold");
  EXPECT_EQ(Verdict("rm -rf $SOMEWHERE"), "hold");
  EXPECT_EQ(Verdict("rm -rf build/*"), "allow");
  EXPECT_EQ(Verdict("rm -rf ~/.cache/pip"), "allow");
  EXPECT_EQ(Verdict("rm -rf missing"), "allow");
}

// No kernel shows what text would start: not from a program, not from eval, not on another host.
TEST_F(CheckTest, WhatAProgramsTextStartsIsJudgedWithIt) {
  for (const char* started : {"rm -rf /srv/data", "find /srv/data -delete"}) {
    for (const char* form : {"python3 -c \"import os; os.system('$')\"", "perl -e \"system('$')\"", "eval \"$\"", "eval $",
                             "node -e \"require('child_process').execSync('$')\"", "ruby <<EOF\nsystem(\"$\")\nEOF\n",
                             "ssh db1 \"perl -e \\\"system('$')\\\"\""}) {
      const std::string command = absl::StrReplaceAll(form, {{"$", started}});
      EXPECT_EQ(Verdict(command), "hold") << command;
      EXPECT_EQ(Verdict(absl::StrReplaceAll(form, {{"$", "ls /srv/data"}})), "allow") << form;
    }
  }
  EXPECT_EQ(Verdict("python3 -c \"import subprocess; subprocess.run(['rm', '-rf', '/srv/data'])\""), "hold");
  EXPECT_EQ(Verdict("python3 -c \"print('rm -rf /srv/data')\""), "allow");
}

TEST_F(CheckTest, ARedirectionOverwrites) {
  EXPECT_EQ(Run("echo x > /etc/file").judgement.rule(), "files.redirect");
  EXPECT_EQ(Verdict("echo x > /etc/file"), "hold");
  EXPECT_EQ(Verdict("make > /dev/null 2>&1"), "allow");
  EXPECT_EQ(Verdict("make >> /etc/file"), "allow");
}

TEST_F(CheckTest, TheStrictestOfALineDecides) {
  const CheckResult result = Run("ls; rm -rf build; git reset --hard; curl https://api.example.com");
  EXPECT_EQ(result.judgement.rule(), "git.reset-hard");
  EXPECT_THAT(result.argv, testing::ElementsAre("git", "reset", "--hard"));
}

TEST_F(CheckTest, TheIncidentIsHeldInEveryForm) {
  const std::string url = "https://backboard.railway.app/graphql/v2";
  const std::string query = "mutation { volumeDelete(volumeId: \\\"3d2c42fb-0000-4000-8000-000000000000\\\") }";
  for (const std::string& command : {
           absl::StrCat("curl -X POST ", url, " -H 'Authorization: Bearer t' -d '{\"query\":\"", query, "\"}'"),
           absl::StrCat("curl -sS --json '{\"query\":\"", query, "\"}' ", url),
           absl::StrCat("curl --data-raw='{\"query\":\"", query, "\"}' --url=", url),
           absl::StrCat("curl ", url,
                        " --data-binary $'{\"query\":\"mutation{volumeDelete(volumeId:\\\\\"v\\\\\")}\"}'"),
           absl::StrCat("curl ", url, " -d '{\"query\":\"mutation($i:String!){a:volumeDelete(volumeId:$i)}\",",
                        "\"variables\":{\"i\":\"3d2c42fb\"}}'"),
           absl::StrCat("curl ", url, " -d '[{\"query\":\"{me{id}}\"},{\"query\":\"", query, "\"}]'"),
           absl::StrCat("curl -F 'query=mutation{volumeDelete(volumeId:\"v\")}' ", url),
           absl::StrCat("curl -H 'Content-Type: application/graphql' -d 'mutation{volumeDelete(volumeId:\"v\")}' ",
                        url),
           absl::StrCat("bash -c \"curl -d '{\\\"query\\\":\\\"mutation{volumeDelete(volumeId:1)}\\\"}' ", url, "\""),
           absl::StrCat("wget -qO- --post-data='{\"query\":\"", query, "\"}' ", url),
           absl::StrCat("curl ", url, " -d '{\"query\":\"# x\\nmutation { ...f } fragment f on Mutation ",
                        "{ volumeDelete(volumeId: 1) }\"}'"),
       }) {
    const CheckResult result = Run(command);
    EXPECT_EQ(VerdictWord(result.judgement.verdict()), "hold") << command;
    EXPECT_EQ(result.judgement.rule(), "http.railway-volume-delete") << command;
  }
  EXPECT_EQ(Verdict(absl::StrCat("echo '{}' | curl -d @- ", url)), "hold") << "a body that nobody sees";
  EXPECT_EQ(Verdict(absl::StrCat("curl ", url, " -d '{\"query\":\"{ me { id } }\"}'")), "allow");
}

TEST_F(CheckTest, ALineThatIsNoShellIsABlindSpot) {
  const CheckResult result = Run("echo 'open");
  EXPECT_THAT(result.blind_spots, testing::Contains(HasSubstr("not understood")));
  EXPECT_EQ(VerdictWord(result.judgement.verdict()), "allow");
  // What a shell would run before it stumbles, or another one would run all the same, is judged as far as it is plain.
  EXPECT_EQ(Verdict("git push --force origin main 'open"), "hold");
  EXPECT_EQ(Verdict("echo it's; rm -rf /srv/data"), "hold");
  EXPECT_EQ(Verdict("git push origin topic 'open"), Verdict("git push origin topic"));
}

TEST_F(CheckTest, WhatIsGivenToXargsAndParallelIsJudged) {
  for (const char* command :
       {"echo /srv/data | xargs rm -rf", "echo 'rm -rf /srv/data' | xargs -I{} bash -c {}",
        "echo 'rm -rf /srv/data' | xargs -I% sh -c 'cd /; %'", "echo 'rm -rf /srv/data' | parallel", "parallel ::: ls 'rm -rf /srv/data'",
        "parallel bash -c ::: 'rm -rf /srv/data'", "echo 'rm -rf /srv/data' | parallel bash -c {}", "parallel 'rm -rf /srv/{}' ::: a data",
        "parallel -j2 rm -rf ::: /srv/data", "printf '/srv/data\\0' | xargs -0 rm -rf", "cat list | xargs rm -rf",
        "echo build | xargs -a list rm -rf"}) {
    EXPECT_EQ(Verdict(command), "hold") << command;
  }
  for (const char* command :
       {"echo build | xargs rm -rf", "echo 'rm -rf /srv/data' | xargs -I{} echo bash -c {}", "echo /srv/data | xargs ls",
        "parallel ::: ls pwd", "parallel rm -rf ::: build", "parallel -j2 echo rm -rf ::: /srv/data",
        "echo 'rm -rf /srv/data' | xargs echo"}) {
    EXPECT_EQ(Verdict(command), "allow") << command;
  }
}

TEST_F(CheckTest, RowsAndAnswersHaveTheDocumentedKeys) {
  const auto row =
      ReadCheckRow(R"({"id":7,"argv":["rm","-rf","/srv/data"],"cwd":"/srv/shop","env":{"A":"b"},"label":"x"})");
  ASSERT_TRUE(row.ok()) << row.status();
  EXPECT_THAT(row->environment, testing::ElementsAre("A=b"));
  const CheckResult result = Check(*policy_, *row, CheckOptions{});
  const auto json = nlohmann::json::parse(CheckResultJson(*policy_, *row, result));
  EXPECT_EQ(json["id"], 7);
  EXPECT_EQ(json["verdict"], "hold");
  EXPECT_EQ(json["effect"], "destroy");
  EXPECT_EQ(json["recoverable"], "irreversible");
  EXPECT_EQ(json["rule"], "files.rm");
  EXPECT_EQ(json["resource"]["id"], "/srv/data");
  EXPECT_EQ(json["digest"].get<std::string>().size(), 64u);
  for (const char* key : {"tags", "owners", "reason", "blind_spots"}) EXPECT_TRUE(json.contains(key)) << key;
}

TEST_F(CheckTest, TwoMegabytesOfRowGetOneAnswerOfOrdinarySize) {
  CheckOptions options;
  options.cwd = "/srv/shop";
  CheckRow row;
  row.argv.assign(300'000, "x\xff");
  row.argv[0] = "rm";
  const CheckResult many = Check(*policy_, row, options);
  EXPECT_EQ(many.judgement.verdict(), v1::VERDICT_HOLD);
  EXPECT_THAT(many.blind_spots, Contains(HasSubstr("others are unseen")));
  EXPECT_LT(CheckResultJson(*policy_, row, many).size(), 64u << 10);
  row.argv = {"frob", "db", std::string(2 << 20, '\xc3'), "delete"};
  EXPECT_LT(CheckResultJson(*policy_, row, Check(*policy_, row, options)).size(), 64u << 10);
}

TEST_F(CheckTest, ABadRowSaysWhatIsWrong) {
  for (const auto& [line, says] : std::vector<std::pair<std::string, std::string>>{
           {"[]", "one JSON object"},
           {"{", "one JSON object"},
           {"{\"command\":\"ls \xff\"}", "no UTF-8"},
           {std::string(1 << 20, '['), "one JSON object"},
           {R"({"id":1})", "either argv or command"},
           {R"({"argv":["ls"],"command":"ls"})", "either argv or command"},
           {R"({"argv":"ls"})", "\"argv\": wanted a list"},
           {R"({"argv":[1]})", "\"argv\": wanted a list"},
           {R"({"command":"ls","cwd":"x"})", "\"cwd\": wanted an absolute path"},
           {R"({"command":"ls","env":{"A":1}})", "\"env\": wanted"}}) {
    EXPECT_THAT(std::string(ReadCheckRow(line).status().message()), HasSubstr(says)) << line;
  }
}

}  // namespace
}  // namespace holdpoint
