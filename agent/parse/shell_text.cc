#include "agent/parse/shell_text.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "agent/parse/utf8.h"

namespace holdpoint::shell_internal {
namespace {

constexpr size_t kMaxWords = 64;
constexpr size_t kMaxExpandedWord = 4096;  // Longer ones are no list of names.

// Up to `max` digits of `base` at *at.
uint32_t TakeDigits(absl::string_view text, int base, int max, size_t* at) {
  uint32_t value = 0;
  for (; max > 0 && *at < text.size(); --max, ++*at) {
    const char c = absl::ascii_tolower(static_cast<unsigned char>(text[*at]));
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
    if (digit >= base) break;
    value = value * base + digit;
  }
  return value;
}

Word Slice(const Word& word, size_t begin, size_t end) {
  Word out;
  out.text = word.text.substr(begin, end - begin);
  out.quoted.assign(word.quoted.begin() + begin, word.quoted.begin() + end);
  return out;
}

Word Join(const Word& a, const Word& b, const Word& c) {
  Word out = a;
  for (const Word* part : {&b, &c}) {
    out.text += part->text;
    out.quoted.insert(out.quoted.end(), part->quoted.begin(), part->quoted.end());
  }
  return out;
}

// The first {..,..}: its braces and the commas between them.
bool FindBraces(const Word& word, std::vector<size_t>* marks, bool* sequence) {
  const auto is = [&](size_t i, char c) { return word.text[i] == c && !word.quoted[i]; };
  for (size_t open = 0; open < word.text.size(); ++open) {
    if (!is(open, '{') || (open > 0 && is(open - 1, '$'))) continue;
    *marks = {open};
    int depth = 0;
    for (size_t i = open; i < word.text.size(); ++i) {
      if (is(i, '{')) {
        ++depth;
      } else if (is(i, ',') && depth == 1) {
        marks->push_back(i);
      } else if (is(i, '}') && --depth == 0) {
        marks->push_back(i);
        break;
      }
    }
    if (depth != 0) continue;
    if (marks->size() > 2) return true;
    if (absl::StrContains(word.text.substr(open, marks->back() - open), "..")) *sequence = true;
  }
  return false;
}

}  // namespace

std::string DecodeAnsiC(absl::string_view text) {
  static constexpr absl::string_view kLetters = "abeEfnrtv\\'\"?", kBytes = "\a\b\033\033\f\n\r\t\v\\'\"?";
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out.push_back(text[i++]);
      continue;
    }
    const char c = text[i + 1];
    i += 2;
    uint32_t code = 0;
    if (const size_t letter = kLetters.find(c); letter != kLetters.npos) {
      out.push_back(kBytes[letter]);
      continue;
    } else if (c == 'x') {
      code = TakeDigits(text, 16, 2, &i);
    } else if (c >= '0' && c <= '7') {
      --i;
      code = TakeDigits(text, 8, 3, &i) & 0xff;
    } else if (c == 'c' && i < text.size()) {
      code = text[i++] & 0x1f;
    } else if (c == 'u' || c == 'U') {
      AppendUtf8(std::min<uint32_t>(TakeDigits(text, 16, c == 'u' ? 4 : 8, &i), 0x10ffff), &out);
      continue;
    } else {
      out.append({'\\', c});
      continue;
    }
    if (code == 0) return out;
    out.push_back(static_cast<char>(code));
  }
  return out;
}

std::vector<std::string> ExpandBraces(const Word& word, bool* cut) {
  std::vector<std::string> done;
  std::vector<Word> open = {word};  // The next one to look at is the last.
  if (word.text.size() > kMaxExpandedWord) {
    *cut = *cut || absl::StrContains(word.text, "{");
    return {word.text};
  }
  while (!open.empty()) {
    const Word next = std::move(open.back());
    open.pop_back();
    std::vector<size_t> marks;
    bool sequence = false;
    if (done.size() + open.size() >= kMaxWords || !FindBraces(next, &marks, &sequence)) {
      *cut = *cut || sequence || done.size() + open.size() >= kMaxWords;
      done.push_back(next.text);
      continue;
    }
    const Word head = Slice(next, 0, marks.front()), tail = Slice(next, marks.back() + 1, next.text.size());
    for (size_t i = marks.size() - 1; i > 0; --i) {  // Backwards, so that the first comes out first.
      open.push_back(Join(head, Slice(next, marks[i - 1] + 1, marks[i]), tail));
    }
  }
  return done;
}

}  // namespace holdpoint::shell_internal
