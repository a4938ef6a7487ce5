// Verbs that run other SQL: in a text, in a block, explained.
#include "agent/parse/sql_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace sql_internal {

bool SqlReader::Explain(const std::string& verb) {
  bool runs = false;
  size_t main = at_;
  if (verb == "explain") {
    if (Sign('(')) {
      const size_t close = Closing(at_);
      for (size_t i = at_; i < close; ++i) {
        if (!Any(tokens_[i], {"analyze", "analyse"})) continue;
        const bool off = i + 1 < close && (Any(tokens_[i + 1], {"false", "off"}) || tokens_[i + 1].raw == "0" ||
                                           absl::EqualsIgnoreCase(Unquoted(tokens_[i + 1]), "off") ||
                                           absl::EqualsIgnoreCase(Unquoted(tokens_[i + 1]), "false"));
        runs = !off;
      }
      main = close + 1;
    } else {
      while (main < tokens_.size() &&
             Any(tokens_[main], {"analyze", "analyse", "verbose", "extended", "formatted", "query", "plan", "for"})) {
        runs |= Any(tokens_[main], {"analyze", "analyse"});
        ++main;
      }
      if (main + 2 < tokens_.size() && tokens_[main].Is("format")) main += 3;
    }
  }
  if (runs) {
    Rest(main);
  } else {
    Add("explain", SqlEffect::kRead, "", "");
  }
  return true;
}

bool SqlReader::Do() {
  bool body = false;
  bool plain = true;
  for (size_t i = at_; i < tokens_.size(); ++i) {
    if (tokens_[i].Is("language") && i + 1 < tokens_.size()) {
      plain = absl::EqualsIgnoreCase(Unquoted(tokens_[i + 1]), "plpgsql");
    }
  }
  for (size_t i = at_; i < tokens_.size(); ++i) {
    if (tokens_[i].kind != Kind::kString) continue;
    body = true;
    if (plain) findings_->Body(Unquoted(tokens_[i]));
  }
  if (body && !plain) findings_->Unseen("do", "a body in another language than SQL");
  if (!body) {  // MySQL: DO function()
    CallsIn(tokens_);
    Add("do", SqlEffect::kRead, "", "");
  }
  return true;
}

bool SqlReader::Dynamic(absl::string_view verb, size_t from) {
  bool literal = false, computed = false;
  for (size_t i = from; i < tokens_.size(); ++i) {
    if (tokens_[i].kind == Kind::kString ||
        (tokens_[i].kind == Kind::kQuoted && findings_->dialect() == SqlDialect::kMysql)) {
      if (!literal) findings_->Inner(Unquoted(tokens_[i]));
      computed |= literal;
      literal = true;
    } else if (tokens_[i].kind == Kind::kOther && (absl::StrContains("|+%", tokens_[i].raw))) {
      computed = true;
    }
  }
  if (!literal || computed) findings_->Unseen(verb, "SQL that is put together when it runs");
  return literal;
}

bool SqlReader::Execute(const std::string& verb) {
  if (Accept({"immediate"})) {
    Dynamic("execute immediate", at_);
    return true;
  }
  if (Sign('(')) {
    Dynamic(verb, at_);
    return true;
  }
  while (!AtEnd() && tokens_[at_].kind == Kind::kWord && tokens_[at_].raw[0] == '@') at_ += 2;  // EXEC @r = proc
  std::string name = Name();
  std::vector<std::string> texts;
  for (size_t i = at_; i < tokens_.size(); ++i) {
    if (tokens_[i].kind == Kind::kString) texts.push_back(Unquoted(tokens_[i]));
  }
  if (name.empty()) {
    findings_->Unseen(verb, "SQL that is put together when it runs");
  } else {
    findings_->Call(name, texts, true);
  }
  return true;
}

bool SqlReader::Prepare() {
  if (Is("transaction")) return Simple("prepare transaction", SqlEffect::kWrite);
  Name();
  if (Sign('(')) at_ = Closing(at_) + 1;
  if (Is("as")) {
    Rest(at_ + 1);
    return true;
  }
  if (Is("from")) Dynamic("prepare", at_ + 1);
  return true;
}

bool SqlReader::Block(const std::string& verb) {
  if (verb == "begin" && (AtEnd() || Any(tokens_[at_], {"transaction", "tran", "work", "isolation", "read", "immediate",
                                                        "exclusive", "deferred", "concurrent", "distributed", "not"}))) {
    return true;
  }
  size_t next = verb == "begin" ? at_ : tokens_.size();
  for (size_t i = at_; i < tokens_.size() && next == tokens_.size(); ++i) {
    if (Any(tokens_[i], {"then", "loop", "begin", "do"})) next = i + 1;
  }
  if (next == tokens_.size() && verb != "begin") {  // T-SQL: IF condition statement
    for (size_t i = at_; i < tokens_.size() && next == tokens_.size(); ++i) {
      if (Any(tokens_[i], {"drop", "delete", "truncate", "update", "alter", "exec", "execute", "insert", "create"})) next = i;
    }
  }
  CallsIn(tokens_.subspan(0, std::min(next, tokens_.size())));
  if (next < tokens_.size()) Rest(next);
  return true;
}

}  // namespace sql_internal
}  // namespace holdpoint
