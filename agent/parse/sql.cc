#include "agent/parse/sql.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/parse/sql_function.h"
#include "agent/parse/sql_internal.h"
#include "agent/parse/sql_lexer.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxText = 1 << 20;
constexpr size_t kMaxPostgresText = 64 * 1024;  // of one statement
constexpr size_t kMaxPostgresTokens = 2000;
constexpr size_t kMaxPostgresStatements = 256;
constexpr size_t kMaxStatements = 50'000;
constexpr size_t kMaxNotedName = 256;

// Words without which a statement of PostgreSQL does nothing that counts, whatever else is in it. "u" and "execute" are
// here because of U&"..." and of what they hide.
bool IsWorthParsing(const SqlPiece& piece) {
  static constexpr absl::string_view kFirst[] = {"insert", "select", "set", "comment", "values", "show"};
  const SqlToken& first = piece.tokens[0];
  const bool plain = std::any_of(std::begin(kFirst), std::end(kFirst), [&](absl::string_view word) { return first.Is(word); });
  if (!plain) return true;
  for (size_t i = 0; i < piece.tokens.size(); ++i) {
    const SqlToken& token = piece.tokens[i];
    if (token.kind != SqlToken::Kind::kWord && token.kind != SqlToken::Kind::kQuoted) continue;
    if (token.Is("delete") || token.Is("update") || token.Is("merge") || (token.Is("into") && i != 1)) return true;
    if (token.raw.size() > 2 && token.raw[1] == '&') return true;
    if (i + 1 == piece.tokens.size() || piece.tokens[i + 1].raw != "(") continue;
    const SqlFunction function = SqlFunctionOf(Unquoted(token));
    if (function.effect != SqlEffect::kRead || function.runs_text) return true;
  }
  return false;
}

// What is done over another connection does not go back with this one's transaction.
bool RunsElsewhere(const SqlPiece& piece) {
  for (size_t i = 0; i + 1 < piece.tokens.size(); ++i) {
    if (piece.tokens[i + 1].raw == "(" && SqlFunctionOf(Unquoted(piece.tokens[i])).runs_text) return true;
  }
  return false;
}

struct Transaction {
  bool open = false;
  bool sure = false;  // everything in it was understood
  size_t begin = 0;   // first finding in it
};

class Parser {
 public:
  Parser(const SqlOptions& options, SqlScript* script) : options_(options), script_(script), findings_(options.dialect) {}

  void Read(absl::string_view text, bool backslash) {
    SqlLexer lexer(text, options_, backslash);
    SqlPiece piece;
    size_t commands = 0;
    transaction_ = Transaction();
    for (size_t count = 0; lexer.Next(&piece); ++count) {
      if (lexer.commands() != commands) transaction_.sure = false;
      commands = lexer.commands();
      if (count >= kMaxStatements || findings_.overflow()) {
        findings_.Unseen("", "more statements than are looked at");
        break;
      }
      if (!piece.tokens.empty()) Statement(text, piece);
      if (piece.open) {
        findings_.Unseen("", "a quote, a comment or a body that does not end");
        transaction_.sure = false;
      }
    }
    for (const std::string& unseen : lexer.unseen()) findings_.Unseen("", unseen);
    for (const SqlStatement& statement : lexer.direct()) findings_.Add(statement);
    for (SqlLead& lead : lexer.leads()) findings_.leads().push_back(std::move(lead));
  }

  void Finish() {
    script_->statements = std::move(findings_.statements());
    script_->leads = std::move(findings_.leads());
  }

  SqlFindings& findings() { return findings_; }

 private:
  void Statement(absl::string_view text, const SqlPiece& piece) {
    const bool postgres = options_.dialect == SqlDialect::kPostgres;
    if (postgres) Transact(piece);
    if (transaction_.open && transaction_.sure && RunsElsewhere(piece)) transaction_.sure = false;
    const size_t size = piece.end - piece.begin;
    if (postgres && !piece.cut && piece.tokens.size() <= kMaxPostgresTokens && size <= kMaxPostgresText &&
        script_->parsed < kMaxPostgresStatements && IsWorthParsing(piece) &&
        ReadWithPostgres(std::string(text.substr(piece.begin, size)), &findings_)) {
      ++script_->parsed;
      return;
    }
    const bool known = postgres && piece.tokens.size() <= kMaxPostgresTokens && !IsWorthParsing(piece);
    if (!known) transaction_.sure = false;
    ++script_->tolerant;
    ReadStatement(piece.tokens, piece.cut, &findings_);
  }

  // What a transaction does that is rolled back in the same text is undone. DROP DATABASE and its kin run in none.
  void Transact(const SqlPiece& piece) {
    const std::vector<SqlToken>& tokens = piece.tokens;
    const bool begins = tokens[0].Is("begin") || (tokens[0].Is("start") && tokens.size() > 1 && tokens[1].Is("transaction"));
    if (begins && !transaction_.open) {
      transaction_ = {.open = true, .sure = true, .begin = findings_.size()};
      return;
    }
    if (tokens[0].Is("commit") || tokens[0].Is("end") || tokens[0].Is("prepare")) transaction_ = Transaction();
    if (!tokens[0].Is("rollback") && !tokens[0].Is("abort")) return;
    if (tokens.size() > 1 && !tokens[1].Is("transaction") && !tokens[1].Is("work")) {
      if (!tokens[1].Is("to")) transaction_.sure = false;  // PREPARED, AND CHAIN
      return;
    }
    if (tokens.size() > 2) {
      if (!tokens[2].Is("to")) transaction_.sure = false;
      return;
    }
    if (transaction_.open && transaction_.sure) {
      for (size_t i = transaction_.begin; i < findings_.size(); ++i) {
        SqlStatement& statement = findings_.statements()[i];
        const bool outside = statement.effect == SqlEffect::kUnseen || statement.effect == SqlEffect::kEscalate ||
                             statement.kind == "file" || statement.kind == "connection" || statement.kind == "server" ||
                             statement.kind == "replication slot" || statement.kind == "database" || statement.kind == "tablespace";
        if (outside) continue;
        statement.undone = true;
        if (statement.effect == SqlEffect::kDestroy) statement.effect = SqlEffect::kWrite;
      }
    }
    transaction_ = Transaction();
  }

  const SqlOptions options_;
  SqlScript* script_;
  SqlFindings findings_;
  Transaction transaction_;
};

bool HasBackslashQuote(absl::string_view text) {
  return absl::StrContains(text, "\\'") || absl::StrContains(text, "\\\"") || absl::StrContains(text, "\\\\");
}

// A CASE in an expression has THEN and ELSE as well.
bool OpensBlock(const SqlToken& token) {
  static constexpr absl::string_view kOpens[] = {"if", "elsif", "elseif", "when", "for", "foreach", "while", "loop",
                                                 "exception", "else", "case", "begin"};
  return std::any_of(std::begin(kOpens), std::end(kOpens), [&](absl::string_view word) { return token.Is(word); });
}

}  // namespace

const char* SqlEffectName(SqlEffect effect) {
  switch (effect) {
    case SqlEffect::kNone:
      return "none";
    case SqlEffect::kRead:
      return "read";
    case SqlEffect::kWrite:
      return "write";
    case SqlEffect::kDestroy:
      return "destroy";
    case SqlEffect::kEscalate:
      return "escalate";
    case SqlEffect::kUnseen:
      return "unseen";
  }
  return "unseen";
}

void SqlFindings::Add(SqlStatement statement) {
  if (statement.name.size() > kMaxNotedName) statement.name.resize(kMaxNotedName);
  for (const SqlStatement& have : statements_) {
    if (have.verb == statement.verb && have.effect == statement.effect && have.kind == statement.kind &&
        have.name == statement.name && have.has_where == statement.has_where && have.note == statement.note &&
        have.undone == statement.undone) {
      return;
    }
  }
  if (statements_.size() >= kMax) {
    // What counts is kept; what was only read or added is not missed.
    if (statement.effect <= SqlEffect::kWrite) return;
    overflow_ = true;
    if (statement.effect != SqlEffect::kUnseen || statements_.size() >= kMax + 4) return;
  }
  statements_.push_back(std::move(statement));
}

void SqlFindings::Unseen(absl::string_view verb, std::string note) {
  std::string word(verb.substr(0, 40));
  Add({.verb = std::move(word), .effect = SqlEffect::kUnseen, .note = std::move(note)});
}

void SqlFindings::Shell(std::string text) {
  if (leads_.size() < kMax) leads_.push_back({SqlLead::Kind::kShell, std::move(text)});
}

void SqlFindings::Inner(absl::string_view text) {
  if (depth_ >= kMaxDepth) return Unseen("", "SQL inside of SQL, too deep");
  ++depth_;
  SqlOptions options{.dialect = dialect_, .client = false};
  SqlLexer lexer(text, options, dialect_ == SqlDialect::kMysql);
  SqlPiece piece;
  for (size_t count = 0; count < 1000 && lexer.Next(&piece); ++count) {
    if (!piece.tokens.empty()) ReadStatement(piece.tokens, piece.cut, this);
  }
  --depth_;
}

void SqlFindings::Body(absl::string_view text) {
  if (depth_ >= kMaxDepth) return Unseen("", "SQL inside of SQL, too deep");
  ++depth_;
  SqlOptions options{.dialect = dialect_, .client = false};
  SqlLexer lexer(text, options, false);
  SqlPiece piece;
  bool declaring = false;
  size_t count = 0;
  for (; count < 10'000 && lexer.Next(&piece); ++count) {
    // Behind the words that open a block stands a statement.
    absl::Span<const SqlToken> tokens = piece.tokens;
    size_t begin = 0;
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i].Is("declare") && i == 0) declaring = true;
      const bool opens = tokens[i].Is("begin") || ((tokens[i].Is("then") || tokens[i].Is("loop") || tokens[i].Is("else")) &&
                                                   (i == begin || OpensBlock(tokens[begin])));
      if (opens) {
        if (tokens[i].Is("begin")) declaring = false;
        if (begin < i && !declaring) ReadStatement(tokens.subspan(begin, i - begin), piece.cut, this);
        begin = i + 1;
      }
    }
    if (begin >= tokens.size() || declaring) continue;
    if (tokens.size() > begin + 1 && tokens[begin + 1].raw == ":") continue;  // an assignment
    if (tokens[begin].Is("execute")) {
      // EXECUTE 'text', EXECUTE format('text', ...)
      bool literal = false;
      for (const SqlToken& token : tokens.subspan(begin)) {
        if (token.kind != SqlToken::Kind::kString) continue;
        Inner(Unquoted(token));
        literal = true;
        break;
      }
      const bool plain = literal && tokens.size() > begin + 1 && tokens[begin + 1].kind == SqlToken::Kind::kString &&
                         (tokens.size() == begin + 2 || tokens[begin + 2].Is("using") || tokens[begin + 2].Is("into"));
      if (!plain) Unseen("execute", "SQL that is put together when it runs");
      continue;
    }
    ReadStatement(tokens.subspan(begin), piece.cut, this);
  }
  if (count >= 10'000) Unseen("do", "a body of more statements than are looked at");
  --depth_;
}

void SqlFindings::Call(absl::string_view name, const std::vector<std::string>& texts, bool as_statement) {
  const SqlFunction function = SqlFunctionOf(name);
  const std::string verb = absl::AsciiStrToLower(name.substr(0, 80));
  if (function.runs_text) {
    for (const std::string& text : texts) {
      // Connection strings, schedules and names are texts as well.
      const absl::string_view words = absl::StripAsciiWhitespace(text);
      const bool begins = !words.empty() && (absl::ascii_isalpha(static_cast<unsigned char>(words[0])) || absl::StrContains("(/-", words[0]));
      if (begins && absl::StrContains(words, ' ') && !absl::StrContains(words.substr(0, 20), "=")) Inner(text);
    }
    if (texts.empty()) Unseen(verb, "SQL that is put together when it runs");
    return;
  }
  if (function.runs_program) {
    for (const std::string& text : texts) Shell(text);
  }
  SqlEffect effect = function.effect;
  if (as_statement && effect == SqlEffect::kRead) effect = SqlEffect::kWrite;
  if (effect == SqlEffect::kUnseen) return Add({.verb = verb, .effect = effect, .kind = "function", .note = "what a function does"});
  std::string object;
  if (function.kind == "replication slot" || function.kind == "file" || function.kind == "table" || function.kind == "schema" ||
      function.kind == "retention" || function.kind == "chunks" || function.kind == "database") {
    if (!texts.empty()) object = texts[0];
  }
  Add({.verb = verb, .effect = effect, .kind = function.kind, .name = std::move(object)});
}

SqlScript ParseSql(absl::string_view text, const SqlOptions& options) {
  SqlScript script;
  Parser parser(options, &script);
  const absl::string_view seen = text.substr(0, kMaxText);
  const bool escapes = options.dialect == SqlDialect::kMysql || options.dialect == SqlDialect::kClickhouse;
  parser.Read(seen, escapes);
  // A dialect that is not known may or may not take a backslash for one: both readings count.
  if (options.dialect == SqlDialect::kGeneric && HasBackslashQuote(seen)) parser.Read(seen, true);
  if (text.size() > kMaxText) parser.findings().Unseen("", absl::StrCat("SQL past ", kMaxText, " bytes"));
  parser.Finish();
  return script;
}

}  // namespace holdpoint
