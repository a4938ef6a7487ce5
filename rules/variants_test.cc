// Each case of each shipped rule, written otherwise, gets the verdict that it has as it stands: by the words of its tool's
// model, under another path or name, as a script, and through what starts other programs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/judge/check.h"
#include "agent/judge/loaded_policy.h"
#include "agent/policy/cases.h"
#include "agent/policy/paths.h"
#include "rules/variants.h"

namespace holdpoint {
namespace {

// The slow build writes each case in more ways; the seed is the same each time.
#ifdef HP_MANY_VARIANTS
constexpr int kRounds = 40;
constexpr size_t kTextStride = 1;
#else
constexpr int kRounds = 3;
constexpr size_t kTextStride = 4;
#endif

const LoadedPolicy& Shipped() {
  static const auto loaded = [] {
    const char* source = getenv("HP_SOURCE_DIR");
    std::vector<PolicyFile> files;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(source ? source : ".") / "rules")) {
      if (entry.path().extension() != ".yaml") continue;
      std::ifstream in(entry.path());
      std::stringstream text;
      text << in.rdbuf();
      files.push_back({entry.path().filename().string(), text.str()});
    }
    return LoadPolicy({"holdpoint.yaml", ""}, files, std::string(32, 'k'));
  }();
  EXPECT_TRUE(loaded.ok()) << loaded.status().message();
  return **loaded;
}

const ToolModel* ToolOf(const RuleCase& c) { return Shipped().policy->FindTool(BaseName(c.argv[0])); }

std::string Decision(const v1::Judgement& judgement) {
  return absl::StrCat(VerdictWord(judgement.verdict()), " by ", judgement.rule(), " on \"", judgement.resource().id(), "\"");
}

using Each = std::function<void(const Rule& rule, const RuleCase& c, const std::string& as_it_stands)>;

void ForEachCase(const Each& each) {
  for (const Rule& rule : Shipped().policy->rules()) {
    for (const RuleCase& c : rule.cases) {
      const auto judgement = JudgeInCase(*Shipped().policy, rule, c, ActOf(c));
      ASSERT_TRUE(judgement.ok()) << judgement.status().message();
      each(rule, c, Decision(*judgement));
    }
  }
}

void ExpectSame(const Rule& rule, const RuleCase& c, const ExecAct& act, const std::string& as_it_stands) {
  const auto judgement = JudgeInCase(*Shipped().policy, rule, c, act);
  ASSERT_TRUE(judgement.ok()) << judgement.status().message();
  EXPECT_EQ(Decision(*judgement), as_it_stands) << rule.file << ":" << c.line << ": " << RenderArgv(c.argv, 300)
                                                << "\n  written as " << RenderArgv(act.argv, 300);
}

TEST(VariantsTest, OptionsAndSubCommandsMayBeWrittenOtherwise) {
  std::mt19937 random(20261127);
  size_t written = 0, alone = 0, changed = 0;
  ForEachCase([&](const Rule& rule, const RuleCase& c, const std::string& as_it_stands) {
    const ToolModel* tool = ToolOf(c);
    for (int round = 0; tool != nullptr && round < kRounds; ++round) {
      ExecAct act = ActOf(c);
      const auto argv = WriteOtherwise(*tool, c.argv, &random);
      if (!argv.has_value()) {
        ++alone;
        return;
      }
      ++written;
      changed += *argv != c.argv;
      act.argv = *argv;
      ExpectSame(rule, c, act, as_it_stands);
    }
  });
  printf("%zu command lines written otherwise, %zu of them in other words; %zu cases left as they are\n", written, changed, alone);
  EXPECT_GT(changed, 2000u);
  EXPECT_LT(alone * 3, written);
}

TEST(VariantsTest, AProgramIsKnownUnderAnyPathAndName) {
  ForEachCase([&](const Rule& rule, const RuleCase& c, const std::string& as_it_stands) {
    const ToolModel* tool = ToolOf(c);
    if (tool == nullptr || c.argv[0][0] == '/' || c.argv[0] == ">") return;
    ExecAct act = ActOf(c);
    act.executable.path = act.argv[0] = absl::StrCat("/opt/tools/bin/", c.argv[0]);
    ExpectSame(rule, c, act, as_it_stands);
    if (tool->wraps.applet) return;  // It looks at its own name.
    act.executable.path = "/tmp/w/x9";
    act.argv[0] = "./x9";
    act.executable.known_as = {c.argv[0]};
    ExpectSame(rule, c, act, as_it_stands);
  });
}

TEST(VariantsTest, AToolThatIsAScriptIsKnownByTheScript) {
  ForEachCase([&](const Rule& rule, const RuleCase& c, const std::string& as_it_stands) {
    const ToolModel* tool = ToolOf(c);
    if (tool == nullptr || tool->wraps.any() || tool->script.has_value() || c.argv[0][0] == '/' || c.argv[0] == ">") return;
    ExecAct act = ActOf(c);
    act.executable.path = "/usr/bin/awk";  // An interpreter that no rule is about.
    act.script = absl::StrCat("/opt/tools/bin/", c.argv[0]);
    act.argv[0] = act.script;
    act.argv.insert(act.argv.begin(), "awk");
    ExpectSame(rule, c, act, as_it_stands);
  });
}

// By text alone: what starts another program, and what a shell puts around a command.
TEST(VariantsTest, WhatStartsTheProgramChangesNothing) {
  const std::vector<std::vector<std::string>> starters = {
      {"sudo", "-n", "-u", "deploy"}, {"env", "-i", "LC_ALL=C"}, {"timeout", "-k", "5", "60"}, {"nohup"},
      {"nice", "-n", "5"},            {"setsid", "-w"},          {"stdbuf", "-oL"},            {"sudo", "env", "A=1", "nice"}};
  CheckOptions options;
  options.workspace = "/srv/shop";
  options.home = "/home/dev";
  options.uid = 1000;
  size_t number = 0, checked = 0;
  const auto decide = [&](const RuleCase& c, std::vector<std::string> argv, std::string command) {
    CheckRow row;
    row.argv = std::move(argv);
    row.command = std::move(command);
    row.cwd = c.cwd;
    row.environment = c.environment;
    return Decision(Check(Shipped(), row, options).judgement);
  };
  ForEachCase([&](const Rule& rule, const RuleCase& c, const std::string&) {
    if (++number % kTextStride != 0 || c.argv[0] == ">") return;
    const std::string where = absl::StrCat(rule.file, ":", c.line, ": ", RenderArgv(c.argv, 300));
    const std::string plain = decide(c, c.argv, "");
    for (size_t i = 0; i < starters.size(); ++i) {
      if (kTextStride > 1 && i != (number / kTextStride) % starters.size()) continue;
      std::vector<std::string> argv = starters[i];
      argv.insert(argv.end(), c.argv.begin(), c.argv.end());
      EXPECT_EQ(decide(c, argv, ""), plain) << where << "\n  started by " << starters[i][0];
      ++checked;
    }
    const std::string quoted = Quoted(c.argv);
    const std::string text = decide(c, {}, quoted);
    for (const std::string& around : {absl::StrCat("true && ", quoted), absl::StrCat("( ", quoted, " ) &"), absl::StrCat("A=1 ", quoted),
                                      absl::StrCat("bash -c ", Quoted({quoted})), absl::StrCat("if true; then ", quoted, "; fi")}) {
      EXPECT_EQ(decide(c, {}, around), text) << where << "\n  in " << around;
      ++checked;
    }
  });
  printf("%zu command lines in other surroundings\n", checked);
  EXPECT_GT(checked, 2000u);
}

}  // namespace
}  // namespace holdpoint
