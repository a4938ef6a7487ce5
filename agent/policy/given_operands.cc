#include "agent/policy/given_operands.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxItems = 64;

// As xargs does without an option: at blanks and newlines; quotes and backslashes keep them in a word.
std::vector<std::string> Words(absl::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool begun = false;
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        word.push_back(c);
      }
    } else if (absl::ascii_isspace(static_cast<unsigned char>(c))) {
      if (begun) words.push_back(std::exchange(word, ""));
      begun = false;
      continue;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else {
      if (c == '\\' && i + 1 < text.size()) ++i;
      word.push_back(text[i]);
    }
    begun = true;
  }
  if (begun) words.push_back(std::move(word));
  return words;
}

std::vector<std::string> Lines(absl::string_view text) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipWhitespace())) lines.emplace_back(line);
  return lines;
}

// What takes the place of "{}", where something does.
std::string MarkerOf(const Wraps& wraps, const ToolCall& call) {
  std::string marker = wraps.given_behind.empty() ? "" : "{}";
  for (const std::string& option : wraps.replace_options) {
    if (!call.Has(option)) continue;
    const std::string* value = call.Value(option);
    marker = value == nullptr || value->empty() ? "{}" : *value;
  }
  return marker;
}

std::vector<std::string> Filled(const std::vector<std::string>& words, const std::string& marker, const std::string& item) {
  std::vector<std::string> filled;
  bool any = false;
  for (const std::string& word : words) {
    any |= absl::StrContains(word, marker);
    filled.push_back(absl::StrReplaceAll(word, {{marker, item}}));
  }
  if (!any) filled.push_back(item);
  return filled;
}

}  // namespace

std::optional<GivenCommands> CommandsWithGiven(const Wraps& wraps, const ToolCall& call,
                                               const std::optional<std::string>& input) {
  for (const std::string& option : wraps.given_otherwise) {
    if (call.Has(option)) return std::nullopt;
  }
  std::vector<std::string> words;
  for (size_t i = static_cast<size_t>(std::max(wraps.operand, 0)); i < call.operands.size(); ++i) {
    words.push_back(call.operands[i].value);
  }
  const std::string marker = MarkerOf(wraps, call);
  GivenCommands out;
  std::vector<std::string> items;
  const auto behind = wraps.given_behind.empty() ? words.end() : std::find(words.begin(), words.end(), wraps.given_behind);
  if (behind != words.end()) {
    const auto end = std::find_if(behind + 1, words.end(), [&](const std::string& word) { return absl::StartsWith(word, wraps.given_behind); });
    items.assign(behind + 1, end);
    out.cut = end != words.end();
    words.erase(behind, words.end());
  } else if (input.has_value()) {
    items = marker.empty() ? Words(*input) : Lines(*input);
  } else {
    return std::nullopt;
  }
  if (marker.empty()) {
    std::move(items.begin(), items.end(), std::back_inserter(words));
    if (!words.empty()) out.argvs.push_back(std::move(words));
    return out;
  }
  out.cut |= items.size() > kMaxItems;
  items.resize(std::min(items.size(), kMaxItems));
  for (const std::string& item : items) {
    std::vector<std::string> filled = Filled(words, marker, item);
    // parallel gives a shell what it was given as one word.
    if (!wraps.given_behind.empty() && words.size() <= 1) {
      out.texts.push_back(absl::StrCat(filled[0], filled.size() > 1 ? " " : "", filled.size() > 1 ? filled[1] : ""));
    } else {
      out.argvs.push_back(std::move(filled));
    }
  }
  return out;
}

}  // namespace holdpoint
