#include "agent/parse/program_text.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxText = 256 * 1024;
constexpr size_t kMaxCalls = 4096;
constexpr size_t kMaxTexts = 64;
constexpr size_t kMaxTextBytes = 16 * 1024;
constexpr size_t kMaxOpen = 256;
constexpr size_t kMaxNoted = 1 << 20;  // bytes of all texts

bool IsNameStart(char c) { return absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == '_' || static_cast<unsigned char>(c) >= 0x80; }
bool IsNamePart(char c) { return IsNameStart(c) || absl::ascii_isdigit(static_cast<unsigned char>(c)); }

class Scanner {
 public:
  Scanner(absl::string_view text, ProgramLanguage language) : text_(text.substr(0, kMaxText)), language_(language) {}

  std::vector<ProgramCall> Scan() {
    while (at_ < text_.size() && calls_.size() < kMaxCalls) Step();
    while (!open_.empty()) Close();
    return std::move(calls_);
  }

 private:
  struct Open {
    size_t call = SIZE_MAX;  // in calls_; SIZE_MAX: a bracket that is no call
    bool fresh = true;       // at the beginning of an argument
    bool bare = false;       // without brackets: ends with the statement or the bracket around it
  };

  char Peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool Starts(absl::string_view word) const { return text_.substr(at_, word.size()) == word; }
  bool Hashes() const {
    return language_ == ProgramLanguage::kPython || language_ == ProgramLanguage::kRuby || language_ == ProgramLanguage::kPerl ||
           language_ == ProgramLanguage::kPhp;
  }
  bool Slashes() const { return language_ == ProgramLanguage::kJavascript || language_ == ProgramLanguage::kPhp; }

  void Step() {
    const char c = Peek();
    if (absl::ascii_isspace(static_cast<unsigned char>(c))) {
      ++at_;
    } else if ((c == '#' && Hashes() && !(language_ == ProgramLanguage::kPerl && at_ > 0 && text_[at_ - 1] == '$')) ||
               (Slashes() && Starts("//")) || (language_ == ProgramLanguage::kLua && Starts("--"))) {
      while (at_ < text_.size() && Peek() != '\n') ++at_;
    } else if (Slashes() && Starts("/*")) {
      const size_t end = text_.find("*/", at_ + 2);
      at_ = end == absl::string_view::npos ? text_.size() : end + 2;
    } else if (c == '\'' || c == '"' || c == '`') {
      Text();
    } else if (IsNameStart(c)) {
      Name();
    } else if (absl::ascii_isdigit(static_cast<unsigned char>(c))) {
      while (IsNamePart(Peek())) ++at_;
      Used();
    } else {
      Sign(c);
    }
  }

  void Sign(char c) {
    ++at_;
    if (c == '(' || c == '[' || c == '{') {
      // "(" behind a name is a call; a list is part of the argument in which it stands.
      if (c == '(' && !name_.empty()) return Begin();
      const bool fresh = open_.empty() || open_.back().fresh;
      Push({open_.empty() ? SIZE_MAX : open_.back().call, fresh, false});
    } else if (c == ')' || c == ']' || c == '}') {
      name_.clear();
      return Close();
    } else if (c == ',') {
      if (!open_.empty()) open_.back().fresh = true;
    } else if (c == ';' || c == '\n') {
      EndBare();
    } else if (c == '=' && !open_.empty()) {
      open_.back().fresh = true;  // a named argument
    } else if (c != '.' && c != ':' && c != '>' && c != '-' && c != '&' && c != '?' && c != '!' && c != '$' && c != '@' && c != '%') {
      Used();
    }
    if (c != '.' && c != ':' && c != '>' && c != '-' && c != '?') name_.clear();
  }

  void Used() {
    if (!open_.empty()) open_.back().fresh = false;
    name_.clear();
  }

  void Push(Open open) {
    if (open_.size() < kMaxOpen) {
      open_.push_back(open);
    } else {
      ++deeper_;
    }
  }

  // A call of name_ begins.
  void Begin() {
    calls_.push_back({std::move(name_), {}});
    name_.clear();
    // What a constructor is given is what its methods are about: Path('/x').unlink()
    if (carried_at_ == calls_.back().name.rfind('.')) {
      for (const std::string& text : carried_) AddText(calls_.size() - 1, text);
    }
    carried_.clear();
    Push({calls_.size() - 1, true, false});
  }

  void EndBare() {
    while (!open_.empty() && open_.back().bare) CloseOne();
  }

  void Close() {
    if (deeper_ > 0) {
      --deeper_;
      return;
    }
    EndBare();
    CloseOne();
  }

  void CloseOne() {
    if (open_.empty()) return;
    const Open closed = open_.back();
    open_.pop_back();
    if (open_.empty() || open_.back().call != closed.call) {
      // A text in an inner call begins an outer argument as well: rmtree(expanduser('~/x')).
      if (closed.call != SIZE_MAX && !open_.empty() && open_.back().call != SIZE_MAX && open_.back().fresh) {
        for (const std::string& text : calls_[closed.call].texts) AddText(open_.back().call, text);
      }
      if (closed.call != SIZE_MAX && Peek() == '.') {
        name_ = calls_[closed.call].name;
        if (name_ != "require" && name_ != "import") carried_ = calls_[closed.call].texts;
        carried_at_ = name_.size();
      }
    }
    if (!open_.empty()) open_.back().fresh = false;
  }

  void AddText(size_t call, const std::string& text) {
    std::vector<std::string>& texts = calls_[call].texts;
    if (texts.size() >= kMaxTexts || noted_ >= kMaxNoted) return;
    texts.push_back(text.substr(0, kMaxTextBytes));
    noted_ += texts.back().size() + sizeof(std::string);
  }

  void Name() {
    const size_t begin = at_;
    while (IsNamePart(Peek())) ++at_;
    std::string word(text_.substr(begin, at_ - begin));
    // r'', f"", b'': part of the text that follows.
    if (language_ == ProgramLanguage::kPython && word.size() <= 2 && (Peek() == '\'' || Peek() == '"')) return;
    const bool continues = begin > 0 && (text_[begin - 1] == '.' || absl::EndsWith(text_.substr(0, begin), "::") ||
                                         absl::EndsWith(text_.substr(0, begin), "->"));
    if (continues && !name_.empty()) {
      name_ = absl::StrCat(name_.substr(0, 200), ".", word);
    } else {
      name_ = std::move(word);
      if (!continues) carried_.clear();
    }
    // Ruby and Perl call without brackets.
    const bool bare = language_ == ProgramLanguage::kRuby || language_ == ProgramLanguage::kPerl;
    size_t next = at_;
    while (next < text_.size() && (text_[next] == ' ' || text_[next] == '\t')) ++next;
    if (bare && next > at_ && next < text_.size() && (text_[next] == '\'' || text_[next] == '"' || text_.substr(next, 5) == "glob(" || text_.substr(next, 5) == "glob " || text_.substr(next, 4) == "Dir[")) {
      Begin();
      if (!open_.empty()) open_.back().bare = true;
      return;
    }
    if (Peek() != '(' && Peek() != '.' && Peek() != ':' && Peek() != '-' && Peek() != '?' && Peek() != '[') {
      if (!open_.empty() && next < text_.size() && text_[next] != '=') open_.back().fresh = false;
    }
    if (Peek() == '[' && bare) {  // Dir['x'] is a call of its own.
      ++at_;
      Begin();
    }
  }

  void Text() {
    const char quote = Peek();
    const bool triple = language_ == ProgramLanguage::kPython && text_.substr(at_, 3) == std::string(3, quote);
    size_t at = at_ + (triple ? 3 : 1);
    std::string text;
    while (at < text_.size()) {
      if (triple ? text_.substr(at, 3) == std::string(3, quote) : text_[at] == quote) break;
      if (text_[at] == '\n' && !triple && quote != '`' && language_ == ProgramLanguage::kPython) break;
      if (text_[at] == '\\' && at + 1 < text_.size()) ++at;
      text.push_back(text_[at++]);
    }
    at_ = std::min(at + (triple ? 3 : 1), text_.size());
    if (!open_.empty() && open_.back().fresh && open_.back().call != SIZE_MAX) AddText(open_.back().call, text);
    Used();
  }

  const absl::string_view text_;
  const ProgramLanguage language_;
  size_t at_ = 0;
  std::string name_;
  std::vector<std::string> carried_;
  size_t carried_at_ = std::string::npos;
  std::vector<Open> open_;
  size_t deeper_ = 0;
  size_t noted_ = 0;
  std::vector<ProgramCall> calls_;
};

}  // namespace

std::vector<ProgramCall> CallsOfProgram(absl::string_view text, ProgramLanguage language) {
  return Scanner(text, language).Scan();
}

}  // namespace holdpoint
