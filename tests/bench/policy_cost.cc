// What the rules cost as there are more of them: policy_cost [rules...]. Loading, the automata, one evaluation by the
// judge, and one look at an argv as the kernel does it. Rules are generated, on one tool and on many.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/environment/load.h"
#include "agent/judge/test_world.h"
#include "agent/policy/rule_reader.h"
#include "agent/policy/triage.h"

namespace holdpoint {
namespace {

constexpr int kRuns = 5000;

// Letters, so that no two are one word to the automaton.
std::string Word(int number) {
  std::string word;
  for (int i = 0; i < 6; ++i, number /= 26) word.push_back(static_cast<char>('a' + number % 26));
  return word;
}

constexpr char kHead[] = "schema: 1\nfamily: many\nmode: enforce\n";
constexpr int kRulesInPack = 2000;  // of those that a pack may hold

// One pack that describes the tools, and others with the rules.
std::vector<PolicyFile> PacksOf(int rules, int tools) {
  std::vector<PolicyFile> packs;
  std::string described = absl::StrCat(kHead, "tools:\n"), body;
  int in_pack = 0;
  const int each = rules / tools;
  const auto finish = [&] {
    if (in_pack > 0) packs.push_back({absl::StrCat("many-", packs.size(), ".yaml"), absl::StrCat(kHead, "rules:\n", body)});
    body.clear();
    in_pack = 0;
  };
  for (int tool = 0; tool < tools; ++tool) {
    absl::StrAppend(&described, "  - names: [tool-", Word(tool), "]\n    commands:\n");
    for (int i = 0; i < each; ++i) {
      const std::string command = Word(tool * each + i);
      absl::StrAppend(&described, "      - names: [", command, "]\n");
      absl::StrAppend(&body, "  - id: many.", Word(tool), ".", command,
                      "\n    title: t\n    why: w\n    effect: expose\n    resource: {type: x, from: {fixed: y}}\n    when: {tool: tool-",
                      Word(tool), ", command: ", command, "}\n    cases:\n      fires: [{argv: [tool-", Word(tool), ", ", command,
                      "]}]\n      passes: [{argv: [tool-", Word(tool), "]}]\n");
      if (++in_pack == kRulesInPack) finish();
    }
  }
  finish();
  packs.push_back({"many.yaml", described});
  return packs;
}

template <typename What>
double MicrosecondsOf(int runs, What what) {
  const absl::Time began = absl::Now();
  size_t sum = 0;
  for (int i = 0; i < runs; ++i) sum += what();
  if (sum > static_cast<size_t>(runs) * 1000) abort();  // keeps the calls
  return absl::ToDoubleMicroseconds(absl::Now() - began) / runs;
}

void Measure(int rules, int tools) {
  std::vector<PolicyFile> packs = testworld::ShippedPacks();
  const absl::Time began = absl::Now();
  if (rules > 0) {
    for (PolicyFile& pack : PacksOf(rules, tools)) packs.push_back(std::move(pack));
  }
  const auto loaded = LoadPolicy({"", ""}, packs, std::string(32, 'k'));
  if (!loaded.ok()) {
    fprintf(stderr, "%s\n", std::string(loaded.status().message()).c_str());
    exit(1);
  }
  const double load = absl::ToDoubleMilliseconds(absl::Now() - began);
  const absl::Time compiled = absl::Now();
  const Triage triage = Triage::Compile(*(*loaded)->policy, (*loaded)->configuration);
  const double compile = absl::ToDoubleMilliseconds(absl::Now() - compiled);
  const auto act = [](const std::vector<std::string>& argv) {
    ExecAct made;
    made.argv = argv;
    made.executable.path = "/usr/bin/" + argv[0];
    made.cwd = "/srv/shop";
    return made;
  };
  v1::SessionContext session;
  session.set_environment("staging");
  const auto evaluate = [&](const ExecAct& one) {
    const v1::Facts none;
    FactBook book(&none);
    return static_cast<size_t>((*loaded)->policy->Evaluate(one, {(*loaded)->configuration, (*loaded)->fingerprint_key, session, nullptr}, &book).verdict());
  };
  const std::string name = rules > 0 ? "tool-" + Word(0) : "git";
  const ExecAct git = act({"git", "commit", "-m", "a message of some length"});
  const ExecAct many = act({name, "not-a-command", "--with", "some", "words"});
  const std::string raw("tool\0not-a-command\0--with\0some\0words\0", 37);
  const uint32_t state = triage.StateOf((*loaded)->policy->FindTool(name));
  printf("%6d rules more on %4d tools: load with all cases %6.0f ms, automata %5.0f ms, %6zu states (%.1f MiB), asked always %zu; "
         "evaluate git %5.1f us, a tool of them %5.1f us; 37 bytes of argv %.3f us\n",
         rules, tools, load, compile, triage.table().rows().size(), static_cast<double>(triage.table().rows().size()) * 256 / (1 << 20),
         triage.asked().size(), MicrosecondsOf(kRuns, [&] { return evaluate(git); }),
         MicrosecondsOf(kRuns, [&] { return evaluate(many); }),
         MicrosecondsOf(kRuns * 20, [&] { return static_cast<size_t>(triage.table().Asks(state, raw)); }));
}

}  // namespace
}  // namespace holdpoint

int main(int argc, char** argv) {
  if (argc > 1) {
    for (int i = 1; i < argc; ++i) holdpoint::Measure(atoi(argv[i]), 1);
    return 0;
  }
  holdpoint::Measure(0, 1);
  for (const int rules : {10, 100, 1000, 10000}) {
    holdpoint::Measure(rules, 1);
    if (rules >= 100) holdpoint::Measure(rules, rules / 10);
  }
}
