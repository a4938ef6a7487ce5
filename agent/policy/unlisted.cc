#include "agent/policy/unlisted.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxCommandWords = 4;  // that are no option's value
constexpr size_t kMaxWordLength = 64;

const ToolModel& Nobody() {
  static const ToolModel* const model = [] {
    auto* made = new ToolModel();
    made->names = {""};  // Every tool has a first name.
    return made;
  }();
  return *model;
}

// Letters and digits with "-", "_" and ":" between, from a letter on.
bool LooksLikeCommand(absl::string_view word) {
  if (word.empty() || word.size() > kMaxWordLength || !absl::ascii_isalpha(static_cast<unsigned char>(word[0]))) {
    return false;
  }
  return std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == ':';
  });
}

// "delete-cluster", "apps:destroy", "deleteDBCluster": the parts, in lower case.
std::vector<std::string> Parts(absl::string_view word) {
  std::vector<std::string> parts(1);
  for (size_t i = 0; i < word.size(); ++i) {
    const auto c = static_cast<unsigned char>(word[i]);
    if (!absl::ascii_isalnum(c)) {
      parts.emplace_back();
      continue;
    }
    const bool after_small = i > 0 && absl::ascii_islower(static_cast<unsigned char>(word[i - 1]));
    const bool before_small = i + 1 < word.size() && absl::ascii_islower(static_cast<unsigned char>(word[i + 1]));
    if (absl::ascii_isupper(c) && i > 0 && (after_small || before_small) && !parts.back().empty()) parts.emplace_back();
    parts.back().push_back(absl::ascii_tolower(c));
  }
  parts.erase(std::remove(parts.begin(), parts.end(), ""), parts.end());
  return parts;
}

// The first part, the last one, and the second one where the first says only how.
bool HasVerb(const UnlistedTest& test, const std::vector<std::string>& parts) {
  constexpr std::array<absl::string_view, 6> kHow = {"batch", "bulk", "mass", "force", "permanently", "schedule"};
  const auto is_verb = [&](const std::string& part) {
    return std::find(test.verbs.begin(), test.verbs.end(), part) != test.verbs.end();
  };
  if (parts.empty()) return false;
  if (is_verb(parts.front()) || is_verb(parts.back())) return true;
  return parts.size() > 1 && std::find(kHow.begin(), kHow.end(), parts.front()) != kHow.end() && is_verb(parts[1]);
}

bool OptionSpeaks(const UnlistedTest& test, const ParsedOption& option) {
  constexpr std::array<absl::string_view, 8> kNot = {"no", "not", "never", "skip", "without", "keep", "if", "cap"};
  if (option.name.size() > kMaxWordLength || option.value == "false") return false;
  const std::vector<std::string> parts = Parts(option.name);
  return !parts.empty() && std::find(kNot.begin(), kNot.end(), parts.front()) == kNot.end() && HasVerb(test, parts);
}

// "Delete" alone is a key or the first word of a sentence; "delete" and "DELETE" are commands.
bool IsWrittenAsCommand(absl::string_view word) {
  const auto lower = [](char c) { return absl::ascii_islower(static_cast<unsigned char>(c)); };
  return std::all_of(word.begin(), word.end(), lower) || std::none_of(word.begin(), word.end(), lower);
}

}  // namespace

ToolCall ParseUnlisted(absl::Span<const std::string> argv) {
  ToolCall call;
  call.tool = &Nobody();
  call.level = call.tool;
  for (size_t i = 1; i < argv.size(); ++i) {
    absl::string_view word = argv[i];
    if (call.dashdash.has_value() || word.size() < 2 || word[0] != '-') {
      call.operands.push_back({argv[i], i});
      continue;
    }
    if (word == "--") {
      call.dashdash = i;
      continue;
    }
    word.remove_prefix(absl::StartsWith(word, "--") ? 2 : 1);
    const size_t equals = word.find('=');
    ParsedOption option{.name = std::string(word.substr(0, equals)), .value = std::nullopt, .index = i};
    if (equals != word.npos) option.value = std::string(word.substr(equals + 1));
    call.options.push_back(std::move(option));
  }
  return call;
}

bool Speaks(const UnlistedTest& test, const ToolCall& call) {
  if (test.options && std::any_of(call.options.begin(), call.options.end(),
                                  [&](const ParsedOption& option) { return OptionSpeaks(test, option); })) {
    return true;
  }
  size_t counted = 0, seen = 0;
  size_t next_option = 0;  // in call.options, which are in order
  for (const ParsedOperand& operand : call.operands) {
    if (call.dashdash.has_value() && operand.index > *call.dashdash) return false;
    while (next_option < call.options.size() && call.options[next_option].index + 1 < operand.index) ++next_option;
    const bool may_be_value = next_option < call.options.size() &&
                              call.options[next_option].index + 1 == operand.index &&
                              !call.options[next_option].value.has_value();
    if (!LooksLikeCommand(operand.value)) {
      if (!may_be_value) return false;
      continue;
    }
    if (!may_be_value && ++counted > kMaxCommandWords) return false;
    const std::vector<std::string> parts = Parts(operand.value);
    const bool has_noun = seen > 0 || parts.size() > 1;
    ++seen;
    if (parts.empty() || (test.noun && !has_noun) || (parts.size() == 1 && !IsWrittenAsCommand(operand.value))) continue;
    if (HasVerb(test, parts)) return true;
  }
  return false;
}

}  // namespace holdpoint
