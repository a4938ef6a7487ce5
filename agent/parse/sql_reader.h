// One statement by its words: for every dialect but PostgreSQL's, and where PostgreSQL's parser does not take it.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "agent/parse/sql_internal.h"

namespace holdpoint::sql_internal {

using Kind = SqlToken::Kind;
using Tokens = absl::Span<const SqlToken>;
using Words = std::initializer_list<absl::string_view>;

inline bool Any(const SqlToken& token, Words words) {
  return std::any_of(words.begin(), words.end(), [&](absl::string_view word) { return token.Is(word); });
}
inline bool IsSign(const SqlToken& token, char sign) { return token.raw.size() == 1 && token.raw[0] == sign; }

// A cursor over the words of one statement. Where the verbs are: sql_rows.cc (select, delete, update, ...), sql_definition.cc
// (drop, truncate, alter, create), sql_dynamic.cc (what runs other SQL), sql_statement.cc (the rest).
class SqlReader {
 public:
  SqlReader(Tokens tokens, bool cut, SqlFindings* findings) : tokens_(tokens), cut_(cut), findings_(findings) {}

  void Read();

 private:
  static constexpr size_t kMaxCalls = 128;  // in one statement

  bool Is(absl::string_view word, size_t ahead = 0) const {
    return at_ + ahead < tokens_.size() && tokens_[at_ + ahead].Is(word);
  }
  bool Sign(char sign) const { return at_ < tokens_.size() && IsSign(tokens_[at_], sign); }
  bool AtEnd() const { return at_ >= tokens_.size(); }
  bool Accept(Words words);
  void AcceptIfExists();
  bool NameStarts() const;
  // "a.b.c"; unquoted parts in lower case where the dialect folds them so.
  std::string Name();
  void Add(absl::string_view verb, SqlEffect effect, absl::string_view kind, std::string name, bool has_where = false);
  // Where the bracket that is open at `at` closes; the end where it does not.
  size_t Closing(size_t at) const;
  // The first of these words outside of brackets from `at` on.
  size_t Find(Words words, size_t at) const;
  // The statement that begins at `at`.
  void Rest(size_t at) { ReadStatement(tokens_.subspan(std::min(at, tokens_.size())), cut_, findings_); }

  // True where the verb is known.
  bool ReadVerb(const std::string& verb);

  // sql_statement.cc
  bool Simple(absl::string_view verb, SqlEffect effect);
  bool Other(const std::string& verb);
  // Functions that are called, and statements in brackets (writing CTEs, rules).
  void CallsIn(Tokens tokens);
  bool PurgeOrReset(const std::string& verb);
  bool System();
  bool Vacuum(const std::string& verb);
  bool Restore();
  bool Detach();
  bool Copy(const std::string& verb);

  // sql_rows.cc
  bool Select(const std::string& verb);
  bool With();
  // Whether what is left up to the end of the statement says which rows.
  bool Narrowed(size_t from);
  bool Delete();
  bool Update();
  bool Insert(const std::string& verb);
  bool Merge();

  // sql_definition.cc
  bool Drop();
  bool Truncate();
  bool Alter();
  void AlterOther(const std::string& object, const std::string& name);
  bool SetsRetention(size_t begin, size_t end) const;
  // True where it takes something away.
  bool AlterAction(size_t begin, size_t end, const std::string& table);
  bool Create();

  // sql_dynamic.cc
  bool Explain(const std::string& verb);
  bool Do();
  // SQL in a literal, or in one that is put together: what is seen of it is read.
  bool Dynamic(absl::string_view verb, size_t from);
  bool Execute(const std::string& verb);
  bool Prepare();
  // A block of statements that run: BEGIN ... END, IF ... THEN ...
  bool Block(const std::string& verb);

  const Tokens tokens_;
  const bool cut_;
  SqlFindings* findings_;
  size_t at_ = 0;
  size_t calls_ = 0;
};

}  // namespace holdpoint::sql_internal
