#include "agent/policy/git_alias.h"

#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/parse/shell_words.h"

namespace holdpoint {
namespace {

constexpr int kMaxRounds = 5;
constexpr int kMaxVariables = 256;

using Aliases = std::map<std::string, std::string>;

// "alias.NAME" with NAME lower case, as git compares names of variables.
void Add(absl::string_view key, absl::string_view value, Aliases* aliases) {
  const std::string lower = absl::AsciiStrToLower(key);
  if (absl::StartsWith(lower, "alias.")) (*aliases)[lower.substr(6)] = std::string(value);
}

std::string Variable(const ExecAct& act, absl::string_view name) {
  for (const std::string& word : act.environment) {
    if (word.size() > name.size() && word[name.size()] == '=' && absl::StartsWith(word, name)) {
      return word.substr(name.size() + 1);
    }
  }
  return "";
}

// From the mildest to the strongest source.
Aliases Collect(const ToolCall& call, const ExecAct& act, const v1::GitFact* git) {
  Aliases aliases;
  if (git != nullptr) {
    for (const auto& [name, value] : git->aliases()) aliases[absl::AsciiStrToLower(name)] = value;
  }
  for (int i = 0; i < kMaxVariables; ++i) {
    const std::string key = Variable(act, absl::StrCat("GIT_CONFIG_KEY_", i));
    if (key.empty()) break;
    Add(key, Variable(act, absl::StrCat("GIT_CONFIG_VALUE_", i)), &aliases);
  }
  for (const ParsedOption& option : call.options) {
    if (option.name != "c" || !option.value.has_value()) continue;
    const size_t equals = option.value->find('=');
    if (equals != std::string::npos) Add(option.value->substr(0, equals), option.value->substr(equals + 1), &aliases);
  }
  return aliases;
}

}  // namespace

GitAliasResult ExpandGitAlias(const ToolCall& call, const ToolModel& git, const std::vector<std::string>& argv,
                              const ExecAct& act, FactBook* facts) {
  GitAliasResult result;
  const v1::GitFact* fact = facts->Git();
  if (fact == nullptr || !fact->problem().empty()) result.blind_spot = "git aliases unseen";
  const Aliases aliases = Collect(call, act, fact);
  std::vector<std::string> words = argv;
  ToolCall current = call;
  for (int round = 0; round < kMaxRounds && !current.unknown_command.empty(); ++round) {
    const auto alias = aliases.find(absl::AsciiStrToLower(current.unknown_command));
    if (alias == aliases.end() || absl::StartsWith(alias->second, "!") || current.operands.empty()) break;
    const size_t at = current.operands[0].index;
    const absl::StatusOr<ShellScript> text = SplitShell(alias->second);
    if (!text.ok() || text->commands.empty() || at >= words.size()) {
      result.blind_spot = "git alias not understood";
      break;
    }
    const std::vector<std::string>& expansion = text->commands[0].argv;
    words.erase(words.begin() + static_cast<ptrdiff_t>(at));
    words.insert(words.begin() + static_cast<ptrdiff_t>(at), expansion.begin(), expansion.end());
    result.argv = words;
    current = ParseToolCall(git, words);
  }
  return result;
}

}  // namespace holdpoint
