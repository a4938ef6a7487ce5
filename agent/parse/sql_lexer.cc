#include "agent/parse/sql_lexer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxLeads = 64;

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0'; }
bool IsWordStart(char c, SqlDialect dialect) {
  return absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == '_' || static_cast<unsigned char>(c) >= 0x80 ||
         c == '@' || (c == '#' && dialect == SqlDialect::kTsql);
}
bool IsWordPart(char c, SqlDialect dialect) {
  return IsWordStart(c, dialect) || absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '$';
}

// The first word of a client's command line and what follows it.
std::pair<std::string, std::string> FirstWord(absl::string_view line) {
  line = absl::StripAsciiWhitespace(line);
  const size_t end = std::min(line.find_first_of(" \t"), line.size());
  absl::string_view rest = absl::StripAsciiWhitespace(line.substr(end));
  if (rest.size() >= 2 && (rest[0] == '\'' || rest[0] == '"') && rest.back() == rest[0]) {
    rest = rest.substr(1, rest.size() - 2);
  }
  return {absl::AsciiStrToLower(line.substr(0, end)), std::string(rest)};
}

}  // namespace

bool SqlToken::Is(absl::string_view word) const { return kind == Kind::kWord && absl::EqualsIgnoreCase(raw, word); }

std::string Unquoted(const SqlToken& token) {
  absl::string_view raw = token.raw;
  if (token.kind != SqlToken::Kind::kQuoted && token.kind != SqlToken::Kind::kString) return std::string(raw);
  if (!raw.empty() && raw[0] == '$') {
    const size_t tag = raw.find('$', 1);
    if (tag == absl::string_view::npos) return std::string(raw);
    raw.remove_prefix(tag + 1);
    if (raw.size() >= tag + 1 && raw.back() == '$') raw.remove_suffix(tag + 1);
    return std::string(raw);
  }
  const size_t open = raw.find_first_of("'\"`[");
  if (open == absl::string_view::npos) return std::string(raw);
  const char quote = raw[open] == '[' ? ']' : raw[open];
  raw.remove_prefix(open + 1);
  if (!raw.empty() && raw.back() == quote) raw.remove_suffix(1);
  std::string out;
  for (size_t i = 0; i < raw.size(); ++i) {
    out.push_back(raw[i]);
    if (raw[i] == quote && i + 1 < raw.size() && raw[i + 1] == quote) ++i;
  }
  return out;
}

SqlLexer::SqlLexer(absl::string_view text, const SqlOptions& options, bool backslash)
    : text_(text), options_(options), backslash_(backslash) {}

void SqlLexer::Add(SqlToken::Kind kind, size_t begin, SqlPiece* piece) {
  if (piece->tokens.empty() && !piece->cut) piece->begin = begin;
  piece->end = at_;
  if (piece->tokens.size() >= kMaxTokens) {
    piece->cut = true;
    return;
  }
  piece->tokens.push_back({kind, text_.substr(begin, at_ - begin)});
}

void SqlLexer::SkipComment(SqlPiece* piece) {
  const bool mysql = options_.dialect == SqlDialect::kMysql || options_.dialect == SqlDialect::kGeneric;
  if (mysql && (StartsWith("/*!") || StartsWith("/*M!"))) {  // MySQL executes what is in it.
    at_ += Peek(2) == '!' ? 3 : 4;
    while (absl::ascii_isdigit(static_cast<unsigned char>(Peek()))) ++at_;
    ++executable_comments_;
    return;
  }
  const bool nests = options_.dialect == SqlDialect::kPostgres || options_.dialect == SqlDialect::kTsql;
  int depth = 0;
  do {
    if (StartsWith("/*") && (nests || depth == 0)) {
      ++depth;
      at_ += 2;
    } else if (StartsWith("*/")) {
      --depth;
      at_ += 2;
    } else {
      ++at_;
    }
  } while (depth > 0 && !AtEnd());
  if (depth > 0) piece->open = true;
}

bool SqlLexer::SkipSpace(SqlPiece* piece) {
  const size_t begin = at_;
  while (!AtEnd()) {
    const char c = Peek();
    if (IsSpace(c)) {
      if (c == '\n') line_start_ = true;
      ++at_;
    } else if (StartsWith("/*")) {
      SkipComment(piece);
    } else if (executable_comments_ > 0 && StartsWith("*/")) {
      --executable_comments_;
      at_ += 2;
    } else if ((StartsWith("--") && (options_.dialect != SqlDialect::kMysql || IsSpace(Peek(2)))) ||
               (c == '#' && options_.dialect == SqlDialect::kMysql) ||
               (StartsWith("//") && options_.dialect == SqlDialect::kCassandra)) {
      while (!AtEnd() && Peek() != '\n') ++at_;
    } else {
      break;
    }
  }
  return at_ != begin;
}

void SqlLexer::Quote(char end, bool escapes, SqlPiece* piece) {
  for (++at_; !AtEnd(); ++at_) {
    if (escapes && Peek() == '\\') {
      ++at_;
    } else if (Peek() == end) {
      if (Peek(1) != end) {
        ++at_;
        return;
      }
      ++at_;
    }
  }
  at_ = text_.size();
  piece->open = true;
}

bool SqlLexer::DollarQuote(SqlPiece* piece) {
  size_t tag = at_ + 1;
  while (tag < text_.size() && IsWordPart(text_[tag], options_.dialect) && text_[tag] != '$') ++tag;
  if (tag >= text_.size() || text_[tag] != '$' || absl::ascii_isdigit(static_cast<unsigned char>(Peek(1)))) return false;
  const absl::string_view quote = text_.substr(at_, tag + 1 - at_);
  const size_t begin = at_;
  const size_t end = text_.find(quote, tag + 1);
  piece->open |= end == absl::string_view::npos;
  at_ = end == absl::string_view::npos ? text_.size() : end + quote.size();
  Add(SqlToken::Kind::kString, begin, piece);
  return true;
}

void SqlLexer::Word(SqlPiece* piece) {
  const size_t begin = at_;
  while (!AtEnd() && IsWordPart(Peek(), options_.dialect)) ++at_;
  const absl::string_view word = text_.substr(begin, at_ - begin);
  if (absl::EqualsIgnoreCase(word, "u") && Peek() == '&' && (Peek(1) == '\'' || Peek(1) == '"')) ++at_;
  const bool prefix = word.size() == 1 && absl::StrContains("eEnNbBxXuUrR", word);
  if (prefix && (Peek() == '\'' || (Peek() == '"' && at_ > begin + 1))) {
    const bool quoted = Peek() == '"';
    Quote(Peek(), backslash_ || absl::EqualsIgnoreCase(word, "e"), piece);
    return Add(quoted ? SqlToken::Kind::kQuoted : SqlToken::Kind::kString, begin, piece);
  }
  Add(SqlToken::Kind::kWord, begin, piece);
}

std::string SqlLexer::RestOfLine() {
  const size_t begin = at_;
  while (!AtEnd() && Peek() != '\n') ++at_;
  return std::string(absl::StripAsciiWhitespace(text_.substr(begin, at_ - begin)));
}

bool SqlLexer::ClientLine(const SqlPiece& piece) {
  const bool fresh = piece.tokens.empty();
  const size_t begin = at_;
  size_t end = text_.find('\n', at_);
  if (end == absl::string_view::npos) end = text_.size();
  const auto [word, rest] = FirstWord(text_.substr(at_, end - at_));
  const auto lead = [&, &text = rest](SqlLead::Kind kind) {
    if (leads_.size() < kMaxLeads) leads_.push_back({kind, text});
    at_ = end;
    ++commands_;
    return true;
  };
  switch (options_.dialect) {
    case SqlDialect::kMysql:
      if (word == "delimiter" && !rest.empty()) {
        delimiter_ = std::string(rest.substr(0, rest.find_first_of(" \t")));
        at_ = end;
        return true;
      }
      if (fresh && word == "source") return lead(SqlLead::Kind::kFile);
      if (fresh && word == "system" && !rest.empty()) return lead(SqlLead::Kind::kShell);
      return false;
    case SqlDialect::kSqlite:
      if (!fresh || text_[begin] != '.') return false;
      if (absl::StartsWith(".read", word) && word.size() > 3) return lead(SqlLead::Kind::kFile);
      if (absl::StartsWith(".shell", word) || absl::StartsWith(".system", word)) {
        if (word.size() > 2) return lead(SqlLead::Kind::kShell);
      }
      if (absl::StartsWith(".open", word) && word.size() > 2) return lead(SqlLead::Kind::kDatabase);
      if (absl::StartsWith(".restore", word) && word.size() > 4) {
        direct_.push_back({.verb = "restore", .effect = SqlEffect::kDestroy, .kind = "database", .name = ""});
      }
      at_ = end;
      ++commands_;
      return true;
    case SqlDialect::kTsql: {
      if (word == "go" || absl::StartsWith(word, ":") || absl::StartsWith(word, "!!")) {
        batch_body_ = false;
        if (word == ":r") return lead(SqlLead::Kind::kFile);
        if (absl::StartsWith(word, "!!")) return lead(SqlLead::Kind::kShell);
        if (word == ":connect") return lead(SqlLead::Kind::kDatabase);
        if (word != "go" && !absl::StartsWith(word, ":")) return false;
        at_ = end;
        return true;
      }
      return false;
    }
    case SqlDialect::kCassandra:
      if (fresh && word == "source") return lead(SqlLead::Kind::kFile);
      return false;
    case SqlDialect::kGeneric:
      if (!fresh || text_[begin] != '!') return false;
      if (word == "!source" || word == "!load") return lead(SqlLead::Kind::kFile);
      if (word == "!system") return lead(SqlLead::Kind::kShell);
      at_ = end;
      return true;
    default:
      return false;
  }
}

bool SqlLexer::Backslash(SqlPiece* piece) {
  const size_t begin = ++at_;
  if (options_.dialect == SqlDialect::kMysql) {
    const char c = Peek();
    if (c != '\0') ++at_;
    if (c == 'g' || c == 'G') return true;
    if (c == '.' || c == '!' || c == 'u' || c == 'd') {
      const std::string rest = RestOfLine();
      ++commands_;
      if (c == 'd' && !rest.empty()) delimiter_ = rest.substr(0, rest.find_first_of(" \t"));
      if (c != 'd' && leads_.size() < kMaxLeads) {
        leads_.push_back({c == '.'   ? SqlLead::Kind::kFile
                          : c == '!' ? SqlLead::Kind::kShell
                                     : SqlLead::Kind::kDatabase,
                          rest});
      }
    }
    return false;
  }
  if (Peek() == ';') {  // psql: a semicolon that is sent along.
    ++at_;
    return true;
  }
  if (Peek() == '\\') {
    ++at_;
    return false;
  }
  size_t end = begin;
  while (end < text_.size() && (absl::ascii_isalpha(static_cast<unsigned char>(text_[end])) || text_[end] == '!' ||
                                text_[end] == '?' || text_[end] == '+')) {
    if (text_[end++] == '!') break;
  }
  const std::string name(text_.substr(begin, end - begin));
  at_ = end;
  std::string rest = RestOfLine();
  ++commands_;
  if (rest.size() >= 2 && rest[0] == '\'' && rest.back() == '\'') rest = rest.substr(1, rest.size() - 2);
  const auto lead = [&](SqlLead::Kind kind, std::string text) {
    if (leads_.size() < kMaxLeads) leads_.push_back({kind, std::move(text)});
  };
  if (name == "i" || name == "ir" || name == "include" || name == "include_relative") lead(SqlLead::Kind::kFile, rest);
  if (name == "!") lead(SqlLead::Kind::kShell, rest);
  if (name == "c" || name == "connect") lead(SqlLead::Kind::kDatabase, rest);
  const bool pipes = name == "o" || name == "g" || name == "gx" || name == "w" || name == "out";
  if (pipes && absl::StartsWith(rest, "|")) lead(SqlLead::Kind::kShell, rest.substr(1));
  if (name == "copy") {
    const size_t program = absl::AsciiStrToLower(rest).find(" program ");
    if (program != std::string::npos) lead(SqlLead::Kind::kShell, rest.substr(program + 9));
  }
  if (name == "gexec") {
    unseen_.push_back("\\gexec runs what the query returns");
    return true;
  }
  (void)piece;
  return name == "g" || name == "gx" || name == "gset" || name == "gdesc" || name == "watch" || name == "crosstabview";
}

bool SqlLexer::Terminator(const SqlPiece& piece) {
  if (body_depth_ > 0) return false;
  if (delimiter_ != ";" ? StartsWith(delimiter_) : Peek() == ';') {
    if (batch_body_) return false;
    at_ += delimiter_.size();
    return true;
  }
  (void)piece;
  return false;
}

// A body that is not quoted holds semicolons of its own: up to its END (or, in T-SQL, to the end of the batch).
void SqlLexer::FollowBody(const SqlPiece& piece) {
  const std::vector<SqlToken>& tokens = piece.tokens;
  if (piece.cut || tokens.empty() || tokens.back().kind != SqlToken::Kind::kWord) return;
  const SqlToken& last = tokens.back();
  if (body_depth_ > 0) {
    if (last.Is("begin") || last.Is("case")) ++body_depth_;
    if (last.Is("end")) --body_depth_;
    return;
  }
  const bool sqlite = options_.dialect == SqlDialect::kSqlite, tsql = options_.dialect == SqlDialect::kTsql;
  const bool postgres = options_.dialect == SqlDialect::kPostgres;
  if (!tokens[0].Is("create") && !(tsql && tokens[0].Is("alter"))) return;
  if (tsql && tokens.size() <= 5 &&
      (last.Is("proc") || last.Is("procedure") || last.Is("function") || last.Is("trigger"))) {
    batch_body_ = true;
  }
  if (!sqlite && !postgres) return;
  const bool begins = sqlite ? last.Is("begin") : tokens.size() > 1 && last.Is("atomic") && tokens[tokens.size() - 2].Is("begin");
  if (!begins) return;
  const size_t head = std::min<size_t>(tokens.size(), 5);
  for (size_t i = 1; i < head; ++i) {
    if (tokens[i].Is("trigger") || tokens[i].Is("function") || tokens[i].Is("procedure")) body_depth_ = 1;
  }
}

// COPY FROM STDIN in a script is followed by rows, up to a line with nothing but "\.".
void SqlLexer::SkipCopyData(const SqlPiece& piece) {
  const std::vector<SqlToken>& tokens = piece.tokens;
  if (options_.dialect != SqlDialect::kPostgres || !options_.client || tokens.size() < 4 || !tokens[0].Is("copy")) return;
  bool from = false;
  for (size_t i = 1; i + 1 < tokens.size() && !from; ++i) from = tokens[i].Is("from") && tokens[i + 1].Is("stdin");
  if (!from) return;
  while (!AtEnd() && Peek() != '\n') ++at_;
  while (!AtEnd()) {
    ++at_;
    if (StartsWith("\\.\n") || StartsWith("\\.\r") || text_.substr(at_) == "\\.") {
      at_ += 2;
      return;
    }
    while (!AtEnd() && Peek() != '\n') ++at_;
  }
}

bool SqlLexer::Next(SqlPiece* piece) {
  *piece = SqlPiece();
  body_depth_ = 0;
  while (true) {
    SkipSpace(piece);
    if (AtEnd()) break;
    if (line_start_) {
      line_start_ = false;
      if (options_.client && ClientLine(*piece)) {
        if (!piece->tokens.empty()) return true;
        continue;
      }
    }
    const size_t begin = at_;
    const char c = Peek();
    if (Terminator(*piece)) {
      if (piece->tokens.empty()) continue;
      SkipCopyData(*piece);
      return true;
    }
    const bool mysql = options_.dialect == SqlDialect::kMysql;
    const bool client_backslash = options_.dialect == SqlDialect::kPostgres || mysql;
    if (c == '\\' && options_.client && client_backslash) {
      if (Backslash(piece) && !piece->tokens.empty()) return true;
    } else if (c == '\'') {
      Quote(c, backslash_, piece);
      Add(SqlToken::Kind::kString, begin, piece);
    } else if (c == '"') {
      Quote(c, backslash_ && mysql, piece);
      Add(SqlToken::Kind::kQuoted, begin, piece);
    } else if (c == '`' && options_.dialect != SqlDialect::kPostgres) {
      Quote(c, false, piece);
      Add(SqlToken::Kind::kQuoted, begin, piece);
    } else if (c == '[' && (options_.dialect == SqlDialect::kTsql || options_.dialect == SqlDialect::kSqlite)) {
      Quote(']', false, piece);
      Add(SqlToken::Kind::kQuoted, begin, piece);
    } else if (c == '$' && !mysql && options_.dialect != SqlDialect::kTsql && DollarQuote(piece)) {
    } else if (IsWordStart(c, options_.dialect)) {
      Word(piece);
      FollowBody(*piece);
    } else if (absl::ascii_isdigit(static_cast<unsigned char>(c))) {
      while (!AtEnd() && (IsWordPart(Peek(), options_.dialect) || Peek() == '.')) ++at_;
      Add(SqlToken::Kind::kNumber, begin, piece);
    } else {
      ++at_;
      Add(SqlToken::Kind::kOther, begin, piece);
    }
  }
  if (body_depth_ > 0) piece->open = true;
  return !piece->tokens.empty() || piece->open;
}

}  // namespace holdpoint
