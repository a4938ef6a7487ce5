#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace holdpoint {

enum class SqlDialect { kGeneric, kPostgres, kMysql, kSqlite, kTsql, kClickhouse, kCassandra };

enum class SqlEffect {
  kNone,      // transactions, settings of the connection
  kRead,
  kWrite,     // adds or changes; what was there can be told from what is
  kDestroy,   // rows, objects or the way back to them are gone
  kEscalate,  // gives rights, or runs a program on the server
  kUnseen,    // what it does is not in the text
};

const char* SqlEffectName(SqlEffect effect);

// One thing that a statement does. A statement may do several: each table of a DROP, each writing CTE.
struct SqlStatement {
  std::string verb{};  // lower case: "drop", "delete", "alter drop", "create or replace", the name of a function
  SqlEffect effect = SqlEffect::kNone;
  std::string kind{};  // lower case: "table", "database", "column", "rows", "retention"; empty where none is named
  std::string name{};  // as written, without quotes: "sales.orders"; empty where it is computed or absent
  bool has_where = false;  // of delete and update: a condition or a limit, and not one that is always true
  bool undone = false;     // a transaction that the same text begins and rolls back
  std::string note{};        // of kUnseen: what can't be seen
};

// A command of the client itself that leads elsewhere.
struct SqlLead {
  enum class Kind { kFile, kShell, kDatabase };
  Kind kind = Kind::kFile;
  std::string text;  // path, command line, name or connection string
};

struct SqlScript {
  std::vector<SqlStatement> statements;  // without repetitions, in order of their first appearance
  std::vector<SqlLead> leads;
  size_t parsed = 0;    // statements that PostgreSQL's own parser took
  size_t tolerant = 0;  // statements that were read without it
};

struct SqlOptions {
  SqlDialect dialect = SqlDialect::kGeneric;
  bool client = true;  // the text goes through a client with commands of its own (backslash, dot, GO, DELIMITER)
};

// What SQL would do, by its text. PostgreSQL's statements are parsed by PostgreSQL's parser; what it does not take, and
// every other dialect, is read by its words: quotes, comments and brackets of the dialect are respected, statements are
// told apart as the client tells them, and a word that no dialect begins a statement with is kUnseen.
//
// Past 1 MiB, 20,000 words in one statement or 256 different effects the rest is one statement with kUnseen, so no
// length makes a text harmless. Linear in the text; memory below 64 MiB. Never fails. No literal value is kept.
// Any thread.
SqlScript ParseSql(absl::string_view text, const SqlOptions& options);

}  // namespace holdpoint
