#include "agent/parse/curl_glob.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace holdpoint {
namespace {

// The alternatives of "a-z:2", "1-10" or "001-100"; none where it is no range. At most max + 1.
std::optional<std::vector<std::string>> ExpandRange(absl::string_view body, size_t max) {
  uint64_t step = 1;
  if (const size_t colon = body.find(':'); colon != body.npos) {
    if (!absl::SimpleAtoi(body.substr(colon + 1), &step) || step == 0) return std::nullopt;
    body = body.substr(0, colon);
  }
  const size_t dash = body.find('-');
  if (dash == body.npos || dash == 0 || dash + 1 == body.size()) return std::nullopt;
  const absl::string_view low_text = body.substr(0, dash), high_text = body.substr(dash + 1);
  std::vector<std::string> out;
  if (low_text.size() == 1 && high_text.size() == 1 && absl::ascii_isalpha(low_text[0]) &&
      absl::ascii_isalpha(high_text[0])) {
    for (uint64_t c = low_text[0]; c <= static_cast<uint64_t>(high_text[0]) && out.size() <= max; c += step) {
      out.push_back(std::string(1, static_cast<char>(c)));
    }
    return out;
  }
  uint64_t low = 0, high = 0;
  if (!absl::SimpleAtoi(low_text, &low) || !absl::SimpleAtoi(high_text, &high) || low_text.size() > 18) {
    return std::nullopt;
  }
  const int width = low_text[0] == '0' ? static_cast<int>(low_text.size()) : 1;
  for (uint64_t n = low; n <= high && out.size() <= max; n += step) {
    out.push_back(absl::StrFormat("%0*d", width, n));
    if (n > high - std::min(step, high)) break;  // The next step would pass `high`, or wrap.
  }
  return out;
}

bool LooksLikeIpv6(absl::string_view bracketed) {
  return std::count(bracketed.begin(), bracketed.end(), ':') >= 2 &&
         bracketed.find_first_not_of("0123456789abcdefABCDEF:.%") == bracketed.npos;
}

}  // namespace

CurlGlob ExpandCurlGlob(absl::string_view pattern, size_t max) {
  CurlGlob glob;
  const CurlGlob as_it_is = {.urls = {std::string(pattern)}, .cut = false, .invalid = true};
  glob.urls = {""};
  const auto append = [&](absl::string_view text) {
    for (std::string& url : glob.urls) absl::StrAppend(&url, text);
  };
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size() &&
        absl::string_view("{}[]").find(pattern[i + 1]) != absl::string_view::npos) {
      append(pattern.substr(++i, 1));
      continue;
    }
    if (c != '{' && c != '[') {
      if (c == '}' || c == ']') return as_it_is;
      const size_t end = std::min(pattern.find_first_of("\\{[}]", i + 1), pattern.size());
      append(pattern.substr(i, end - i));
      i = end - 1;
      continue;
    }
    const size_t close = pattern.find(c == '{' ? '}' : ']', i);
    if (close == pattern.npos) return as_it_is;
    const absl::string_view body = pattern.substr(i + 1, close - i - 1);
    std::vector<std::string> choices;
    if (c == '[' && LooksLikeIpv6(body)) {
      choices = {absl::StrCat("[", body, "]")};
    } else if (c == '[') {
      auto range = ExpandRange(body, max);
      if (!range || range->empty()) return as_it_is;
      choices = *std::move(range);
    } else {
      for (absl::string_view choice : absl::StrSplit(body, ',')) {
        choices.emplace_back(choice);
        if (choices.size() > max) break;
      }
    }
    std::vector<std::string> next;
    for (const std::string& url : glob.urls) {
      for (const std::string& choice : choices) {
        if (next.size() >= max) {
          glob.cut = true;
          break;
        }
        next.push_back(absl::StrCat(url, choice));
      }
    }
    glob.urls = std::move(next);
    i = close;
  }
  return glob;
}

}  // namespace holdpoint
