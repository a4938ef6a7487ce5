#pragma once

// The reader behind SplitShell, in two files: shell_words.cc has the grammar of lists and commands, shell_expansion.cc
// that of words. Not for other files.

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "agent/parse/shell_text.h"
#include "agent/parse/shell_words.h"

namespace holdpoint::shell_internal {

inline constexpr size_t kMaxCommands = 4096;
inline constexpr size_t kMaxWords = 100'000;
inline constexpr int kMaxDepth = 32;

class ShellSplitter {
 public:
  // `text` and both pointers must outlive it. `level`: how many texts this one is inside of. `words` counts those of
  // the whole script.
  ShellSplitter(absl::string_view text, int level, ShellScript* script, size_t* words)
      : text_(text), level_(level), script_(script), words_(words) {}

  absl::Status Run() { return TakeList(level_, /*in_parentheses=*/false); }

 private:
  struct HereDocument {
    std::string delimiter;
    bool quoted = false;
    bool strip_tabs = false;
    size_t command = 0;  // index in script_->commands, kBuilding while it is being built
    int depth = 0;
  };

  // What has been read of the command that is being built.
  struct Building {
    ShellCommand command;
    bool has_words = false;
  };

  static constexpr size_t kBuilding = static_cast<size_t>(-1);

  bool More() const { return at_ < text_.size(); }
  char Peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool At(absl::string_view prefix) const { return absl::StartsWith(text_.substr(at_), prefix); }
  bool Consume(absl::string_view prefix) {
    if (!At(prefix)) return false;
    at_ += prefix.size();
    return true;
  }

  static absl::Status Open(absl::string_view what);
  static void AddBlindSpot(std::string text, std::vector<std::string>* all);
  static void Unseen(absl::string_view what, Building* building);

  // Lists and commands: shell_words.cc.

  // Commands up to the end, or to the ")" that closes what was opened before the call.
  absl::Status TakeList(int depth, bool in_parentheses);
  absl::Status Finish(Building* building);
  // Behind "(": a function's "()", an arithmetic command "((...))", an array "a=(...)" or a subshell.
  absl::Status TakeOpenParenthesis(Building* building, int* parentheses);
  // A word at the place of a command, of an argument, or one that belongs to the grammar.
  absl::Status TakeCommandWord(Building* building, int* cases, bool* pattern);
  // "for x in words", "function name": up to the separator. No command of their own; those substituted in them count.
  absl::Status TakeHeader(Building* building, bool ends_at_brace);
  absl::Status TakeCase(Building* building, int* cases, bool* pattern);
  // [[ ... ]]: "<", ">", "&&" and parentheses are its own.
  absl::Status TakeTest(Building* building, Word first);
  // name=( words )
  absl::Status TakeArray(Building* building);
  bool AtRedirection() const;
  absl::Status TakeRedirection(Building* building);
  // Behind a newline: the bodies of the here-documents that were announced before it.
  absl::Status TakeHereDocuments();

  // Words: shell_expansion.cc.

  // A word up to an unquoted separator. Commands inside it are taken on the way.
  absl::Status TakeWord(Building* building, Word* word);
  absl::Status TakeDoubleQuotes(Building* building, Word* word);
  // At "$" or "`". The text stays as it is written; commands inside are taken.
  absl::Status TakeExpansion(Building* building, Word* word, bool quoted);
  // $(...), <(...), >(...).
  absl::Status TakeSubstitution(Building* building, Word* word);
  // ${...}, which may hold quotes and further expansions.
  absl::Status TakeBracedParameter(Building* building, bool quoted);
  // Where "))" ends the arithmetic that starts at `begin`; none where the parentheses say that it is no arithmetic.
  std::optional<size_t> FindArithmeticEnd(size_t begin) const;
  // The commands that a text with expansions (arithmetic, a here-document) would run.
  absl::Status TakeInner(absl::string_view text, Building* building);
  absl::Status SplitInner(absl::string_view text, int depth);
  void SkipBlanks();

  const absl::string_view text_;
  const int level_;
  ShellScript* const script_;
  size_t* const words_;
  size_t at_ = 0;
  std::vector<HereDocument> here_documents_;
};

}  // namespace holdpoint::shell_internal
