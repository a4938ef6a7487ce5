#include "agent/policy/triage.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/sha256.h"
#include "agent/policy/needs.h"
#include "agent/policy/paths.h"
#include "agent/policy/tool_credentials.h"

namespace holdpoint {
namespace {

// From this length on a verb is looked for inside other words as well: few words hold one.
constexpr size_t kLongVerb = 5;

// Of which one may stand in any argv, in any place and form.
bool KnowsCredentials(const Configuration& configuration) {
  return std::any_of(configuration.credentials.begin(), configuration.credentials.end(), [](const CredentialConfig& each) {
    return !each.fingerprints.empty() || !each.variables.empty();
  });
}

void Names(const std::vector<OptionSpec>& options, bool single_dash, ArgvPatterns* patterns) {
  for (const OptionSpec& spec : options) {
    std::set<std::string>& to = spec.value == OptionValue::kRequired ? patterns->valued : patterns->flags;
    for (const std::string& name : spec.names) to.insert(absl::StrCat(name.size() == 1 || single_dash ? "-" : "--", name));
  }
}

// The words that must stand where, for what no literal shows: an alias, program text on standard input.
void SetShape(const ToolModel& tool, ArgvPatterns* patterns) {
  using Shape = ArgvPatterns::Shape;
  if (tool.git_aliases) {
    patterns->shape = Shape::kCommand;
    patterns->allowed.insert(tool.known.begin(), tool.known.end());
    for (const CommandModel& command : tool.commands) patterns->allowed.insert(command.names.begin(), command.names.end());
    Names(tool.options, tool.style.single_dash_long, patterns);
  } else if (tool.wraps.flag_text.size() == 1) {
    patterns->shape = Shape::kFlagText;
    patterns->flag = tool.wraps.flag_text[0];
    for (const OptionSpec& spec : tool.options) {
      if (spec.value != OptionValue::kNone) continue;
      for (const std::string& name : spec.names) {
        if (name.size() == 1 && name != "s") patterns->short_flags += name;
      }
    }
  }
}

// Why this tool is asked about whatever it is given; empty where literals decide.
std::string AskedBecause(const ToolModel& tool, const Configuration& configuration) {
  if (tool.wraps.applet) return "many programs in one";
  if (tool.requests != ToolModel::Requests::kNone) return "sends requests";
  if (tool.script.has_value()) return "runs scripts of any name";
  if (tool.ReadsBeyondArguments()) return "reads, or starts, what is not in its arguments";
  if (tool.style.ignore_case) return "options in any case";
  if (tool.wraps.flag_text.size() > 1) return "reads program text";
  if (MayCarryCredentials(tool)) return "takes credentials from its environment";
  // Who only starts others uses none.
  if (!tool.wraps.any() && KnowsCredentials(configuration)) return "credentials are known, which may be in any word";
  return "";
}

// Whether what it is given may be the words of a program that no pack describes: a sub-command that it does not have, or
// those of a script, whose interpreter it may be. What a shell starts has an exec of its own.
bool MayBeUnlisted(const ToolModel& tool) {
  if (tool.git_aliases) return false;
  return tool.wraps.flag_text.empty() || !tool.commands.empty() || !tool.known.empty();
}

}  // namespace

ArgvPatterns UnlistedPatterns(const Policy& policy) {
  ArgvPatterns patterns;
  for (const std::string& word : policy.UnlistedWords()) {
    (word.size() >= kLongVerb ? patterns.parts : patterns.verbs).insert(word);
  }
  return patterns;
}

void Triage::AddTool(const ToolModel& tool, const std::vector<const Rule*>& rules, const Configuration& configuration,
                     const TriageBounds& bounds, const std::string& without) {
  std::string because = AskedBecause(tool, configuration);
  if (because.empty() && !asks_all_.empty()) because = absl::StrCat(asks_all_, " is about every program");
  ArgvPatterns patterns;
  for (const Rule* rule : rules) {
    if (!because.empty()) break;
    const std::optional<ArgvPatterns> needed = NeededFor(rule->call, tool);
    if (!needed.has_value()) because = absl::StrCat(rule->id, " fires on any argument");
    if (needed.has_value()) patterns.Add(*needed);
  }
  if (because.empty()) {
    if (MayBeUnlisted(tool)) patterns.Add(unlisted_patterns_);
    patterns.Add(everywhere_);
    SetShape(tool, &patterns);
    patterns.Remove(without);
    const std::optional<uint32_t> state = table_.Add(patterns, bounds.states_per_tool, bounds.rows);
    if (state.has_value()) states_[&tool] = *state;
    if (!state.has_value()) because = "too many literals";
  }
  if (!because.empty()) asked_.push_back(absl::StrCat(tool.names[0], ": ", because));
  patterns_[&tool] = std::move(patterns);
}

void Triage::Seal() {
  std::string all;
  for (const AutomatonTable::Row& row : table_.rows()) {
    all.append(reinterpret_cast<const char*>(row.data()), sizeof(row));
  }
  const Sha256Digest digest = Sha256(all);
  std::memcpy(&id_, digest.data(), sizeof(id_));
  id_ |= 1;
}

Triage Triage::Compile(const Policy& policy, const Configuration& configuration, const TriageBounds& bounds) {
  Triage triage;
  std::map<const ToolModel*, std::vector<const Rule*>> rules;
  for (const Rule& rule : policy.rules()) {
    for (const std::string& name : rule.tools) {
      std::vector<const Rule*>& of_tool = rules[policy.FindTool(name)];
      if (of_tool.empty() || of_tool.back() != &rule) of_tool.push_back(&rule);
    }
  }
  triage.Begin(policy);
  if (triage.asks_all_.empty()) {
    ArgvPatterns unseen = triage.unlisted_patterns_;
    unseen.Add(triage.everywhere_);
    triage.unlisted_ = triage.table_.Add(unseen, bounds.states_per_tool, bounds.rows).value_or(AutomatonTable::kAsk);
  }
  // Should there be no room for all: what ordinary work starts most comes first.
  std::vector<const ToolModel*> tools;
  for (const ToolModel& tool : policy.tools()) tools.push_back(&tool);
  std::stable_partition(tools.begin(), tools.end(), [](const ToolModel* tool) {
    return tool->git_aliases || tool->script.has_value() || tool->wraps.any();
  });
  for (const ToolModel* tool : tools) triage.AddTool(*tool, rules[tool], configuration, bounds, "");
  triage.Seal();
  return triage;
}

Triage Triage::CompileWithout(const Policy& policy, const Configuration& configuration, const ToolModel& tool,
                              const std::string& literal) {
  Triage triage;
  triage.Begin(policy);
  std::vector<const Rule*> rules;
  for (const Rule& rule : policy.rules()) {
    for (const std::string& name : rule.tools) {
      if (policy.FindTool(name) == &tool && (rules.empty() || rules.back() != &rule)) rules.push_back(&rule);
    }
  }
  triage.AddTool(tool, rules, configuration, TriageBounds{}, literal);
  triage.Seal();
  return triage;
}

void Triage::Begin(const Policy& policy) {
  unlisted_patterns_ = UnlistedPatterns(policy);
  for (const Rule* rule : policy.SigmaRules(SigmaRule::Category::kProcess)) {
    const std::optional<SigmaRule::Needed> needed = rule->sigma->NeededFor();
    if (!needed.has_value() || !needed->names.empty()) {  // A file may have several names.
      asks_all_ = rule->id;
      return;
    }
    everywhere_.Add(needed->patterns);
  }
}

uint32_t Triage::StateOf(const ToolModel* tool) const {
  const auto it = states_.find(tool);
  return it == states_.end() ? AutomatonTable::kAsk : it->second;
}

Triage::FileClass Triage::ClassOfFile(const Policy& policy, const std::vector<std::string>& names,
                                      absl::string_view path) const {
  const std::string name(BaseName(path));
  // By its name alone it is a tool only under this one of its names.
  if (!asks_all_.empty() || (names.empty() && policy.FindTool(name) != nullptr)) return {};
  std::set<const ToolModel*> tools;
  for (const std::string& each : names) tools.insert(policy.FindTool(each));
  tools.erase(nullptr);
  if (tools.size() > 1) return {};
  if (!tools.empty()) return {.harmless = false, .state = StateOf(*tools.begin())};
  ExecAct bare;
  bare.executable.path = std::string(path);
  bare.executable.known_as = names;
  bare.argv = {name};
  return {.harmless = !policy.DependsOnArguments(bare), .state = unlisted_};
}

std::vector<std::string> Triage::LiteralsOf(const ToolModel* tool) const {
  std::vector<std::string> literals;
  const auto it = patterns_.find(tool);
  if (it == patterns_.end() || StateOf(tool) == AutomatonTable::kAsk) return literals;
  const ArgvPatterns& p = it->second;
  for (const auto* set : {&p.words, &p.option_words, &p.beginnings, &p.parts, &p.verbs}) {
    literals.insert(literals.end(), set->begin(), set->end());
  }
  for (const char letter : p.letters) literals.emplace_back(1, letter);
  return literals;
}

}  // namespace holdpoint
