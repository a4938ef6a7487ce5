#include "agent/policy/needs.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace holdpoint {
namespace {

void AddForms(const ToolModel& tool, const CommandModel& level, const std::string& option, ArgvPatterns* out) {
  const ArgvStyle& style = tool.style;
  for (const OptionSpec& spec : level.options) {
    if (spec.names[0] != option) continue;
    for (const std::string& name : spec.names) {
      if (tool.syntax == ToolModel::Syntax::kFind) {
        out->words.insert(absl::StrCat("-", name));
      } else if (name.size() == 1) {
        out->letters += name;
        if (style.single_dash_long) {
          out->option_words.insert(absl::StrCat("-", name));
          out->option_words.insert(absl::StrCat("--", name));
        }
      } else {
        for (size_t size = style.abbreviations ? 1 : name.size(); size <= name.size(); ++size) {
          const std::string begin = name.substr(0, size);
          const OptionSpec* meant = level.table->FindLong(begin);
          if (meant == nullptr || meant->names[0] != option) continue;
          out->option_words.insert(absl::StrCat("--", begin));
          if (style.single_dash_long) out->option_words.insert(absl::StrCat("-", begin));
        }
      }
    }
  }
  for (const CommandModel& command : level.commands) AddForms(tool, command, option, out);
}

// Every name of the last part of a sub-command, "drop" of "stash drop", wherever in the tree it stands.
void AddLastNames(const CommandModel& level, absl::Span<const absl::string_view> path, ArgvPatterns* out) {
  for (const CommandModel& command : level.commands) {
    if (command.names[0] != path[0]) continue;
    if (path.size() == 1) {
      out->words.insert(command.names.begin(), command.names.end());
    } else {
      AddLastNames(command, path.subspan(1), out);
    }
  }
}

// The alternatives among which the one is taken that fewest command lines have.
class Choice {
 public:
  void Offer(ArgvPatterns patterns) {
    // A letter is in many words, a part in more than a word is.
    const size_t weight = patterns.size() + 20 * patterns.letters.size() + 4 * patterns.parts.size();
    if (patterns.empty() || (best_.has_value() && weight >= weight_)) return;
    weight_ = weight;
    best_ = std::move(patterns);
  }
  std::optional<ArgvPatterns> Take() { return std::move(best_); }

 private:
  std::optional<ArgvPatterns> best_;
  size_t weight_ = 0;
};

}  // namespace

ArgvPatterns FormsOf(const ToolModel& tool, const std::string& name) {
  ArgvPatterns forms;
  AddForms(tool, tool, name, &forms);
  return forms;
}

std::optional<ArgvPatterns> NeededFor(const CallTest& test, const ToolModel& tool) {
  Choice choice;
  if (!test.commands.empty()) {
    ArgvPatterns names;
    for (const std::string& command : test.commands) {
      const std::vector<absl::string_view> path = absl::StrSplit(command, ' ');
      AddLastNames(tool, path, &names);
    }
    choice.Offer(std::move(names));
  }
  for (const OptionTest& option : test.options_all) choice.Offer(FormsOf(tool, option.name));
  if (!test.options_any.empty()) {
    ArgvPatterns any;
    for (const OptionTest& option : test.options_any) any.Add(FormsOf(tool, option.name));
    choice.Offer(std::move(any));
  }
  const auto offer_operand = [&choice](const Matcher& matcher) {
    ArgvPatterns one;
    if (matcher.AddNeeded(&one)) choice.Offer(std::move(one));
  };
  if (test.operand_any.has_value()) offer_operand(*test.operand_any);
  for (const auto& [place, matcher] : test.operands_at) offer_operand(matcher);
  if (!test.any_of.empty()) {
    ArgvPatterns any;
    bool each = true;
    for (const CallTest& inner : test.any_of) {
      const std::optional<ArgvPatterns> needed = NeededFor(inner, tool);
      each = each && needed.has_value();
      if (each) any.Add(*needed);
    }
    if (each) choice.Offer(std::move(any));
  }
  return choice.Take();
}

}  // namespace holdpoint
