#include "agent/parse/argv.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace holdpoint {
namespace {

bool IsOptionNameByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > ' ' && byte < 0x7f && c != ',' && c != '=';
}

// One pass over argv; the state of getopt_long.
class Parser {
 public:
  Parser(const OptionTable& table, absl::Span<const std::string> argv) : table_(table), argv_(argv) {}

  ParsedArgv Run() {
    for (at_ = 1; at_ < argv_.size(); ++at_) {
      const absl::string_view word = argv_[at_];
      if (word == "--") {
        result_.dashdash = at_;
        TakeOperandsFrom(at_ + 1);
        break;
      }
      if (word.size() < 2 || word[0] != '-') {
        if (table_.style().stop_at_first_operand) {
          TakeOperandsFrom(at_);
          break;
        }
        result_.operands.push_back({std::string(word), at_});
      } else if (word[1] == '-') {
        TakeLong(word, word.substr(2));
      } else if (table_.style().single_dash_long && (word.size() > 2 || !table_.FindShort(word[1]))) {
        TakeLong(word, word.substr(1));
      } else {
        TakeShorts(word.substr(1));
      }
    }
    return std::move(result_);
  }

 private:
  void TakeOperandsFrom(size_t first) {
    for (size_t i = first; i < argv_.size(); ++i) result_.operands.push_back({argv_[i], i});
  }

  // The next word is the value, whatever it looks like: getopt_long does not look either.
  void TakeValueWord(const OptionSpec& spec, size_t index) {
    if (at_ + 1 < argv_.size()) {
      result_.options.push_back({spec.names.front(), argv_[++at_], index});
    } else {
      result_.options.push_back({spec.names.front(), std::nullopt, index});
      result_.missing_value = true;
    }
  }

  // What starts with a dash is the next option; --no-x is a flag in every tool.
  void TakeUnknown(absl::string_view word, bool has_value) {
    result_.unknown.emplace_back(word);
    if (has_value || !table_.style().unknown_take_value || absl::StartsWith(word, "--no-") || at_ + 1 >= argv_.size()) {
      return;
    }
    const absl::string_view next = argv_[at_ + 1];
    if (next.empty() || next[0] != '-') ++at_;
  }

  void TakeLong(absl::string_view word, absl::string_view body) {
    const size_t index = at_;
    const size_t equals = body.find('=');
    const absl::string_view name = body.substr(0, equals);
    const OptionSpec* spec = table_.FindLong(name);
    if (!spec && table_.style().single_dash_long && name.size() == 1) spec = table_.FindShort(name[0]);
    if (!spec) {
      TakeUnknown(word, equals != body.npos);
    } else if (equals != body.npos) {
      // A flag given a value is an error to getopt_long; Go takes --flag=false. The value is kept for who asks.
      result_.options.push_back({spec->names.front(), std::string(body.substr(equals + 1)), index});
    } else if (spec->value == OptionValue::kRequired) {
      TakeValueWord(*spec, index);
    } else {
      result_.options.push_back({spec->names.front(), std::nullopt, index});
    }
  }

  void TakeShorts(absl::string_view bundle) {
    const size_t index = at_;
    for (size_t i = 0; i < bundle.size(); ++i) {
      const OptionSpec* spec = table_.FindShort(bundle[i]);
      const absl::string_view rest = bundle.substr(i + 1);
      if (!spec) {
        TakeUnknown(absl::StrCat("-", bundle.substr(i, 1)), bundle.size() > 1);
      } else if (spec->value == OptionValue::kNone) {
        result_.options.push_back({spec->names.front(), std::nullopt, index});
      } else if (!rest.empty()) {
        result_.options.push_back({spec->names.front(), std::string(rest), index});
        return;
      } else if (spec->value == OptionValue::kRequired) {
        TakeValueWord(*spec, index);
        return;
      } else {
        result_.options.push_back({spec->names.front(), std::nullopt, index});
      }
    }
  }

  const OptionTable& table_;
  absl::Span<const std::string> argv_;
  size_t at_ = 1;
  ParsedArgv result_;
};

}  // namespace

absl::StatusOr<OptionSpec> ParseOptionSpec(absl::string_view text) {
  OptionSpec spec;
  absl::string_view names = text;
  if (absl::ConsumeSuffix(&names, "=?")) {
    spec.value = OptionValue::kOptional;
  } else if (absl::ConsumeSuffix(&names, "=")) {
    spec.value = OptionValue::kRequired;
  }
  for (absl::string_view name : absl::StrSplit(names, ',')) {
    if (name.empty() || name[0] == '-' || !std::all_of(name.begin(), name.end(), IsOptionNameByte)) {
      return absl::InvalidArgumentError(
          absl::StrCat("option \"", text,
                       "\": want names divided by commas, without dashes, then \"=\" or \"=?\"; got \"", name, "\""));
    }
    spec.names.emplace_back(name);
  }
  return spec;
}

OptionTable::OptionTable(std::vector<OptionSpec> specs, ArgvStyle style) : specs_(std::move(specs)), style_(style) {
  shorts_.fill(-1);
  for (size_t i = 0; i < specs_.size(); ++i) {
    for (const std::string& name : specs_[i].names) {
      if (name.size() == 1) {
        shorts_[static_cast<unsigned char>(name[0])] = static_cast<int>(i);
      } else {
        longs_.emplace(name, static_cast<int>(i));
      }
    }
  }
}

OptionTable OptionTable::FromText(absl::string_view text, ArgvStyle style) {
  std::vector<OptionSpec> specs;
  for (absl::string_view word : absl::StrSplit(text, absl::ByAnyChar(" \t\n"), absl::SkipEmpty())) {
    if (auto spec = ParseOptionSpec(word); spec.ok()) specs.push_back(*std::move(spec));
  }
  return OptionTable(std::move(specs), style);
}

const OptionSpec* OptionTable::FindShort(char letter) const {
  const int i = shorts_[static_cast<unsigned char>(letter)];
  return i < 0 ? nullptr : &specs_[i];
}

const OptionSpec* OptionTable::FindLong(absl::string_view name) const {
  std::string lower;
  if (style_.ignore_case) {
    lower = absl::AsciiStrToLower(name);
    name = lower;
  }
  auto it = longs_.lower_bound(name);
  if (it != longs_.end() && it->first == name) return &specs_[it->second];
  if (!style_.abbreviations || name.empty()) return nullptr;
  // Everything that starts with `name` stands together; two names of one option are no ambiguity.
  const OptionSpec* found = nullptr;
  for (; it != longs_.end() && absl::StartsWith(it->first, name); ++it) {
    const OptionSpec* spec = &specs_[it->second];
    if (found && found != spec) return nullptr;
    found = spec;
  }
  return found;
}

bool ParsedArgv::Has(absl::string_view name) const {
  return std::any_of(options.begin(), options.end(), [&](const ParsedOption& o) { return o.name == name; });
}

const std::string* ParsedArgv::Value(absl::string_view name) const {
  for (auto it = options.rbegin(); it != options.rend(); ++it) {
    if (it->name == name) return it->value ? &*it->value : nullptr;
  }
  return nullptr;
}

std::vector<std::string> ParsedArgv::Values(absl::string_view name) const {
  std::vector<std::string> values;
  for (const ParsedOption& option : options) {
    if (option.name == name && option.value) values.push_back(*option.value);
  }
  return values;
}

std::vector<std::string> ParsedArgv::OperandWords() const {
  std::vector<std::string> words;
  words.reserve(operands.size());
  for (const ParsedOperand& operand : operands) words.push_back(operand.value);
  return words;
}

ParsedArgv ParseArgv(const OptionTable& table, absl::Span<const std::string> argv) { return Parser(table, argv).Run(); }

}  // namespace holdpoint
