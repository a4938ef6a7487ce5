// The cursor, and the verbs that are told apart by a word or two.
#include "agent/parse/sql_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/parse/sql_function.h"

namespace holdpoint {
namespace sql_internal {
namespace {

constexpr int kMaxReading = 64;  // statements inside of each other: ((WITH ... (WITH ...

// T-SQL needs no semicolon: where the next statement begins.
size_t NextBegins(Tokens tokens, size_t from) {
  for (size_t i = from; i + 1 < tokens.size(); ++i) {
    const SqlToken& before = tokens[i - 1];
    const SqlToken& after = tokens[i + 1];
    if (tokens[i].Is("drop") && Any(after, {"table", "database", "schema", "view", "procedure", "proc", "function", "index",
                                            "user", "login", "role", "trigger", "type", "sequence"}) &&
        !tokens[0].Is("alter")) {
      return i;
    }
    if (tokens[i].Is("truncate") && after.Is("table")) return i;
    if (tokens[i].Is("delete") && after.kind != Kind::kOther &&
        !Any(before, {"on", "then", "for", "after", "of"}) && !IsSign(before, ',')) {
      return i;
    }
    if (tokens[i].Is("update") && i + 2 < tokens.size() && !Any(before, {"on", "then", "for", "after", "of"}) &&
        !IsSign(before, ',') && (after.kind == Kind::kWord || after.kind == Kind::kQuoted)) {
      return i;
    }
    if (Any(tokens[i], {"exec", "execute"}) && !Any(before, {"insert", "grant", "with"})) return i;
    if (tokens[i].Is("alter") && Any(after, {"table", "database"})) return i;
  }
  return tokens.size();
}

}  // namespace

void SqlReader::Read() {
  while (Sign('(')) ++at_;
  if (at_ >= tokens_.size()) return;
  const std::string verb = absl::AsciiStrToLower(tokens_[at_].raw);
  if (tokens_[at_].kind != Kind::kWord) return findings_->Unseen("", "a statement that begins with no word");
  ++at_;
  if (!ReadVerb(verb)) {
    CallsIn(tokens_);
    findings_->Unseen(verb, "a statement that is not known");
  }
  if (cut_ && verb != "insert" && verb != "replace" && verb != "values" && verb != "copy") {
    findings_->Unseen(verb, "a statement of more words than are looked at");
  }
}

bool SqlReader::Accept(Words words) {
  if (AtEnd() || !Any(tokens_[at_], words)) return false;
  ++at_;
  return true;
}

void SqlReader::AcceptIfExists() {
  if (Is("if") && Is("exists", 1)) at_ += 2;
  if (Is("if") && Is("not", 1) && Is("exists", 2)) at_ += 3;
}

bool SqlReader::NameStarts() const {
  return !AtEnd() && (tokens_[at_].kind == Kind::kWord || tokens_[at_].kind == Kind::kQuoted ||
                      (tokens_[at_].kind == Kind::kString && findings_->dialect() != SqlDialect::kPostgres));
}

std::string SqlReader::Name() {
  std::string name;
  while (NameStarts()) {
    std::string part = Unquoted(tokens_[at_]);
    if (tokens_[at_].kind == Kind::kWord && findings_->dialect() == SqlDialect::kPostgres) {
      part = absl::AsciiStrToLower(part);
    }
    absl::StrAppend(&name, part);
    ++at_;
    // MySQL and ClickHouse write hyphens in names only in quotes, BigQuery does not.
    while (findings_->dialect() == SqlDialect::kGeneric && Sign('-') && at_ + 1 < tokens_.size() &&
           tokens_[at_ + 1].raw.data() == tokens_[at_].raw.data() + 1) {
      absl::StrAppend(&name, "-", tokens_[at_ + 1].raw);
      at_ += 2;
    }
    if (!Sign('.')) break;
    absl::StrAppend(&name, ".");
    ++at_;
    if (Sign('.')) ++at_;
  }
  return name;
}

void SqlReader::Add(absl::string_view verb, SqlEffect effect, absl::string_view kind, std::string name, bool has_where) {
  findings_->Add({.verb = std::string(verb),
                  .effect = effect,
                  .kind = std::string(kind),
                  .name = std::move(name),
                  .has_where = has_where});
}

size_t SqlReader::Closing(size_t at) const {
  int depth = 0;
  for (; at < tokens_.size(); ++at) {
    if (IsSign(tokens_[at], '(')) ++depth;
    if (IsSign(tokens_[at], ')') && --depth == 0) return at;
  }
  return tokens_.size();
}

size_t SqlReader::Find(Words words, size_t at) const {
  int depth = 0;
  for (; at < tokens_.size(); ++at) {
    if (IsSign(tokens_[at], '(')) ++depth;
    if (IsSign(tokens_[at], ')')) --depth;
    if (depth == 0 && Any(tokens_[at], words)) return at;
  }
  return tokens_.size();
}

bool SqlReader::ReadVerb(const std::string& verb) {
  if (verb == "select" || verb == "values" || verb == "table") return Select(verb);
  if (verb == "with") return With();
  if (verb == "drop" || verb == "undrop") return verb == "drop" ? Drop() : Simple("undrop", SqlEffect::kWrite);
  if (verb == "truncate") return Truncate();
  if (verb == "delete") return Delete();
  if (verb == "update") return Update();
  if (verb == "alter") return Alter();
  if (verb == "create") return Create();
  if (verb == "explain" || verb == "describe" || verb == "desc") return Explain(verb);
  if (verb == "insert" || verb == "replace") return Insert(verb);
  if (verb == "merge") return Merge();
  if (verb == "do") return Do();
  if (verb == "exec" || verb == "execute" || verb == "call") return Execute(verb);
  if (verb == "prepare") return Prepare();
  if (verb == "copy" || verb == "unload" || verb == "load") return Copy(verb);
  if (verb == "purge" || verb == "reset") return PurgeOrReset(verb);
  if (verb == "system") return System();
  if (verb == "vacuum" || verb == "optimize") return Vacuum(verb);
  if (verb == "restore") return Restore();
  if (verb == "remove" || verb == "erase") {
    Add(verb, SqlEffect::kDestroy, "", "");
    return true;
  }
  if (verb == "detach") return Detach();
  if (verb == "grant" || verb == "revoke") {
    CallsIn(tokens_);
    Add(verb, verb == "grant" ? SqlEffect::kEscalate : SqlEffect::kWrite, "rights", "");
    return true;
  }
  if (verb == "shutdown" || verb == "kill") return Simple(verb, SqlEffect::kWrite);
  if (verb == "begin" || verb == "if" || verb == "while" || verb == "for" || verb == "loop") return Block(verb);
  return Other(verb);
}

bool SqlReader::Simple(absl::string_view verb, SqlEffect effect) {
  Add(verb, effect, "", "");
  return true;
}

bool SqlReader::Other(const std::string& verb) {
  if (verb == "return" && Accept({"query"})) {
    Rest(at_);
    return true;
  }
  static constexpr absl::string_view kNothing[] = {
      "commit", "rollback", "abort",   "end",     "start",   "savepoint", "release",    "set",    "show",     "use",
      "fetch",  "close",    "listen",  "unlisten", "discard", "deallocate", "declare",   "print",  "raiserror", "go",
      "help",   "exit",     "quit",    "lock",    "unlock",  "pragma",    "checkpoint", "explain", "move",     "clear",
      "return", "break",    "continue", "raise",  "throw",   "perform",   "else",       "get",    "leave",    "iterate",
      "signal", "then",     "exception", "when",  "null",    "ls",        "list",       "consistency", "tracing", "paging",
      "exists", "check",    "waitfor", "open",    "try",     "catch",     "tran",       "transaction", "login", "capture",
      "expand", "serial", "elsif",     "elseif",  "foreach",    "case"};
  static constexpr absl::string_view kWrites[] = {
      "analyze", "analyse",  "reindex", "cluster", "refresh", "comment", "security", "reassign", "notify", "attach",
      "rename",  "import",   "install", "backup",  "export",  "put",     "move",     "rebuild",  "repair", "flush",
      "change",  "stop",     "msck",    "cache",   "uncache", "batch",   "apply",    "upsert",   "dbcc",   "bulk",
      "disable", "enable",   "deny",    "bind",    "unbind",  "handler", "exchange", "grant",    "summarize", "add",
      "clone",   "sync",     "convert", "watch",   "suspend", "resume",  "pause"};
  CallsIn(tokens_);
  if (verb == "use") {
    if (findings_->leads().size() < SqlFindings::kMax) findings_->leads().push_back({SqlLead::Kind::kDatabase, Name()});
    return true;
  }
  if (std::find(std::begin(kNothing), std::end(kNothing), verb) != std::end(kNothing)) return true;
  if (std::find(std::begin(kWrites), std::end(kWrites), verb) != std::end(kWrites)) return Simple(verb, SqlEffect::kWrite);
  return false;
}

void SqlReader::CallsIn(Tokens tokens) {
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    if ((tokens[i].kind != Kind::kWord && tokens[i].kind != Kind::kQuoted) || !IsSign(tokens[i + 1], '(')) continue;
    std::string name = Unquoted(tokens[i]);
    if (i >= 2 && IsSign(tokens[i - 1], '.')) name = absl::StrCat(Unquoted(tokens[i - 2]), ".", name);
    const SqlFunction function = SqlFunctionOf(name);
    if (function.effect == SqlEffect::kRead && !function.runs_text) continue;
    if (++calls_ > kMaxCalls) return findings_->Unseen("", "more calls than are looked at");
    std::vector<std::string> texts;
    int depth = 0;
    for (size_t at = i + 1; at < tokens.size(); ++at) {
      if (IsSign(tokens[at], '(')) ++depth;
      if (IsSign(tokens[at], ')') && --depth == 0) break;
      if (tokens[at].kind == Kind::kString) texts.push_back(Unquoted(tokens[at]));
    }
    findings_->Call(name, texts, false);
  }
}

bool SqlReader::PurgeOrReset(const std::string& verb) {
  if (verb == "reset") {
    if (Is("master") || (Is("binary") && Is("logs", 1))) {
      Add("reset", SqlEffect::kDestroy, "binary logs", "");
    } else {
      Add("reset", Is("replica") || Is("slave") ? SqlEffect::kWrite : SqlEffect::kNone, "", "");
    }
    return true;
  }
  if (Is("binary") || Is("master")) {
    Add("purge", SqlEffect::kDestroy, "binary logs", "");
  } else {
    const std::string kind = AtEnd() ? "" : absl::AsciiStrToLower(tokens_[at_].raw);
    Add("purge", SqlEffect::kDestroy, kind, "");
  }
  return true;
}

bool SqlReader::System() {
  if (Is("drop")) {
    const bool replica = Is("replica", 1) || (Is("database", 1) && Is("replica", 2));
    Add("system drop", replica ? SqlEffect::kDestroy : SqlEffect::kWrite, replica ? "replica" : "cache", "");
  } else {
    Add("system", SqlEffect::kWrite, "", "");
  }
  return true;
}

bool SqlReader::Vacuum(const std::string& verb) {
  if (Find({"retain"}, at_) < tokens_.size()) {
    Add("vacuum retain", SqlEffect::kDestroy, "retention", Name());
  } else {
    Add(verb, SqlEffect::kWrite, "", "");
  }
  return true;
}

bool SqlReader::Restore() {
  if (Accept({"database", "log"})) {
    const std::string name = Name();
    Add("restore", SqlEffect::kDestroy, "database", name);
  } else {
    Add("restore", SqlEffect::kWrite, "", "");
  }
  return true;
}

bool SqlReader::Detach() {
  const bool clickhouse = findings_->dialect() == SqlDialect::kClickhouse;
  std::string kind = AtEnd() ? "" : absl::AsciiStrToLower(tokens_[at_++].raw);
  AcceptIfExists();
  Add("detach", clickhouse ? SqlEffect::kDestroy : SqlEffect::kNone, kind, Name());
  return true;
}

bool SqlReader::Copy(const std::string& verb) {
  CallsIn(tokens_);
  for (size_t i = at_; i + 1 < tokens_.size(); ++i) {
    if (tokens_[i].Is("program") && tokens_[i + 1].kind == Kind::kString) {
      findings_->Shell(Unquoted(tokens_[i + 1]));
      Add("copy program", SqlEffect::kEscalate, "program", "");
    }
  }
  if (Sign('(') && at_ + 1 < tokens_.size()) {
    ReadStatement(tokens_.subspan(at_ + 1, Closing(at_) - at_ - 1), false, findings_);
  }
  Add(verb, SqlEffect::kWrite, "rows", Sign('(') ? "" : Name());
  return true;
}

}  // namespace sql_internal

void ReadStatement(absl::Span<const SqlToken> tokens, bool cut, SqlFindings* findings) {
  static thread_local int depth = 0;
  if (tokens.empty()) return;
  if (depth >= sql_internal::kMaxReading) return findings->Unseen("", "statements inside of each other, too deep");
  ++depth;
  if (findings->dialect() == SqlDialect::kTsql && !tokens[0].Is("create")) {
    size_t begin = 0;
    while (begin < tokens.size()) {
      const size_t end = sql_internal::NextBegins(tokens, begin + 1);
      sql_internal::SqlReader(tokens.subspan(begin, end - begin), cut, findings).Read();
      begin = end;
    }
  } else {
    sql_internal::SqlReader(tokens, cut, findings).Read();
  }
  --depth;
}

}  // namespace holdpoint
