#include "rules/variants.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace holdpoint {
namespace {

// An option with its value, as words.
struct Unit {
  const OptionSpec* spec = nullptr;
  std::optional<std::string> value;
};

// One level of a command line: the tool, or a sub-command.
struct Level {
  const CommandModel* model = nullptr;
  std::string name;
  std::vector<Unit> options;
  std::vector<std::string> operands;
  std::vector<std::string> tail;  // from "--" on
};

class Writer {
 public:
  Writer(const ToolModel& tool, std::mt19937* random) : tool_(tool), random_(*random) {}

  bool Read(absl::Span<const std::string> argv) {
    const CommandModel* model = &tool_;
    size_t base = 0;
    while (model != nullptr) {
      Level& level = levels_.emplace_back();
      level.model = model;
      level.name = argv[base];
      const ParsedArgv parsed = ParseArgv(*model->table, argv.subspan(base));
      if (!parsed.unknown.empty() || parsed.missing_value) return false;
      const CommandModel* next = nullptr;
      size_t end = argv.size() - base;
      if (!model->commands.empty() && !parsed.operands.empty()) {
        next = model->FindCommand(parsed.operands[0].value);
        if (next != nullptr) end = parsed.operands[0].index;
      }
      for (const ParsedOption& option : parsed.options) {
        if (option.index >= end) continue;
        const OptionSpec* spec = SpecOf(*model, option.name);
        // A flag with a value is Go's --flag=false: it stays as it is, so the case is left alone.
        if (spec == nullptr || (spec->value == OptionValue::kNone && option.value.has_value())) return false;
        level.options.push_back({spec, option.value});
      }
      if (next == nullptr) {
        const size_t dashes = parsed.dashdash.value_or(end);
        for (const ParsedOperand& operand : parsed.operands) {
          if (operand.index < dashes) level.operands.push_back(operand.value);
        }
        for (size_t i = dashes; i < end; ++i) level.tail.push_back(argv[base + i]);
      }
      model = next;
      base += next == nullptr ? 0 : end;
    }
    return true;
  }

  std::vector<std::string> Write() {
    MoveGlobals();
    std::vector<std::string> argv = {levels_[0].name};
    for (size_t i = 0; i < levels_.size(); ++i) {
      Level& level = levels_[i];
      if (i > 0) argv.push_back(Pick(level.model->names));
      const bool mixes = i + 1 == levels_.size() && !level.model->table->style().stop_at_first_operand;
      std::vector<std::vector<std::string>> groups = Groups(level);
      if (!mixes) {
        for (std::vector<std::string>& group : groups) std::move(group.begin(), group.end(), std::back_inserter(argv));
        std::move(level.operands.begin(), level.operands.end(), std::back_inserter(argv));
      } else {
        Mix(std::move(groups), level.operands, &argv);
      }
      std::move(level.tail.begin(), level.tail.end(), std::back_inserter(argv));
    }
    return argv;
  }

 private:
  static const OptionSpec* SpecOf(const CommandModel& model, const std::string& name) {
    for (const OptionSpec& spec : model.options) {
      if (spec.names[0] == name) return &spec;
    }
    return nullptr;
  }

  bool Coin() { return random_() % 2 == 0; }

  const std::string& Pick(const std::vector<std::string>& names) { return names[random_() % names.size()]; }

  // Behind the sub-command a tool's own options mean the same, where it takes them there.
  void MoveGlobals() {
    if (tool_.globals_first) return;
    for (size_t i = 0; i + 1 < levels_.size(); ++i) {
      std::vector<Unit> stay;
      for (Unit& unit : levels_[i].options) {
        const OptionSpec* below = SpecOf(*levels_[i + 1].model, unit.spec->names[0]);
        const bool same = below != nullptr && below->value == unit.spec->value && below->names == unit.spec->names;
        if (!same || !Coin()) {
          stay.push_back(std::move(unit));
        } else {
          levels_[i + 1].options.push_back({below, std::move(unit.value)});
        }
      }
      levels_[i].options = std::move(stay);
    }
  }

  // The words of the options, in any order unless one stands twice; short flags may share a word.
  std::vector<std::vector<std::string>> Groups(const Level& level) {
    std::vector<Unit> units = level.options;
    std::set<const OptionSpec*> kinds;
    for (const Unit& unit : units) kinds.insert(unit.spec);
    if (kinds.size() == units.size()) std::shuffle(units.begin(), units.end(), random_);
    const OptionTable& table = *level.model->table;
    std::vector<std::vector<std::string>> groups;
    bool bundle = false;  // the last group is short flags
    for (const Unit& unit : units) {
      std::vector<std::string> words = Words(table, unit);
      const bool is_short_flag = unit.spec->value == OptionValue::kNone && words.size() == 1 && words[0].size() == 2 &&
                                 !table.style().single_dash_long;
      if (is_short_flag && bundle && Coin()) {
        groups.back()[0].push_back(words[0][1]);
      } else {
        groups.push_back(std::move(words));
        bundle = is_short_flag;
      }
    }
    return groups;
  }

  std::string LongName(const OptionTable& table, const OptionSpec& spec, const std::string& name) {
    if (!table.style().abbreviations || Coin()) return name;
    for (size_t length = 2; length < name.size(); ++length) {
      const std::string shorter = name.substr(0, length);
      const OptionSpec* found = table.FindLong(shorter);
      if (found != nullptr && found->names == spec.names) return shorter;
    }
    return name;
  }

  std::vector<std::string> Words(const OptionTable& table, const Unit& unit) {
    const std::string& name = Pick(unit.spec->names);
    const bool go = table.style().single_dash_long;
    if (name.size() == 1) {
      const std::string dashed = absl::StrCat("-", name);
      if (!unit.value.has_value()) return {dashed};
      const bool must = unit.spec->value == OptionValue::kOptional;  // attached or none at all
      if (go) return must ? std::vector<std::string>{absl::StrCat(dashed, "=", *unit.value)} : std::vector<std::string>{dashed, *unit.value};
      if (!unit.value->empty() && (must || Coin())) return {absl::StrCat(dashed, *unit.value)};
      return {dashed, *unit.value};
    }
    const std::string dashed = absl::StrCat(go && Coin() ? "-" : "--", LongName(table, *unit.spec, name));
    if (!unit.value.has_value()) return {dashed};
    if (unit.spec->value == OptionValue::kOptional || Coin()) return {absl::StrCat(dashed, "=", *unit.value)};
    return {dashed, *unit.value};
  }

  // Operands keep their order.
  void Mix(std::vector<std::vector<std::string>> groups, const std::vector<std::string>& operands,
           std::vector<std::string>* argv) {
    size_t group = 0, operand = 0;
    while (group < groups.size() || operand < operands.size()) {
      const bool take_option = operand == operands.size() || (group < groups.size() && Coin());
      if (take_option) {
        std::move(groups[group].begin(), groups[group].end(), std::back_inserter(*argv));
        ++group;
      } else {
        argv->push_back(operands[operand++]);
      }
    }
  }

  const ToolModel& tool_;
  std::mt19937& random_;
  std::vector<Level> levels_;
};

}  // namespace

std::optional<std::vector<std::string>> WriteOtherwise(const ToolModel& tool, absl::Span<const std::string> argv,
                                                       std::mt19937* random) {
  if (argv.empty() || tool.syntax == ToolModel::Syntax::kFind || tool.requests != ToolModel::Requests::kNone) {
    return std::nullopt;
  }
  Writer writer(tool, random);
  if (!writer.Read(argv)) return std::nullopt;
  return writer.Write();
}

std::string Quoted(absl::Span<const std::string> argv) {
  return absl::StrJoin(argv, " ", [](std::string* out, const std::string& word) {
    absl::StrAppend(out, "'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
  });
}

}  // namespace holdpoint
