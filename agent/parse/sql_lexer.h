#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/parse/sql.h"

namespace holdpoint {

struct SqlToken {
  enum class Kind { kWord, kQuoted, kString, kNumber, kOther };
  Kind kind = Kind::kOther;
  absl::string_view raw;  // in the text, quotes and prefix included

  bool Is(absl::string_view word) const;  // an unquoted word, in any case
};

// Without quotes and prefix; doubled quotes are one. An unquoted word stays as it is.
std::string Unquoted(const SqlToken& token);

// The words of one statement, and where it stands.
struct SqlPiece {
  std::vector<SqlToken> tokens;
  size_t begin = 0, end = 0;  // in the text, without its terminator
  bool cut = false;           // it has more than kMaxTokens words
  bool open = false;          // a quote, comment or body in it does not end
};

// Divides text into statements as the client of the dialect does. Client commands are taken out and noted.
class SqlLexer {
 public:
  static constexpr size_t kMaxTokens = 20'000;

  // Borrows the text. `backslash`: a backslash in a quoted text hides the next character.
  SqlLexer(absl::string_view text, const SqlOptions& options, bool backslash);

  // False at the end.
  bool Next(SqlPiece* piece);
  std::vector<SqlLead>& leads() { return leads_; }
  // Client commands that run what no text shows (\gexec).
  const std::vector<std::string>& unseen() const { return unseen_; }
  // Client commands that overwrite a database (.restore), by name.
  const std::vector<SqlStatement>& direct() const { return direct_; }
  size_t commands() const { return commands_; }

 private:
  bool AtEnd() const { return at_ >= text_.size(); }
  char Peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool StartsWith(absl::string_view word) const { return text_.substr(at_, word.size()) == word; }
  bool SkipSpace(SqlPiece* piece);      // false where nothing was skipped
  void SkipComment(SqlPiece* piece);
  void Quote(char end, bool escapes, SqlPiece* piece);
  bool DollarQuote(SqlPiece* piece);
  void Word(SqlPiece* piece);
  void Add(SqlToken::Kind kind, size_t begin, SqlPiece* piece);
  bool ClientLine(const SqlPiece& piece);  // a line that is the client's own, at its start
  bool Backslash(SqlPiece* piece);         // psql, mysql; true where it ends the statement
  bool Terminator(const SqlPiece& piece);
  void FollowBody(const SqlPiece& piece);
  void SkipCopyData(const SqlPiece& piece);
  std::string RestOfLine();

  absl::string_view text_;
  const SqlOptions options_;
  const bool backslash_;
  size_t at_ = 0;
  bool line_start_ = true;
  int executable_comments_ = 0;
  int body_depth_ = 0;
  bool batch_body_ = false;  // T-SQL: the rest of the batch is a definition
  std::string delimiter_ = ";";
  std::vector<SqlLead> leads_;
  std::vector<std::string> unseen_;
  std::vector<SqlStatement> direct_;
  size_t commands_ = 0;
};

}  // namespace holdpoint
