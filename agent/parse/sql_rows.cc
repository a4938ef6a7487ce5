// Verbs that read, write or delete rows.
#include "agent/parse/sql_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace sql_internal {

bool SqlReader::Select(const std::string& verb) {
  CallsIn(tokens_);
  const size_t into = Find({"into"}, at_);
  if (into < tokens_.size()) {
    at_ = into + 1;
    const bool outfile = Is("outfile") || Is("dumpfile");
    Add("select into", SqlEffect::kWrite, outfile ? "file" : "table", outfile ? "" : Name());
    return true;
  }
  Add(verb, SqlEffect::kRead, "", "");
  return true;
}

bool SqlReader::With() {
  const size_t from = at_;
  // Each query of the list that writes, and the statement behind the list.
  size_t queries = 0;
  for (size_t i = from; i + 1 < tokens_.size(); ++i) {
    if (queries > kMaxCalls) {
      findings_->Unseen("with", "more queries than are looked at");
      break;
    }
    if (IsSign(tokens_[i], '(') && Any(tokens_[i + 1], {"delete", "update", "insert", "merge", "truncate", "drop"})) {
      ++queries;
      ReadStatement(tokens_.subspan(i + 1, Closing(i) - i - 1), false, findings_);
    }
  }
  const size_t main = Find({"select", "insert", "update", "delete", "merge", "values", "table", "replace"}, from);
  if (main < tokens_.size()) {
    Rest(main);
  } else {
    findings_->Unseen("with", "a statement that is not known");
  }
  return true;
}

bool SqlReader::Narrowed(size_t from) {
  const size_t where = Find({"where"}, from);
  if (where == tokens_.size()) return Find({"limit", "fetch"}, from) < tokens_.size();
  size_t end = Find({"returning", "order", "limit", "option", "settings", "output", "then"}, where + 1);
  if (end < tokens_.size() && (tokens_[end].Is("limit"))) return true;
  if (cut_) return true;
  return TruthOf(tokens_.subspan(where + 1, end - where - 1)) != SqlTruth::kAlways;
}

bool SqlReader::Delete() {
  CallsIn(tokens_);
  while (Accept({"low_priority", "quick", "ignore"})) {
  }
  bool limited = false;
  if (Accept({"top"})) {
    limited = true;
    if (Sign('(')) at_ = Closing(at_) + 1;
    else ++at_;
    Accept({"percent"});
  }
  // MySQL: DELETE t1, t2 FROM t1 JOIN ...; Cassandra: DELETE column FROM t.
  const size_t from = Find({"from"}, std::min(at_, tokens_.size()));
  if (from < tokens_.size()) at_ = from + 1;
  Accept({"only"});
  std::string name = Name();
  Add("delete", SqlEffect::kDestroy, "rows", std::move(name), limited || Narrowed(std::min(at_, tokens_.size())));
  return true;
}

bool SqlReader::Update() {
  CallsIn(tokens_);
  while (Accept({"low_priority", "ignore", "only"})) {
  }
  if (Is("or")) at_ += 2;  // SQLite: OR ROLLBACK
  if (Is("statistics")) return Simple("update statistics", SqlEffect::kWrite);
  bool limited = Accept({"top"});
  if (limited && Sign('(')) at_ = std::min(Closing(at_) + 1, tokens_.size());
  std::string name = Name();
  if (Find({"set"}, at_) == tokens_.size()) {
    findings_->Unseen("update", "an update without SET");
    return true;
  }
  const bool joined = Find({"join"}, at_) < tokens_.size();
  const bool narrowed = limited || joined || Narrowed(at_);
  Add("update", narrowed ? SqlEffect::kWrite : SqlEffect::kDestroy, "rows", std::move(name), narrowed);
  return true;
}

bool SqlReader::Insert(const std::string& verb) {
  CallsIn(tokens_);
  const bool overwrite = Accept({"overwrite"});
  while (Accept({"low_priority", "delayed", "high_priority", "ignore", "or", "into", "table", "directory", "local"})) {
  }
  std::string name = Name();
  Add(overwrite ? "insert overwrite" : verb, overwrite ? SqlEffect::kDestroy : SqlEffect::kWrite,
      overwrite ? "table" : "rows", std::move(name));
  return true;
}

bool SqlReader::Merge() {
  CallsIn(tokens_);
  Accept({"into"});
  std::string name = Name();
  bool deletes = false;
  for (size_t i = at_; i + 1 < tokens_.size(); ++i) deletes |= tokens_[i].Is("then") && tokens_[i + 1].Is("delete");
  Add("merge", deletes ? SqlEffect::kDestroy : SqlEffect::kWrite, "rows", std::move(name), true);
  return true;
}

}  // namespace sql_internal
}  // namespace holdpoint
