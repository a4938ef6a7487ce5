#include "agent/parse/shell_words.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/base/status.h"
#include "agent/parse/shell_splitter.h"

namespace holdpoint {
namespace shell_internal {
namespace {

constexpr size_t kMaxBytes = 256 * 1024;

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

}  // namespace

absl::Status ShellSplitter::TakeList(int depth, bool in_parentheses) {
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

absl::Status ShellSplitter::Finish(Building* building) {
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

absl::Status ShellSplitter::TakeOpenParenthesis(Building* building, int* parentheses) {
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
  if (command.argv.size() > 1) return absl::InvalidArgumentError("shell: a '(' behind the words of a command");
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

absl::Status ShellSplitter::TakeCommandWord(Building* building, int* cases, bool* pattern) {
  ShellCommand& command = building->command;
  const size_t start = at_;
  Word word;
  HP_RETURN_IF_ERROR(TakeWord(building, &word));
  if (at_ == start) return absl::InvalidArgumentError(absl::StrCat("shell: not understood at byte ", at_));
  if (++*words_ > kMaxWords) {
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
  for (std::string& one : ExpandBraces(word, &cut)) command.argv.push_back(std::move(one));
  if (cut) Unseen("braces", building);
  return absl::OkStatus();
}

absl::Status ShellSplitter::TakeHeader(Building* building, bool ends_at_brace) {
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

absl::Status ShellSplitter::TakeCase(Building* building, int* cases, bool* pattern) {
  SkipBlanks();
  Word subject, in;
  HP_RETURN_IF_ERROR(TakeWord(building, &subject));
  while (More() && (absl::ascii_isspace(static_cast<unsigned char>(Peek())))) ++at_;
  HP_RETURN_IF_ERROR(TakeWord(building, &in));
  ++*cases;
  *pattern = true;
  return absl::OkStatus();
}

absl::Status ShellSplitter::TakeTest(Building* building, Word first) {
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

absl::Status ShellSplitter::TakeArray(Building* building) {
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

bool ShellSplitter::AtRedirection() const {
  size_t i = at_;
  while (i < text_.size() && absl::ascii_isdigit(static_cast<unsigned char>(text_[i]))) ++i;
  if (i >= text_.size()) return false;
  if (text_[i] == '&') return i == at_ && Peek(1) == '>';
  if (text_[i] != '<' && text_[i] != '>') return false;
  return i + 1 >= text_.size() || text_[i + 1] != '(' || i > at_;
}

absl::Status ShellSplitter::TakeRedirection(Building* building) {
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

absl::Status ShellSplitter::TakeHereDocuments() {
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

}  // namespace shell_internal

absl::StatusOr<ShellScript> SplitShell(absl::string_view text) {
  if (text.size() > shell_internal::kMaxBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("shell: want at most ", shell_internal::kMaxBytes, " bytes, got ", text.size()));
  }
  ShellScript script;
  size_t words = 0;
  HP_RETURN_IF_ERROR(shell_internal::ShellSplitter(text, 0, &script, &words).Run());
  return script;
}

}  // namespace holdpoint
