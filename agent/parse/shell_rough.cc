#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "agent/parse/shell_words.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxCommands = 256;
constexpr size_t kMaxWords = 4096;

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool EndsCommand(char c) { return c == ';' || c == '|' || c == '&' || c == '\n' || c == '`'; }

class RoughSplitter {
 public:
  explicit RoughSplitter(absl::string_view text) : text_(text) {}

  std::vector<std::vector<std::string>> Run() && {
    while (at_ < text_.size() && commands_.size() < kMaxCommands && words_ < kMaxWords) Take();
    FinishCommand();
    return std::move(commands_);
  }

 private:
  void Take() {
    const char c = text_[at_];
    if (IsBlank(c)) {
      FinishWord();
      ++at_;
    } else if (EndsCommand(c) || text_.substr(at_, 2) == "$(" || (c == '(' && word_.empty())) {
      FinishCommand();
      at_ += c == '$' ? 2 : 1;
    } else if (c == '\'' || c == '"') {
      TakeQuote(c);
    } else if (c == '\\' && at_ + 1 < text_.size()) {
      if (text_[at_ + 1] != '\n') word_.push_back(text_[at_ + 1]);
      at_ += 2;
    } else {
      word_.push_back(c);
      ++at_;
    }
  }

  // What stands in quotes is one word, as far as they are closed; else the quote alone is passed over.
  void TakeQuote(char quote) {
    const size_t end = text_.find(quote, at_ + 1);
    if (end != text_.npos) {
      word_.append(text_.data() + at_ + 1, end - at_ - 1);
      quoted_ = true;
      at_ = end;
    }
    ++at_;
  }

  void FinishWord() {
    // The ")" of a "(" that ended a command.
    auto surplus = std::count(word_.begin(), word_.end(), ')') - std::count(word_.begin(), word_.end(), '(');
    for (; surplus > 0 && word_.back() == ')'; --surplus) word_.pop_back();
    if (!word_.empty() || quoted_) {
      command_.push_back(std::move(word_));
      ++words_;
    }
    word_.clear();
    quoted_ = false;
  }

  void FinishCommand() {
    FinishWord();
    if (!command_.empty()) commands_.push_back(std::move(command_));
    command_.clear();
  }

  const absl::string_view text_;
  size_t at_ = 0;
  size_t words_ = 0;
  std::string word_;
  bool quoted_ = false;
  std::vector<std::string> command_;
  std::vector<std::vector<std::string>> commands_;
};

}  // namespace

std::vector<std::vector<std::string>> SplitShellRoughly(absl::string_view text) {
  return RoughSplitter(text).Run();
}

}  // namespace holdpoint
