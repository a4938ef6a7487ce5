#include "agent/parse/shell_words.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/parse/shell_text.h"

namespace holdpoint {
namespace {

using shell_internal::Word;

constexpr size_t kMaxBytes = 256 * 1024;
constexpr size_t kMaxCommands = 4096;
constexpr size_t kMaxWords = 100'000;
constexpr int kMaxDepth = 32;
constexpr size_t kMaxBlindSpots = 16;

bool IsNameByte(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// NAME=, NAME+= or NAME[..]= with nothing quoted before the "=".
bool IsAssignment(const Word& word) {
  const size_t equals = word.text.find('=');
  if (equals == word.text.npos || equals == 0) return false;
  if (std::find(word.quoted.begin(), word.quoted.begin() + equals, true) != word.quoted.begin() + equals) return false;
  absl::string_view name = absl::string_view(word.text).substr(0, equals);
  absl::ConsumeSuffix(&name, "+");
  if (absl::EndsWith(name, "]")) name = name.substr(0, name.find('['));
  return !name.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), IsNameByte);
}

// Counts that hold for a whole text, with all that is inside it.
struct Budget {
  size_t words = 0;
};

class Splitter {
 public:
  Splitter(absl::string_view text, int level, ShellScript* script, Budget* budget)
      : text_(text), level_(level), script_(script), budget_(budget) {}

  absl::Status Run() {
    HP_RETURN_IF_ERROR(TakeList(level_, /*in_parentheses=*/false));
    return absl::OkStatus();
  }

 private:
  struct HereDocument {
    std::string delimiter;
    bool quoted = false;
    bool strip_tabs = false;
    size_t command = 0;  // index in script_->commands, or that of the command being built
    int depth = 0;
  };

  // What has been read of the command that is being built.
  struct Building {
    ShellCommand command;
    bool has_words = false;
  };

  bool More() const { return at_ < text_.size(); }
  char Peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool At(absl::string_view prefix) const { return absl::StartsWith(text_.substr(at_), prefix); }
  bool Consume(absl::string_view prefix) {
    if (!At(prefix)) return false;
    at_ += prefix.size();
    return true;
  }

  static absl::Status Open(absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("shell: ", what, " is not closed"));
  }

  static void AddBlindSpot(std::string text, std::vector<std::string>* all) {
    if (all->size() < kMaxBlindSpots && std::find(all->begin(), all->end(), text) == all->end()) {
      all->push_back(std::move(text));
    }
  }

  static void Unseen(absl::string_view what, Building* building) {
    AddBlindSpot(absl::StrCat("expansion unseen: ", EscapeAndClip(what, 64)), &building->command.blind_spots);
  }

  // Commands up to the end, or to the ")" that closes what was opened before the call.
  absl::Status TakeList(int depth, bool in_parentheses) {
    if (depth > kMaxDepth)
      return absl::ResourceExhaustedError(absl::StrCat("shell: nested more than ", kMaxDepth, " levels"));
    int parentheses = 0;   // subshells open in this list
    int cases = 0;         // "case" that wait for their "esac"
    bool pattern = false;  // the words up to ")" are patterns of a case
    Building building;
    building.command.depth = depth;
    const auto finish = [&](bool piped) -> absl::Status {
      HP_RETURN_IF_ERROR(Finish(&building));
      building = Building();
      building.command.depth = depth;
      building.command.piped_input = piped;
      return absl::OkStatus();
    };

    while (true) {
      SkipBlanks();
      if (!More()) break;
      const char c = Peek();
      if (c == '\n') {
        HP_RETURN_IF_ERROR(finish(building.command.piped_input && !building.has_words));
        ++at_;
        HP_RETURN_IF_ERROR(TakeHereDocuments());
      } else if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (Consume(";;&") || Consume(";;") || Consume(";&")) {
        HP_RETURN_IF_ERROR(finish(false));
        pattern = cases > 0;
      } else if (Consume("&&") || Consume("||") || Consume(";")) {
        HP_RETURN_IF_ERROR(finish(false));
      } else if (pattern && (c == '(' || c == '|')) {
        ++at_;
      } else if (pattern && c == ')') {
        ++at_;
        pattern = false;
        building = Building();
        building.command.depth = depth;
      } else if (Consume("|&") || Consume("|")) {
        HP_RETURN_IF_ERROR(finish(true));
      } else if (c == '&' && Peek(1) != '>') {
        ++at_;
        HP_RETURN_IF_ERROR(finish(false));
      } else if (c == '(') {
        ++at_;
        HP_RETURN_IF_ERROR(TakeOpenParenthesis(&building, &parentheses));
      } else if (c == ')') {
        HP_RETURN_IF_ERROR(finish(false));
        ++at_;
        if (parentheses == 0) {
          if (in_parentheses) return absl::OkStatus();
          return absl::InvalidArgumentError("shell: a ')' closes nothing");
        }
        --parentheses;
      } else if (AtRedirection()) {
        HP_RETURN_IF_ERROR(TakeRedirection(&building));
      } else {
        HP_RETURN_IF_ERROR(TakeCommandWord(&building, &cases, &pattern));
      }
    }
    if (in_parentheses || parentheses > 0) return Open("a '('");
    HP_RETURN_IF_ERROR(Finish(&building));
    return TakeHereDocuments();
  }

  void SkipBlanks() {
    while (More()) {
      if (Peek() == ' ' || Peek() == '\t' || Peek() == '\r') {
        ++at_;
      } else if (!Consume("\\\n")) {
        return;
      }
    }
  }

  absl::Status Finish(Building* building) {
    ShellCommand& command = building->command;
    if (command.argv.empty() && command.assignments.empty() && command.redirections.empty() &&
        command.standard_input.empty()) {
      return absl::OkStatus();
    }
    if (script_->commands.size() >= kMaxCommands) {
      return absl::ResourceExhaustedError(absl::StrCat("shell: more than ", kMaxCommands, " commands"));
    }
    for (HereDocument& here : here_documents_) {
      if (here.command == kBuilding && here.depth == command.depth) here.command = script_->commands.size();
    }
    script_->commands.push_back(std::move(command));
    return absl::OkStatus();
  }

  // Behind "(": a function's "()", an arithmetic command "((...))", an array "a=(...)" or a subshell.
  absl::Status TakeOpenParenthesis(Building* building, int* parentheses) {
    ShellCommand& command = building->command;
    if (command.argv.size() == 1 && command.assignments.empty()) {
      SkipBlanks();
      if (Consume(")")) {  // name () { ... }: what the body holds counts as commands.
        const int depth = command.depth;
        *building = Building();
        building->command.depth = depth;
        return absl::OkStatus();
      }
    }
    if (!building->has_words && Peek() == '(') {
      if (const auto end = FindArithmeticEnd(at_ + 1)) {
        const absl::string_view inner = text_.substr(at_ + 1, *end - at_ - 1);
        at_ = *end + 2;
        return TakeInner(inner, building);
      }
    }
    if (++*parentheses > kMaxDepth) {
      return absl::ResourceExhaustedError(absl::StrCat("shell: nested more than ", kMaxDepth, " levels"));
    }
    building->has_words = false;
    return absl::OkStatus();
  }

  // A word at the place of a command, of an argument, or one that belongs to the grammar.
  absl::Status TakeCommandWord(Building* building, int* cases, bool* pattern) {
    ShellCommand& command = building->command;
    const size_t start = at_;
    Word word;
    HP_RETURN_IF_ERROR(TakeWord(building, &word));
    if (at_ == start) return absl::InvalidArgumentError(absl::StrCat("shell: not understood at byte ", at_));
    if (++budget_->words > kMaxWords) {
      return absl::ResourceExhaustedError(absl::StrCat("shell: more than ", kMaxWords, " words"));
    }
    if (*pattern) {
      if (word.text == "esac" && !word.any_quotes) {
        *pattern = false;
        --*cases;
      }
      return absl::OkStatus();
    }
    if (!building->has_words && !word.any_quotes) {
      static constexpr absl::string_view kSkipped[] = {"if", "then", "elif", "else", "fi", "while", "until",
                                                       "do", "done", "!",    "{",    "}",  "time",  "coproc"};
      if (std::find(std::begin(kSkipped), std::end(kSkipped), word.text) != std::end(kSkipped)) return absl::OkStatus();
      if (word.text == "for" || word.text == "select") return TakeHeader(building, /*ends_at_brace=*/false);
      if (word.text == "function") return TakeHeader(building, /*ends_at_brace=*/true);
      if (word.text == "case") return TakeCase(building, cases, pattern);
      if (word.text == "esac") {
        *cases = std::max(0, *cases - 1);
        return absl::OkStatus();
      }
      if (word.text == "[[") return TakeTest(building, std::move(word));
    }
    if (command.argv.empty() && IsAssignment(word)) {
      building->has_words = true;
      if (absl::EndsWith(word.text, "=") && Consume("(")) return TakeArray(building);
      command.assignments.push_back(std::move(word.text));
      return absl::OkStatus();
    }
    building->has_words = true;
    bool cut = false;
    for (std::string& one : shell_internal::ExpandBraces(word, &cut)) command.argv.push_back(std::move(one));
    if (cut) Unseen("braces", building);
    return absl::OkStatus();
  }

  // "for x in words", "function name": up to the separator. No command of their own; those substituted in them count.
  absl::Status TakeHeader(Building* building, bool ends_at_brace) {
    while (true) {
      SkipBlanks();
      if (!More() || Peek() == ';' || Peek() == '\n' || (ends_at_brace && Peek() == '{')) return absl::OkStatus();
      if (Peek() == '(' || Peek() == ')') {
        if (At("((")) {
          if (const auto end = FindArithmeticEnd(at_ + 2)) {
            at_ = *end + 2;
            continue;
          }
        }
        ++at_;
        continue;
      }
      Word word;
      const size_t start = at_;
      HP_RETURN_IF_ERROR(TakeWord(building, &word));
      if (at_ == start) return absl::OkStatus();
    }
  }

  absl::Status TakeCase(Building* building, int* cases, bool* pattern) {
    SkipBlanks();
    Word subject, in;
    HP_RETURN_IF_ERROR(TakeWord(building, &subject));
    while (More() && (absl::ascii_isspace(static_cast<unsigned char>(Peek())))) ++at_;
    HP_RETURN_IF_ERROR(TakeWord(building, &in));
    ++*cases;
    *pattern = true;
    return absl::OkStatus();
  }

  // [[ ... ]]: "<", ">", "&&" and parentheses are its own.
  absl::Status TakeTest(Building* building, Word first) {
    building->has_words = true;
    building->command.argv.push_back(std::move(first.text));
    while (true) {
      while (More() && absl::ascii_isspace(static_cast<unsigned char>(Peek()))) ++at_;
      if (!More()) return Open("a '[['");
      Word word;
      const size_t start = at_;
      HP_RETURN_IF_ERROR(TakeWord(building, &word));
      if (at_ == start) word.Append(text_.substr(at_++, 1), false);
      const bool end = word.text == "]]" && !word.any_quotes;
      building->command.argv.push_back(std::move(word.text));
      if (end) return absl::OkStatus();
    }
  }

  // name=( words )
  absl::Status TakeArray(Building* building) {
    while (true) {
      while (More() && absl::ascii_isspace(static_cast<unsigned char>(Peek()))) ++at_;
      if (!More()) return Open("a '('");
      if (Consume(")")) return absl::OkStatus();
      Word word;
      const size_t start = at_;
      HP_RETURN_IF_ERROR(TakeWord(building, &word));
      if (at_ == start) ++at_;
    }
  }

  // A word up to an unquoted separator. Commands inside it are taken on the way.
  absl::Status TakeWord(Building* building, Word* word) {
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
        word->Append(shell_internal::DecodeAnsiC(text_.substr(at_ + 2, end - at_ - 2)), true);
        at_ = end + 1;
      } else if (c == '$' || c == '`') {
        HP_RETURN_IF_ERROR(TakeExpansion(building, word, false));
      } else {
        word->Append(text_.substr(at_++, 1), false);
      }
    }
    return absl::OkStatus();
  }

  absl::Status TakeDoubleQuotes(Building* building, Word* word) {
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

  // At "$" or "`". The text stays as it is written; commands inside are taken.
  absl::Status TakeExpansion(Building* building, Word* word, bool quoted) {
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

  // $(...), <(...), >(...).
  absl::Status TakeSubstitution(Building* building, Word* word) {
    const size_t start = at_;
    at_ += 2;
    HP_RETURN_IF_ERROR(TakeList(building->command.depth + 1, /*in_parentheses=*/true));
    const absl::string_view written = text_.substr(start, at_ - start);
    Unseen(written, building);
    word->Append(written, true);
    return absl::OkStatus();
  }

  // ${...}, which may hold quotes and further expansions.
  absl::Status TakeBracedParameter(Building* building, bool quoted) {
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

  // Where "))" ends the arithmetic that starts at `begin`; none where the parentheses say that it is no arithmetic.
  std::optional<size_t> FindArithmeticEnd(size_t begin) const {
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

  // The commands that a text with expansions (arithmetic, a here-document) would run.
  absl::Status TakeInner(absl::string_view text, Building* building) {
    // Arithmetic in arithmetic is no deeper as commands go, but it is for the call stack.
    if (level_ >= kMaxDepth) return absl::ResourceExhaustedError("shell: arithmetic nested too deeply");
    Splitter inner(text, level_ + 1, script_, budget_);
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

  absl::Status SplitInner(absl::string_view text, int depth) {
    if (depth > kMaxDepth)
      return absl::ResourceExhaustedError(absl::StrCat("shell: nested more than ", kMaxDepth, " levels"));
    return Splitter(text, depth, script_, budget_).Run();
  }

  bool AtRedirection() const {
    size_t i = at_;
    while (i < text_.size() && absl::ascii_isdigit(static_cast<unsigned char>(text_[i]))) ++i;
    if (i >= text_.size()) return false;
    if (text_[i] == '&') return i == at_ && Peek(1) == '>';
    if (text_[i] != '<' && text_[i] != '>') return false;
    return i + 1 >= text_.size() || text_[i + 1] != '(' || i > at_;
  }

  absl::Status TakeRedirection(Building* building) {
    ShellRedirection redirection;
    size_t digits = at_;
    while (absl::ascii_isdigit(static_cast<unsigned char>(Peek()))) ++at_;
    if (at_ > digits && !absl::SimpleAtoi(text_.substr(digits, at_ - digits), &redirection.fd)) redirection.fd = -1;
    for (absl::string_view op : {"<<<", "<<-", "<<", "&>>", "&>", "<>", "<&", ">>", ">|", ">&", "<", ">"}) {
      if (!Consume(op)) continue;
      redirection.op = std::string(op);
      break;
    }
    SkipBlanks();
    Word word;
    HP_RETURN_IF_ERROR(TakeWord(building, &word));
    if (redirection.op == "<<" || redirection.op == "<<-") {
      if (here_documents_.size() >= kMaxCommands) return absl::ResourceExhaustedError("shell: too many here-documents");
      here_documents_.push_back(
          {word.text, word.any_quotes, redirection.op == "<<-", kBuilding, building->command.depth});
      building->command.standard_input.emplace_back();
    } else if (redirection.op == "<<<") {
      building->command.standard_input.push_back(std::move(word.text));
    } else {
      redirection.target = std::move(word.text);
      building->command.redirections.push_back(std::move(redirection));
    }
    return absl::OkStatus();
  }

  // Behind a newline: the bodies of the here-documents that were announced before it.
  absl::Status TakeHereDocuments() {
    std::vector<HereDocument> pending;
    std::swap(pending, here_documents_);
    for (const HereDocument& here : pending) {
      std::string body;
      while (More()) {
        const size_t end = std::min(text_.find('\n', at_), text_.size());
        absl::string_view line = text_.substr(at_, end - at_);
        at_ = std::min(end + 1, text_.size());
        if (here.strip_tabs) line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
        if (line == here.delimiter) break;
        absl::StrAppend(&body, line, "\n");
      }
      Building scratch;
      scratch.command.depth = here.depth;
      if (!here.quoted) HP_RETURN_IF_ERROR(TakeInner(body, &scratch));
      if (here.command >= script_->commands.size()) continue;
      ShellCommand& command = script_->commands[here.command];
      for (std::string& text : command.standard_input) {
        if (text.empty()) {
          text = std::move(body);
          break;
        }
      }
      for (std::string& blind_spot : scratch.command.blind_spots)
        AddBlindSpot(std::move(blind_spot), &command.blind_spots);
    }
    return absl::OkStatus();
  }

  static constexpr size_t kBuilding = static_cast<size_t>(-1);

  const absl::string_view text_;
  const int level_;  // how many texts this one is inside of
  ShellScript* const script_;
  Budget* const budget_;
  size_t at_ = 0;
  std::vector<HereDocument> here_documents_;
};

}  // namespace

absl::StatusOr<ShellScript> SplitShell(absl::string_view text) {
  if (text.size() > kMaxBytes) {
    return absl::ResourceExhaustedError(absl::StrCat("shell: want at most ", kMaxBytes, " bytes, got ", text.size()));
  }
  ShellScript script;
  Budget budget;
  HP_RETURN_IF_ERROR(Splitter(text, 0, &script, &budget).Run());
  return script;
}

}  // namespace holdpoint
