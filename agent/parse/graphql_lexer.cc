#include "agent/parse/graphql_lexer.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/base/escape.h"
#include "agent/parse/utf8.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kByteOrderMark = "\xef\xbb\xbf";

bool IsNameStart(char c) { return absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool IsNameByte(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }

bool IsBlank(absl::string_view line) { return line.find_first_not_of(" \t") == line.npos; }

// The specification's BlockStringValue: the common indentation and the blank lines at both ends go.
std::string BlockStringValue(absl::string_view raw) {
  const std::string unix_lines = absl::StrReplaceAll(raw, {{"\r\n", "\n"}, {"\r", "\n"}});
  std::vector<absl::string_view> lines = absl::StrSplit(unix_lines, '\n');
  size_t common = absl::string_view::npos;
  for (size_t i = 1; i < lines.size(); ++i) {
    common = std::min(common, lines[i].find_first_not_of(" \t"));
  }
  if (common != absl::string_view::npos) {
    for (size_t i = 1; i < lines.size(); ++i) lines[i].remove_prefix(std::min(common, lines[i].size()));
  }
  auto first = std::find_if_not(lines.begin(), lines.end(), IsBlank);
  auto last = std::find_if_not(lines.rbegin(), std::make_reverse_iterator(first), IsBlank).base();
  return absl::StrJoin(first, last, "\n");
}

}  // namespace

absl::Status GraphqlLexer::Error(absl::string_view what) const {
  return absl::InvalidArgumentError(absl::StrCat("GraphQL ", position_.line, ":", position_.column, ": ", what));
}

void GraphqlLexer::Advance(size_t bytes) {
  for (; bytes > 0 && at_ < text_.size(); --bytes, ++at_) {
    ++position_.column;
    if (text_[at_] == '\n' || (text_[at_] == '\r' && text_.substr(at_ + 1, 1) != "\n")) {
      ++position_.line;
      position_.column = 1;
    }
  }
}

void GraphqlLexer::SkipIgnored() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',') {
      Advance(1);
    } else if (At(kByteOrderMark)) {
      Advance(kByteOrderMark.size());
    } else if (c == '#') {
      Advance(std::min(text_.find_first_of("\r\n", at_), text_.size()) - at_);
    } else {
      return;
    }
  }
}

bool GraphqlLexer::TakeHex4(uint32_t* value) {
  const absl::string_view digits = text_.substr(std::min(at_, text_.size()), 4);
  if (digits.size() < 4 || digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos) return false;
  Advance(4);
  return absl::SimpleHexAtoi(digits, value);
}

// Behind the backslash.
absl::Status GraphqlLexer::TakeEscape(std::string* out) {
  static constexpr absl::string_view kLetters = "\"\\/bfnrt", kBytes = "\"\\/\b\f\n\r\t";
  if (at_ >= text_.size()) return Error("the string does not end");
  const char letter = text_[at_];
  if (const size_t i = kLetters.find(letter); i != kLetters.npos) {
    out->push_back(kBytes[i]);
    Advance(1);
    return absl::OkStatus();
  }
  if (letter != 'u') return Error("want one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u behind a backslash");
  Advance(1);
  uint32_t code = 0;
  if (At("{")) {  // \u{1F600}, of the drafts after October 2021.
    const size_t close = text_.find('}', at_);
    if (close == text_.npos || close - at_ > 9 || !absl::SimpleHexAtoi(text_.substr(at_ + 1, close - at_ - 1), &code)) {
      return Error("want hexadecimal digits in \\u{...}");
    }
    Advance(close + 1 - at_);
  } else if (!TakeHex4(&code)) {
    return Error("want four hexadecimal digits behind \\u");
  }
  if (code >= 0xd800 && code < 0xdc00 && At("\\u")) {
    Advance(2);
    uint32_t low = 0;
    if (!TakeHex4(&low)) return Error("want four hexadecimal digits behind \\u");
    if (low >= 0xdc00 && low < 0xe000) {
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else {
      AppendUtf8(0xfffd, out);
      code = low;
    }
  }
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) code = 0xfffd;  // Half a pair.
  AppendUtf8(code, out);
  return absl::OkStatus();
}

absl::StatusOr<std::string> GraphqlLexer::TakeString() {
  std::string value;
  Advance(1);
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      Advance(1);
      return value;
    }
    if (c == '\n' || c == '\r') break;
    Advance(1);
    if (c != '\\') {
      value.push_back(c);
    } else if (absl::Status status = TakeEscape(&value); !status.ok()) {
      return status;
    }
  }
  return Error("the string does not end on its line");
}

absl::StatusOr<std::string> GraphqlLexer::TakeBlockString() {
  std::string raw;
  Advance(3);
  while (at_ < text_.size()) {
    if (At("\"\"\"")) {
      Advance(3);
      return BlockStringValue(raw);
    }
    if (At("\\\"\"\"")) {
      raw.append("\"\"\"");
      Advance(4);
    } else {
      raw.push_back(text_[at_]);
      Advance(1);
    }
  }
  return Error("the block string does not end");
}

absl::StatusOr<GraphqlToken> GraphqlLexer::Next() {
  SkipIgnored();
  GraphqlToken token;
  token.position = position_;
  if (at_ >= text_.size()) return token;
  const char c = text_[at_];
  size_t length = 1;
  if (IsNameStart(c)) {
    token.kind = GraphqlToken::Kind::kName;
    while (at_ + length < text_.size() && IsNameByte(text_[at_ + length])) ++length;
  } else if (IsDigit(c) || c == '-') {
    // Wider than the grammar: what only a stricter server refuses does no harm here.
    token.kind = GraphqlToken::Kind::kNumber;
    const auto is_number_byte = [](char b) {
      return IsDigit(b) || b == '.' || b == 'e' || b == 'E' || b == '+' || b == '-';
    };
    while (at_ + length < text_.size() && is_number_byte(text_[at_ + length])) ++length;
    if (length == 1 && c == '-') return Error("want a digit behind \"-\"");
  } else if (c == '"') {
    token.kind = GraphqlToken::Kind::kString;
    auto value = At("\"\"\"") ? TakeBlockString() : TakeString();
    if (!value.ok()) return value.status();
    token.text = *std::move(value);
    return token;
  } else if (At("...")) {
    token.kind = GraphqlToken::Kind::kPunctuator;
    length = 3;
  } else if (absl::string_view("!$&():=@[]{|}").find(c) != absl::string_view::npos) {
    token.kind = GraphqlToken::Kind::kPunctuator;
  } else {
    return Error(absl::StrCat("'", EscapeForTerminal(text_.substr(at_, 1)), "' is no part of the language"));
  }
  token.text = std::string(text_.substr(at_, length));
  Advance(length);
  return token;
}

}  // namespace holdpoint
