#include "agent/policy/sigma_value.h"

#include <arpa/inet.h>
#include <re2/re2.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace holdpoint {
namespace {

constexpr char kAnyOne = '\x01';  // In a piece: one character, whichever. No field holds it as a character of its own.
constexpr int64_t kRegexMemory = 1 << 20;
constexpr int kMaxDashes = 4;

std::string AddressBytes(absl::string_view text) {
  unsigned char bytes[16];
  const std::string copy(text);
  if (inet_pton(AF_INET, copy.c_str(), bytes) == 1) return {reinterpret_cast<char*>(bytes), 4};
  if (inet_pton(AF_INET6, copy.c_str(), bytes) == 1) return {reinterpret_cast<char*>(bytes), 16};
  return "";
}

bool FitsAt(absl::string_view text, size_t at, absl::string_view piece) {
  if (at + piece.size() > text.size()) return false;
  for (size_t i = 0; i < piece.size(); ++i) {
    if (piece[i] != kAnyOne && piece[i] != text[at + i]) return false;
  }
  return true;
}

size_t Find(absl::string_view text, size_t from, absl::string_view piece) {
  for (size_t at = from; at + piece.size() <= text.size(); ++at) {
    if (FitsAt(text, at, piece)) return at;
  }
  return absl::string_view::npos;
}

}  // namespace

SigmaValue SigmaValue::Text(absl::string_view text, bool before, bool behind) {
  SigmaValue value;
  value.open_begin_ = before;
  value.open_end_ = behind;
  std::string piece;
  bool star = before;  // behind which the next piece stands
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size() && absl::StrContains("*?\\", text[i + 1])) {
      piece.push_back(absl::ascii_tolower(static_cast<unsigned char>(text[++i])));
    } else if (c == '*') {
      if (value.pieces_.empty() && piece.empty()) value.open_begin_ = true;
      if (!piece.empty()) value.pieces_.push_back(std::exchange(piece, ""));
      star = true;
      continue;
    } else {
      piece.push_back(c == '?' ? kAnyOne : absl::ascii_tolower(static_cast<unsigned char>(c)));
    }
    star = false;
  }
  if (!piece.empty()) value.pieces_.push_back(std::move(piece));
  value.open_end_ = behind || (star && !text.empty());
  return value;
}

absl::StatusOr<SigmaValue> SigmaValue::Regex(absl::string_view pattern) {
  SigmaValue value;
  value.kind_ = Kind::kRegex;
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_max_mem(kRegexMemory);
  options.set_never_capture(true);
  value.regex_ = std::make_shared<const re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!value.regex_->ok()) {
    return absl::InvalidArgumentError(absl::StrCat("a regular expression that RE2 does not take: ", value.regex_->error()));
  }
  return value;
}

absl::StatusOr<SigmaValue> SigmaValue::Cidr(absl::string_view range) {
  SigmaValue value;
  value.kind_ = Kind::kCidr;
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(range, absl::MaxSplits('/', 1));
  value.address_ = AddressBytes(parts.first);
  if (value.address_.empty() || !absl::SimpleAtoi(parts.second, &value.prefix_) ||
      value.prefix_ > value.address_.size() * 8) {
    return absl::InvalidArgumentError(absl::StrCat("wanted an address range as 10.0.0.0/8, got \"", range, "\""));
  }
  return value;
}

SigmaValue SigmaValue::Null() {
  SigmaValue value;
  value.kind_ = Kind::kNull;
  return value;
}

bool SigmaValue::Matches(absl::string_view field) const {
  switch (kind_) {
    case Kind::kNull:
      return field.empty();
    case Kind::kRegex:
      return re2::RE2::PartialMatch(re2::StringPiece(field.data(), field.size()), *regex_);
    case Kind::kCidr: {
      const std::string address = AddressBytes(field);
      if (address.size() != address_.size()) return false;
      for (uint32_t bit = 0; bit < prefix_; ++bit) {
        if (((address[bit / 8] ^ address_[bit / 8]) & (0x80 >> (bit % 8))) != 0) return false;
      }
      return true;
    }
    case Kind::kText:
      break;
  }
  const std::string text = absl::AsciiStrToLower(field);
  if (pieces_.empty()) return open_begin_ || open_end_ || text.empty();
  size_t at = 0;
  for (size_t i = 0; i < pieces_.size(); ++i) {
    const std::string& piece = pieces_[i];
    const bool last = i + 1 == pieces_.size();
    if (last && !open_end_) {  // It has to end the text.
      if (text.size() < at + piece.size() || !FitsAt(text, text.size() - piece.size(), piece)) return false;
      return i > 0 || open_begin_ || text.size() == piece.size();
    }
    const size_t found = i == 0 && !open_begin_ ? (FitsAt(text, 0, piece) ? 0 : absl::string_view::npos) : Find(text, at, piece);
    if (found == absl::string_view::npos) return false;
    at = found + piece.size();
  }
  return true;
}

std::string SigmaValue::Literal() const {
  std::string best;
  for (const std::string& piece : pieces_) {
    for (const absl::string_view part : absl::StrSplit(piece, absl::ByAnyChar(" \x01"))) {
      if (part.size() > best.size()) best = std::string(part);
    }
  }
  return best;
}

std::string SigmaValue::BaseNameOnly() const {
  if (kind_ != Kind::kText || pieces_.empty() || open_end_) return "";
  const std::string& last = pieces_.back();
  const size_t slash = last.rfind('/');
  if (slash == std::string::npos || slash + 1 == last.size()) return "";
  const std::string name = last.substr(slash + 1);
  return absl::StrContains(name, kAnyOne) ? "" : name;
}

std::vector<std::string> WindashForms(absl::string_view text) {
  const auto is_word = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  std::vector<std::string> forms = {""};
  int dashes = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool begins = (text[i] == '-' || text[i] == '/') && (i == 0 || !is_word(text[i - 1])) && i + 1 < text.size() &&
                        is_word(text[i + 1]);
    if (!begins) {
      for (std::string& form : forms) form.push_back(text[i]);
      continue;
    }
    if (++dashes > kMaxDashes) return {};
    std::vector<std::string> more;
    for (const std::string& form : forms) {
      for (const char* dash : {"-", "/", "\xe2\x80\x93", "\xe2\x80\x94", "\xe2\x80\x95"}) more.push_back(form + dash);
    }
    forms = std::move(more);
  }
  return forms;
}

}  // namespace holdpoint
