#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/parse/shell_splitter.h"

namespace holdpoint::shell_internal {
namespace {

constexpr size_t kMaxBlindSpots = 16;

bool IsNameByte(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; }

}  // namespace

absl::Status ShellSplitter::TakeWord(Building* building, Word* word) {
  while (More()) {
    const char c = Peek();
    if (absl::string_view(" \t\n\r;&|()").find(c) != absl::string_view::npos) return absl::OkStatus();
    if (c == '<' || c == '>') {
      if (Peek(1) != '(') return absl::OkStatus();
      HP_RETURN_IF_ERROR(TakeSubstitution(building, word));
    } else if (c == '\\') {
      if (Peek(1) != '\n') {
        word->any_quotes = true;
        word->Append(text_.substr(at_ + 1, 1), true);
      }
      at_ = std::min(at_ + 2, text_.size());
    } else if (c == '\'') {
      const size_t end = text_.find('\'', at_ + 1);
      if (end == text_.npos) return Open("a single quote");
      word->any_quotes = true;
      word->Append(text_.substr(at_ + 1, end - at_ - 1), true);
      at_ = end + 1;
    } else if (c == '"' || At("$\"")) {
      at_ += c == '"' ? 1 : 2;
      HP_RETURN_IF_ERROR(TakeDoubleQuotes(building, word));
    } else if (At("$'")) {
      size_t end = at_ + 2;
      while (end < text_.size() && text_[end] != '\'') end += text_[end] == '\\' ? 2 : 1;
      if (end >= text_.size()) return Open("a $' quote");
      word->any_quotes = true;
      word->Append(DecodeAnsiC(text_.substr(at_ + 2, end - at_ - 2)), true);
      at_ = end + 1;
    } else if (c == '$' || c == '`') {
      HP_RETURN_IF_ERROR(TakeExpansion(building, word, false));
    } else {
      word->Append(text_.substr(at_++, 1), false);
    }
  }
  return absl::OkStatus();
}

absl::Status ShellSplitter::TakeDoubleQuotes(Building* building, Word* word) {
  word->any_quotes = true;
  while (More()) {
    const char c = Peek();
    if (c == '"') {
      ++at_;
      return absl::OkStatus();
    }
    if (c == '\\') {
      const char next = Peek(1);
      if (next == '$' || next == '`' || next == '"' || next == '\\') {
        word->Append(text_.substr(at_ + 1, 1), true);
      } else if (next != '\n') {
        word->Append(text_.substr(at_, 2), true);
      }
      at_ = std::min(at_ + 2, text_.size());
    } else if (c == '$' || c == '`') {
      HP_RETURN_IF_ERROR(TakeExpansion(building, word, true));
    } else {
      word->Append(text_.substr(at_++, 1), true);
    }
  }
  return Open("a double quote");
}

absl::Status ShellSplitter::TakeExpansion(Building* building, Word* word, bool quoted) {
  const size_t start = at_;
  if (Peek() == '`') {
    std::string inner;
    for (++at_; More() && Peek() != '`'; ++at_) {
      if (Peek() == '\\' && (Peek(1) == '`' || Peek(1) == '\\' || Peek(1) == '$')) ++at_;
      inner.push_back(Peek());
    }
    if (!Consume("`")) return Open("a backtick");
    HP_RETURN_IF_ERROR(SplitInner(inner, building->command.depth + 1));
  } else if (At("$((") && FindArithmeticEnd(at_ + 3)) {
    const size_t end = *FindArithmeticEnd(at_ + 3);
    const absl::string_view inner = text_.substr(at_ + 3, end - at_ - 3);
    at_ = end + 2;
    HP_RETURN_IF_ERROR(TakeInner(inner, building));
  } else if (At("$(")) {
    return TakeSubstitution(building, word);
  } else if (At("${")) {
    HP_RETURN_IF_ERROR(TakeBracedParameter(building, quoted));
  } else {
    ++at_;
    if (IsNameByte(Peek()) && !absl::ascii_isdigit(static_cast<unsigned char>(Peek()))) {
      while (More() && IsNameByte(Peek())) ++at_;
    } else if (More() && absl::string_view("0123456789@*#?$!-").find(Peek()) != absl::string_view::npos) {
      ++at_;
    } else {
      word->Append("$", quoted);  // A dollar and nothing more.
      return absl::OkStatus();
    }
  }
  const absl::string_view written = text_.substr(start, at_ - start);
  Unseen(written, building);
  word->Append(written, true);  // Braces in it are no list.
  return absl::OkStatus();
}

absl::Status ShellSplitter::TakeSubstitution(Building* building, Word* word) {
  const size_t start = at_;
  at_ += 2;
  HP_RETURN_IF_ERROR(TakeList(building->command.depth + 1, /*in_parentheses=*/true));
  const absl::string_view written = text_.substr(start, at_ - start);
  Unseen(written, building);
  word->Append(written, true);
  return absl::OkStatus();
}

absl::Status ShellSplitter::TakeBracedParameter(Building* building, bool quoted) {
  at_ += 2;
  int depth = 1;
  while (More()) {
    const char c = Peek();
    if (c == '\\') {
      at_ = std::min(at_ + 2, text_.size());
    } else if (c == '\'' && !quoted) {  // Between double quotes it is a byte like any other.
      const size_t end = text_.find('\'', at_ + 1);
      at_ = end == text_.npos ? at_ + 1 : end + 1;
    } else if (At("${")) {
      at_ += 2;
      if (++depth > kMaxDepth) return absl::ResourceExhaustedError("shell: parameters nested too deeply");
    } else if (At("$(") || c == '`') {
      Word ignored;
      HP_RETURN_IF_ERROR(TakeExpansion(building, &ignored, true));
    } else if (c == '}') {
      ++at_;
      if (--depth == 0) return absl::OkStatus();
    } else {
      ++at_;
    }
  }
  return Open("a '${'");
}

std::optional<size_t> ShellSplitter::FindArithmeticEnd(size_t begin) const {
  int depth = 0;
  for (size_t i = begin; i < text_.size(); ++i) {
    if (text_[i] == '(') {
      ++depth;
    } else if (text_[i] == ')') {
      if (depth == 0) return i + 1 < text_.size() && text_[i + 1] == ')' ? std::optional<size_t>(i) : std::nullopt;
      --depth;
    }
  }
  return std::nullopt;
}

absl::Status ShellSplitter::TakeInner(absl::string_view text, Building* building) {
  // Arithmetic in arithmetic is no deeper as commands go, but it is for the call stack.
  if (level_ >= kMaxDepth) return absl::ResourceExhaustedError("shell: arithmetic nested too deeply");
  ShellSplitter inner(text, level_ + 1, script_, words_);
  Building scratch;
  scratch.command.depth = building->command.depth;
  while (inner.More()) {
    if (inner.Peek() == '\\') {
      inner.at_ = std::min(inner.at_ + 2, text.size());
    } else if (inner.Peek() == '$' || inner.Peek() == '`') {
      Word ignored;
      HP_RETURN_IF_ERROR(inner.TakeExpansion(&scratch, &ignored, true));
    } else {
      ++inner.at_;
    }
  }
  for (std::string& blind_spot : scratch.command.blind_spots) {
    AddBlindSpot(std::move(blind_spot), &building->command.blind_spots);
  }
  return absl::OkStatus();
}

absl::Status ShellSplitter::SplitInner(absl::string_view text, int depth) {
  if (depth > kMaxDepth)
    return absl::ResourceExhaustedError(absl::StrCat("shell: nested more than ", kMaxDepth, " levels"));
  return ShellSplitter(text, depth, script_, words_).Run();
}

void ShellSplitter::SkipBlanks() {
  while (More()) {
    if (Peek() == ' ' || Peek() == '\t' || Peek() == '\r') {
      ++at_;
    } else if (!Consume("\\\n")) {
      return;
    }
  }
}

absl::Status ShellSplitter::Open(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("shell: ", what, " is not closed"));
}

void ShellSplitter::AddBlindSpot(std::string text, std::vector<std::string>* all) {
  if (all->size() < kMaxBlindSpots && std::find(all->begin(), all->end(), text) == all->end()) {
    all->push_back(std::move(text));
  }
}

void ShellSplitter::Unseen(absl::string_view what, Building* building) {
  AddBlindSpot(absl::StrCat("expansion unseen: ", EscapeAndClip(what, 64)), &building->command.blind_spots);
}

}  // namespace holdpoint::shell_internal
