// Parts of ParseSql.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "agent/parse/sql.h"
#include "agent/parse/sql_lexer.h"

namespace holdpoint {

// What the statements found so far do; bounded, without repetitions.
class SqlFindings {
 public:
  static constexpr size_t kMax = 256;
  static constexpr int kMaxDepth = 6;  // of SQL inside SQL

  // `dialect` of the text as a whole.
  explicit SqlFindings(SqlDialect dialect) : dialect_(dialect) {}

  void Add(SqlStatement statement);
  void Unseen(absl::string_view verb, std::string note);
  void Shell(std::string text);
  // SQL that stands in a literal of other SQL.
  void Inner(absl::string_view text);
  // The body of a DO block or of a procedure that runs now.
  void Body(absl::string_view text);
  // A call of a function, with the literal texts among its arguments.
  void Call(absl::string_view name, const std::vector<std::string>& texts, bool as_statement);

  SqlDialect dialect() const { return dialect_; }
  bool overflow() const { return overflow_; }
  std::vector<SqlStatement>& statements() { return statements_; }
  std::vector<SqlLead>& leads() { return leads_; }
  // Everything from here on goes back when the transaction does.
  size_t size() const { return statements_.size(); }

 private:
  SqlDialect dialect_;
  std::vector<SqlStatement> statements_;
  std::vector<SqlLead> leads_;
  bool overflow_ = false;
  int depth_ = 0;
};

// One statement by its words, whatever its dialect.
void ReadStatement(absl::Span<const SqlToken> tokens, bool cut, SqlFindings* findings);

// Whether a condition says anything: true for every row, false for every row, or neither is known.
enum class SqlTruth { kUnknown, kAlways, kNever };
SqlTruth TruthOf(absl::Span<const SqlToken> condition, int depth = 0);
// A column by which rows are told apart: "id", "orders.id", "order_id" is none.
bool IsKeyColumn(absl::string_view name);
// Two constants compared by `op`; nothing where `op` is no comparison.
std::optional<bool> Compare(absl::string_view left, absl::string_view op, absl::string_view right);

// One statement by PostgreSQL's own parser. False where it does not take it: nothing is added then.
bool ReadWithPostgres(const std::string& text, SqlFindings* findings);

}  // namespace holdpoint
