// What triage passes without asking, the policy does not stop: over the cases of every rule, variants of them, and where
// HP_CORPUS_DIR names a folder, the command lines there.
#include "agent/policy/triage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/environment/fingerprint.h"
#include "agent/environment/load.h"
#include "agent/judge/loaded_policy.h"
#include "agent/policy/cases.h"
#include "agent/policy/paths.h"
#include "agent/policy/unwrap.h"

namespace holdpoint {
namespace {

using Argv = std::vector<std::string>;

std::string Raw(const Argv& argv) {
  std::string raw;
  for (const std::string& word : argv) raw.append(word).push_back('\0');
  return raw;
}

// Every pack that ships.
std::vector<PolicyFile> AllPacks() {
  std::vector<PolicyFile> files;
  const char* source = getenv("HP_SOURCE_DIR");
  for (const auto& entry : std::filesystem::directory_iterator(absl::StrCat(source == nullptr ? "." : source, "/rules"))) {
    if (entry.path().extension() != ".yaml") continue;
    std::ifstream in(entry.path());
    files.push_back({entry.path().filename().string(), std::string(std::istreambuf_iterator<char>(in), {})});
  }
  std::sort(files.begin(), files.end(), [](const PolicyFile& a, const PolicyFile& b) { return a.name < b.name; });
  return files;
}

class TriageTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto loaded = LoadPolicy({"holdpoint.yaml", ""}, AllPacks(), std::string(32, 'k'));
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    loaded_ = new std::shared_ptr<const LoadedPolicy>(*std::move(loaded));
    triage_ = new Triage(Triage::Compile(*policy().policy, policy().configuration));
  }
  static void TearDownTestSuite() {
    delete triage_;
    delete loaded_;
  }
  static const LoadedPolicy& policy() { return **loaded_; }
  static const Triage& triage() { return *triage_; }

  static ExecAct Act(const Argv& argv) {
    ExecAct act;
    act.argv = argv;
    act.executable.path = argv[0].find('/') == std::string::npos ? absl::StrCat("/usr/bin/", argv[0]) : argv[0];
    act.cwd = "/srv/shop";
    act.home = "/home/dev";
    act.uid = 1000;
    act.stdin_kind = "pipe";
    return act;
  }

  // The file of a tool is known by its content, under the name that it is called by.
  static bool Passes(const Triage& triage, const ExecAct& act) {
    std::vector<std::string> names = {std::string(BaseName(act.executable.path))};
    if (policy().policy->FindTool(names[0]) == nullptr) names.clear();
    const Triage::FileClass file = triage.ClassOfFile(*policy().policy, names, act.executable.path);
    return file.harmless || !triage.table().Asks(file.state, Raw(act.argv));
  }

  // The strictest that the policy may say: nothing is known of the host, and everything is production's.
  static v1::Judgement Strictest(const Configuration& configuration, const ExecAct& act) {
    v1::SessionContext session;
    session.set_environment("production");
    session.set_workspace("/srv/shop");
    session.set_home("/home/dev");
    session.set_uid(1000);
    const GivenTags given{.destination = "production", .credential = "", .resource = "production"};
    const v1::Facts none;
    FactBook book(&none);
    return policy().policy->Evaluate(act, {configuration, policy().fingerprint_key, session, &given}, &book);
  }

  static std::string Passed(const Triage& triage, const Argv& argv) {
    if (argv.empty()) return "";
    ExecAct act = Act(argv);
    if (!Passes(triage, act)) return "";
    // As the judge has it: known by its content, where it is a tool.
    if (const std::string name(BaseName(act.executable.path)); policy().policy->FindTool(name) != nullptr) {
      act.executable.known_as = {name};
    }
    const v1::Judgement judgement = Strictest(policy().configuration, act);
    if (judgement.verdict() <= v1::VERDICT_ALLOW) return "";
    return absl::StrCat(absl::StrJoin(argv, " "), ": passed, and ", judgement.rule(), " says ",
                        v1::Verdict_Name(judgement.verdict()));
  }

  static std::shared_ptr<const LoadedPolicy>* loaded_;
  static Triage* triage_;
};
std::shared_ptr<const LoadedPolicy>* TriageTest::loaded_ = nullptr;
Triage* TriageTest::triage_ = nullptr;

// The same act in other words, and words that make it another one.
std::vector<Argv> Variants(const Argv& argv, const std::vector<std::string>& pool, std::mt19937& random) {
  std::vector<Argv> variants = {argv};
  const auto pick = [&random](size_t size) { return static_cast<size_t>(random() % size); };
  Argv shuffled = argv;
  std::shuffle(shuffled.begin() + 1, shuffled.end(), random);
  variants.push_back(shuffled);
  for (size_t i = 1; i < argv.size(); ++i) {
    const std::string& word = argv[i];
    if (word.size() > 4 && word.compare(0, 2, "--") == 0) {
      Argv shorter = argv;
      shorter[i].resize(word.find('=') == std::string::npos ? word.size() - 1 - pick(word.size() - 3) : word.size());
      variants.push_back(shorter);
      if (i + 1 < argv.size() && word.find('=') == std::string::npos) {
        Argv joined = argv;
        joined[i] = absl::StrCat(word, "=", argv[i + 1]);
        joined.erase(joined.begin() + static_cast<ptrdiff_t>(i) + 1);
        variants.push_back(joined);
      }
      Argv single = argv;
      single[i] = word.substr(1);
      variants.push_back(single);
    } else if (word.size() > 2 && word[0] == '-') {
      Argv bundled = argv;
      std::shuffle(bundled[i].begin() + 1, bundled[i].end(), random);
      variants.push_back(bundled);
      Argv apart = argv;
      apart.erase(apart.begin() + static_cast<ptrdiff_t>(i));
      for (size_t c = 1; c < word.size(); ++c) apart.insert(apart.begin() + 1, std::string("-") + word[c]);
      variants.push_back(apart);
    }
    Argv without = argv;
    without.erase(without.begin() + static_cast<ptrdiff_t>(i));
    variants.push_back(without);
    Argv other = argv;
    other[i] = pool[pick(pool.size())];
    variants.push_back(other);
  }
  for (int round = 0; round < 4; ++round) {
    Argv more = argv;
    more.insert(more.begin() + 1 + static_cast<ptrdiff_t>(pick(more.size())), pool[pick(pool.size())]);
    variants.push_back(more);
  }
  for (const Argv& before : {Argv{"env", "A=b"}, Argv{"sudo", "-u", "root"}, Argv{"timeout", "5"}, Argv{"nice"}, Argv{"xargs"}}) {
    Argv wrapped = before;
    wrapped.insert(wrapped.end(), argv.begin(), argv.end());
    variants.push_back(wrapped);
  }
  variants.push_back({"sh", "-c", absl::StrJoin(argv, " ")});
  Argv absolute = argv;
  absolute[0] = absl::StrCat("/opt/tools/", argv[0]);
  variants.push_back(absolute);
  return variants;
}

TEST_F(TriageTest, NothingThatARuleStopsIsPassedInAnyOfItsForms) {
  std::mt19937 random(20261127);
  std::map<std::string, std::vector<std::string>> pools;
  for (const Rule& rule : policy().policy->rules()) {
    for (const RuleCase& c : rule.cases) {
      std::vector<std::string>& pool = pools[c.argv[0]];
      pool.insert(pool.end(), c.argv.begin(), c.argv.end());
    }
  }
  size_t seen = 0, passed = 0;
  for (const Rule& rule : policy().policy->rules()) {
    for (const RuleCase& c : rule.cases) {
      for (const Argv& argv : Variants(c.argv, pools[c.argv[0]], random)) {
        ++seen;
        passed += Passes(triage(), Act(argv));
        EXPECT_EQ(Passed(triage(), argv), "") << rule.id;
      }
    }
  }
  printf("%zu command lines, %zu of them passed; %zu states; always asked: %s\n", seen, passed,
         triage().table().rows().size(), absl::StrJoin(triage().asked(), "; ").c_str());
  EXPECT_GT(seen, 10'000u);
  EXPECT_GT(passed, 100u);
  // There is room for all tools.
  EXPECT_EQ(std::count_if(triage().asked().begin(), triage().asked().end(),
                          [](const std::string& asked) { return absl::StrContains(asked, "too many literals"); }),
            0);
}

// With all that a case says of the host, its files and its standard input.
TEST_F(TriageTest, NoCaseThatIsStoppedIsPassed) {
  size_t stopped = 0;
  for (const Rule& rule : policy().policy->rules()) {
    for (const RuleCase& c : rule.cases) {
      ExecAct act = ActOf(c);
      if (!c.fires) continue;
      const auto judgement = JudgeInCase(*policy().policy, rule, c, act);
      ASSERT_TRUE(judgement.ok()) << judgement.status();
      if (judgement->verdict() <= v1::VERDICT_ALLOW) continue;
      ++stopped;
      EXPECT_FALSE(Passes(triage(), act)) << rule.id << ": " << absl::StrJoin(c.argv, " ");
    }
  }
  EXPECT_GT(stopped, 500u);
}

// What a tool reads from elsewhere no literal of its argv shows.
TEST_F(TriageTest, AToolThatReadsMoreThanItsArgumentsIsAsked) {
  for (const Argv& argv : std::vector<Argv>{{"psql"}, {"sqlite3", "x.db"}, {"mysql", "shop"}, {"ssh", "host"}, {"docker", "exec", "c", "ls"},
                                            {"kubectl", "exec", "p", "--", "ls"}, {"at", "now"}, {"python3", "x.py"}, {"node", "x.js"}}) {
    EXPECT_FALSE(Passes(triage(), Act(argv))) << absl::StrJoin(argv, " ");
  }
  for (const ToolModel& tool : policy().policy->tools()) {
    if (!tool.ReadsBeyondArguments()) continue;
    EXPECT_EQ(triage().StateOf(&tool), AutomatonTable::kAsk) << tool.names[0];
  }
}

// Every literal stands for a command line that would be passed without it.
TEST_F(TriageTest, ALiteralThatIsMissingLetsSomethingThrough) {
  size_t literals = 0, shown = 0;
  for (const char* name : {"git", "helm", "npm", "cargo", "systemctl"}) {
    const ToolModel* tool = policy().policy->FindTool(name);
    if (tool == nullptr || triage().StateOf(tool) == AutomatonTable::kAsk) continue;
    size_t of_tool = 0;
    for (const std::string& literal : triage().LiteralsOf(tool)) {
      const Triage less = Triage::CompileWithout(*policy().policy, policy().configuration, *tool, literal);
      ++literals;
      bool through = false;
      for (const Rule& rule : policy().policy->rules()) {
        for (const RuleCase& c : rule.cases) {
          through = through || (policy().policy->FindTool(c.argv[0]) == tool && !Passed(less, c.argv).empty());
        }
      }
      of_tool += through;
    }
    EXPECT_GT(of_tool, 0u) << name << ": no literal of it matters to any case";
    shown += of_tool;
  }
  printf("%zu literals, for %zu of them a case shows what they stop\n", literals, shown);
  EXPECT_GT(shown, 10u);
}

TEST_F(TriageTest, OrdinaryWorkPasses) {
  for (const Argv& argv : std::vector<Argv>{{"ls", "-la"},
                                            {"git", "status"},
                                            {"git", "--no-pager", "diff", "--stat"},
                                            {"git", "-C", "/srv/shop", "log", "-p"},
                                            {"git", "commit", "-m", "remove the old parser"},
                                            {"sh", "-c", "make -j4"},
                                            {"bash", "-lc", "cd src && cargo build 2>&1 | tail -5"},
                                            {"gcc", "-O2", "-c", "-o", "x.o", "x.c"},
                                            {"find", ".", "-name", "*.py"},
                                            {"sh", "-c", "cat delete.txt"},
                                            {"env", "CI=1", "make"},
                                            {"cat", "README.md"},
                                            {"cp", "-r", "a", "b"},
                                            {"grep", "-rn", "platform", "src"}}) {
    EXPECT_TRUE(Passes(triage(), Act(argv))) << absl::StrJoin(argv, " ");
  }
}

TEST_F(TriageTest, WhatMayLoseSomethingIsAsked) {
  for (const Argv& argv : std::vector<Argv>{{"rm", "x"},
                                            {"git", "push", "--force"},
                                            {"git", "nuke"},
                                            {"git", "-c", "alias.x=reset --hard", "x"},
                                            {"bash"},
                                            {"sh", "script.sh"},
                                            {"python3"},
                                            {"python3", "-m", "pytest"},
                                            {"aws", "s3", "ls"},
                                            {"python3", "-m", "alembic", "upgrade"},
                                            {"node", "/usr/bin/npm", "test"},
                                            {"perl", "x.pl"},
                                            {"python3", "-c", "print()"},
                                            {"curl", "https://example.com"},
                                            {"busybox", "ls"},
                                            {"unheardof", "volume", "delete", "7"},
                                            {"unheardof", "-X", "DELETE"}}) {
    EXPECT_FALSE(Passes(triage(), Act(argv))) << absl::StrJoin(argv, " ");
  }
}

TEST_F(TriageTest, ACredentialOfAnotherEnvironmentIsNotPassed) {
  const std::string secret = "8f3kq9zt";
  auto configuration = LoadConfiguration(
      "c.yaml", absl::StrCat("version: 1\ncredentials:\n  - name: prod\n    environment: production\n    fingerprints: [\"",
                             Fingerprint(policy().fingerprint_key, secret), "\"]\n"));
  ASSERT_TRUE(configuration.ok()) << configuration.status();
  const Triage careful = Triage::Compile(*policy().policy, *configuration);
  const ExecAct act = Act({"git", "fetch", absl::StrCat("https://x:", secret, "@example.com/r.git")});
  EXPECT_TRUE(Passes(triage(), act));
  EXPECT_FALSE(Passes(careful, act));
  EXPECT_FALSE(Passes(careful, Act({"git", "log", secret})));
  // Who only starts others uses none.
  EXPECT_TRUE(Passes(careful, Act({"env", "make"})));
}

// A variable that the tool reads is in no argv.
TEST_F(TriageTest, AToolThatTakesCredentialsFromItsEnvironmentIsAsked) {
  for (const char* tool : {"psql", "aws", "terraform", "gh", "vault"}) {
    EXPECT_FALSE(Passes(triage(), Act({tool, "version"}))) << tool;
  }
}

// By its name alone a file is a tool under that name only; under another one it was taken for none.
TEST_F(TriageTest, AFileThatIsAToolByItsNameAloneIsAsked) {
  EXPECT_EQ(triage().ClassOfFile(*policy().policy, {}, "/srv/shop/git").state, AutomatonTable::kAsk);
  EXPECT_FALSE(triage().ClassOfFile(*policy().policy, {}, "/srv/shop/git").harmless);
  EXPECT_NE(triage().ClassOfFile(*policy().policy, {}, "/srv/shop/app").state, AutomatonTable::kAsk);
}

TEST_F(TriageTest, ASigmaRuleAboutTextsAsksForThemAndOneAboutProgramsForAll) {
  const auto with = [](const std::string& detection) {
    std::vector<PolicyFile> packs = AllPacks();
    packs.push_back({"s.yml", absl::StrCat("title: S\nid: s\nlogsource: {product: linux, category: process_creation}\n"
                                           "detection:\n  s: {", detection, "}\n  condition: s\n")});
    auto loaded = LoadPolicy({"holdpoint.yaml", ""}, packs, std::string(32, 'k'));
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return *std::move(loaded);
  };
  const auto asks = [](const LoadedPolicy& loaded, const std::vector<std::string>& names, const Argv& argv) {
    const Triage triage = Triage::Compile(*loaded.policy, loaded.configuration);
    const Triage::FileClass file = triage.ClassOfFile(*loaded.policy, names, absl::StrCat("/usr/bin/", argv[0]));
    return !file.harmless && triage.table().Asks(file.state, Raw(argv));
  };
  const auto text = with("CommandLine|contains: 'history -c'");
  EXPECT_TRUE(asks(*text, {}, {"app", "HISTORY", "-c"}));
  EXPECT_TRUE(asks(*text, {"git"}, {"git", "status", "history"}));
  EXPECT_FALSE(asks(*text, {}, {"app", "x"}));
  EXPECT_FALSE(asks(*text, {"git"}, {"git", "status"}));
  const auto program = with("Image|endswith: /cat");
  EXPECT_TRUE(asks(*program, {}, {"app", "x"}));
  EXPECT_TRUE(asks(*program, {"git"}, {"git", "status"}));
}

// A file that may be two tools is whichever argv[0] says: nobody knows which automaton to take.
TEST_F(TriageTest, AFileOfSeveralToolsIsAsked) {
  EXPECT_EQ(triage().ClassOfFile(*policy().policy, {"git", "docker"}, "/usr/bin/x").state, AutomatonTable::kAsk);
  EXPECT_EQ(triage().ClassOfFile(*policy().policy, {"python3", "python"}, "/usr/bin/x").state,
            triage().StateOf(policy().policy->FindTool("python3")));
}

TEST_F(TriageTest, PastItsBoundsEverythingIsAsked) {
  const Triage small = Triage::Compile(*policy().policy, policy().configuration, {.states_per_tool = 8, .rows = 64});
  EXPECT_FALSE(Passes(small, Act({"git", "status"})));
  EXPECT_FALSE(Passes(small, Act({"unheardof"})));
  EXPECT_NE(std::count_if(small.asked().begin(), small.asked().end(),
                          [](const std::string& asked) { return asked == "git: too many literals"; }),
            0);
}

TEST_F(TriageTest, TheSamePolicyGivesTheSameTableAndAnotherOneAnother) {
  EXPECT_EQ(Triage::Compile(*policy().policy, policy().configuration).id(), triage().id());
  EXPECT_NE(Triage::CompileWithout(*policy().policy, policy().configuration, *policy().policy->FindTool("git"), "").id(),
            triage().id());
}

TEST_F(TriageTest, NothingOfTheCorpusThatIsStoppedIsPassed) {
  const char* folder = getenv("HP_CORPUS_DIR");
  if (folder == nullptr || !std::filesystem::is_directory(folder)) {
    printf("HP_CORPUS_DIR names no folder: no corpus was run\n");
    return;
  }
  size_t acts = 0, passed = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".jsonl") continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      const auto json = nlohmann::json::parse(line, nullptr, false);
      if (!json.is_object()) continue;
      for (const ExecAct& act : SplitCommandLine(json.value("command", ""), Act({"sh"})).acts) {
        if (act.argv.empty() || act.argv[0].empty()) continue;
        ++acts;
        passed += Passes(triage(), Act(act.argv));
        EXPECT_EQ(Passed(triage(), act.argv), "") << json.value("id", "");
      }
    }
  }
  printf("%zu acts, %zu of them passed\n", acts, passed);
  EXPECT_GT(acts, 0u);
}

}  // namespace
}  // namespace holdpoint
