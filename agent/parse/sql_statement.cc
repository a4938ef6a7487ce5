// One statement by its words: for every dialect but PostgreSQL's, and where PostgreSQL's parser does not take it.
#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/parse/sql_function.h"
#include "agent/parse/sql_internal.h"

namespace holdpoint {
namespace {

using Kind = SqlToken::Kind;
using Tokens = absl::Span<const SqlToken>;
using Words = std::initializer_list<absl::string_view>;

constexpr size_t kMaxCalls = 128;  // in one statement

bool Any(const SqlToken& token, Words words) {
  return std::any_of(words.begin(), words.end(), [&](absl::string_view word) { return token.Is(word); });
}
bool IsSign(const SqlToken& token, char sign) { return token.raw.size() == 1 && token.raw[0] == sign; }

class Reader {
 public:
  Reader(Tokens tokens, bool cut, SqlFindings* findings) : tokens_(tokens), cut_(cut), findings_(findings) {}

  void Read() {
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

 private:
  bool Is(absl::string_view word, size_t ahead = 0) const {
    return at_ + ahead < tokens_.size() && tokens_[at_ + ahead].Is(word);
  }
  bool Sign(char sign) const { return at_ < tokens_.size() && IsSign(tokens_[at_], sign); }
  bool AtEnd() const { return at_ >= tokens_.size(); }
  bool Accept(Words words) {
    if (AtEnd() || !Any(tokens_[at_], words)) return false;
    ++at_;
    return true;
  }
  void AcceptIfExists() {
    if (Is("if") && Is("exists", 1)) at_ += 2;
    if (Is("if") && Is("not", 1) && Is("exists", 2)) at_ += 3;
  }
  bool NameStarts() const {
    return !AtEnd() && (tokens_[at_].kind == Kind::kWord || tokens_[at_].kind == Kind::kQuoted ||
                        (tokens_[at_].kind == Kind::kString && findings_->dialect() != SqlDialect::kPostgres));
  }
  // "a.b.c"; unquoted parts in lower case where the dialect folds them so.
  std::string Name() {
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
  void Add(absl::string_view verb, SqlEffect effect, absl::string_view kind, std::string name, bool has_where = false) {
    findings_->Add({.verb = std::string(verb),
                    .effect = effect,
                    .kind = std::string(kind),
                    .name = std::move(name),
                    .has_where = has_where});
  }
  // Where the bracket that is open at `at` closes; the end where it does not.
  size_t Closing(size_t at) const {
    int depth = 0;
    for (; at < tokens_.size(); ++at) {
      if (IsSign(tokens_[at], '(')) ++depth;
      if (IsSign(tokens_[at], ')') && --depth == 0) return at;
    }
    return tokens_.size();
  }
  // The first of these words outside of brackets from `at` on.
  size_t Find(Words words, size_t at) const {
    int depth = 0;
    for (; at < tokens_.size(); ++at) {
      if (IsSign(tokens_[at], '(')) ++depth;
      if (IsSign(tokens_[at], ')')) --depth;
      if (depth == 0 && Any(tokens_[at], words)) return at;
    }
    return tokens_.size();
  }
  void Rest(size_t at) { ReadStatement(tokens_.subspan(std::min(at, tokens_.size())), cut_, findings_); }

  bool ReadVerb(const std::string& verb) {
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

  bool Simple(absl::string_view verb, SqlEffect effect) {
    Add(verb, effect, "", "");
    return true;
  }

  bool Other(const std::string& verb) {
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

  // Functions that are called, and statements in brackets (writing CTEs, rules).
  void CallsIn(Tokens tokens) {
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

  bool Select(const std::string& verb) {
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

  bool With() {
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

  bool Drop() {
    if (AtEnd()) {  // Its operands went astray: drop what, is not in the text.
      Add("drop", SqlEffect::kDestroy, "", "");
      return true;
    }
    static constexpr absl::string_view kTwo[] = {
        "materialized view", "foreign table",     "external table", "event trigger",    "access method",  "operator class",
        "operator family",   "user mapping",      "column family",  "retention policy", "resource group", "text search",
        "row access",        "masking policy",    "file format",    "external volume",  "dynamic table",  "continuous query",
        "replication slot",  "availability group", "server audit",  "database scoped",  "external schema", "search index",
        "snapshot table",    "application role",  "network policy", "resource monitor", "row policy",     "named collection",
        "settings profile",  "database link",     "logfile group",  "spatial reference", "continuous aggregate"};
    bool temporary = false;
    while (Is("temporary") || Is("temp") || Is("or") || Is("replace") || Is("public") || Is("hidden") || Is("procedural") ||
           Is("trusted") || Is("transient")) {
      temporary |= Is("temporary") || Is("temp");
      ++at_;
    }
    std::string kind = AtEnd() ? "" : absl::AsciiStrToLower(Unquoted(tokens_[at_]));
    if (!AtEnd()) ++at_;
    if (!AtEnd()) {
      const std::string two = absl::StrCat(kind, " ", absl::AsciiStrToLower(tokens_[at_].raw));
      if (std::find(std::begin(kTwo), std::end(kTwo), two) != std::end(kTwo)) {
        kind = two;
        ++at_;
        if (kind == "row access") Accept({"policy"});
        if (kind == "text search") Accept({"configuration", "dictionary", "parser", "template"});
      }
    }
    if (kind == "tables") kind = "table";
    if (kind == "columnfamily") kind = "column family";
    if (kind == "prepare") {  // MySQL: a statement of the connection.
      Add("drop prepare", SqlEffect::kNone, "", "");
      return true;
    }
    Accept({"concurrently"});
    AcceptIfExists();
    if (kind == "owned") Accept({"by"});
    do {
      std::string name = Name();
      if (Sign('(')) at_ = std::min(Closing(at_) + 1, tokens_.size());
      Add("drop", temporary ? SqlEffect::kWrite : SqlEffect::kDestroy, kind, std::move(name));
      if (kind == "trigger" || kind == "policy" || kind == "rule" || kind == "index") break;
    } while (Sign(',') && ++at_ < tokens_.size());
    return true;
  }

  bool Truncate() {
    std::string kind = "table";
    if (Accept({"database"})) kind = "database";
    if (Is("all") && Is("tables", 1)) {
      at_ += 2;
      Accept({"from", "in"});
      kind = "database";
    }
    Accept({"table"});
    AcceptIfExists();
    do {
      Accept({"only"});
      Add("truncate", SqlEffect::kDestroy, kind, Name());
      if (Sign('*')) ++at_;
    } while (Sign(',') && ++at_ < tokens_.size());
    return true;
  }

  // Whether what is left up to the end of the statement says which rows.
  bool Narrowed(size_t from) {
    const size_t where = Find({"where"}, from);
    if (where == tokens_.size()) return Find({"limit", "fetch"}, from) < tokens_.size();
    size_t end = Find({"returning", "order", "limit", "option", "settings", "output", "then"}, where + 1);
    if (end < tokens_.size() && (tokens_[end].Is("limit"))) return true;
    if (cut_) return true;
    return TruthOf(tokens_.subspan(where + 1, end - where - 1)) != SqlTruth::kAlways;
  }

  bool Delete() {
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

  bool Update() {
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

  bool Insert(const std::string& verb) {
    CallsIn(tokens_);
    const bool overwrite = Accept({"overwrite"});
    while (Accept({"low_priority", "delayed", "high_priority", "ignore", "or", "into", "table", "directory", "local"})) {
    }
    std::string name = Name();
    Add(overwrite ? "insert overwrite" : verb, overwrite ? SqlEffect::kDestroy : SqlEffect::kWrite,
        overwrite ? "table" : "rows", std::move(name));
    return true;
  }

  bool Merge() {
    CallsIn(tokens_);
    Accept({"into"});
    std::string name = Name();
    bool deletes = false;
    for (size_t i = at_; i + 1 < tokens_.size(); ++i) deletes |= tokens_[i].Is("then") && tokens_[i + 1].Is("delete");
    Add("merge", deletes ? SqlEffect::kDestroy : SqlEffect::kWrite, "rows", std::move(name), true);
    return true;
  }

  bool Explain(const std::string& verb) {
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

  bool Alter() {
    Accept({"external", "foreign", "materialized", "dynamic"});
    if (AtEnd()) return false;
    const std::string object = absl::AsciiStrToLower(tokens_[at_++].raw);
    AcceptIfExists();
    Accept({"only"});
    if (object == "role" || object == "user" || object == "login") {
      const std::string name = Name();
      const bool raises = Find({"superuser", "createrole", "createdb", "bypassrls", "replication", "sysadmin"}, at_) < tokens_.size();
      Add("alter", raises ? SqlEffect::kEscalate : SqlEffect::kWrite, object, name);
      return true;
    }
    const std::string name = Name();
    if (Is("on") && Is("cluster", 1)) {
      at_ += 2;
      Name();
    }
    if (Sign('*')) ++at_;
    const bool holds_data = object == "table" || object == "type" || object == "column" || object == "view" ||
                            object == "columnfamily" || object == "event";
    if (!holds_data) {
      AlterOther(object, name);
      return true;
    }
    // Each action between commas.
    bool found = false;
    size_t begin = at_;
    int depth = 0;
    for (size_t i = at_; i <= tokens_.size(); ++i) {
      if (i < tokens_.size()) {
        if (IsSign(tokens_[i], '(')) ++depth;
        if (IsSign(tokens_[i], ')')) --depth;
        if (depth != 0 || !IsSign(tokens_[i], ',')) continue;
      }
      found |= AlterAction(begin, i, name);
      begin = i + 1;
    }
    if (!found) Add("alter", SqlEffect::kWrite, object, name);
    return true;
  }

  void AlterOther(const std::string& object, const std::string& name) {
    if (object == "retention" || (object == "database" && SetsRetention(at_, tokens_.size()))) {
      return Add("alter retention", SqlEffect::kDestroy, "retention", name);
    }
    if (object == "tablespace" && Find({"drop"}, at_) < tokens_.size()) {
      return Add("alter drop", SqlEffect::kDestroy, "tablespace", name);
    }
    if (object == "database" && Is("remove") && Is("file", 1)) {
      return Add("alter drop", SqlEffect::kDestroy, "file", name);
    }
    Add("alter", SqlEffect::kWrite, object, name);
  }

  bool SetsRetention(size_t begin, size_t end) const {
    for (size_t i = begin; i < end; ++i) {
      const std::string word = absl::AsciiStrToLower(Unquoted(tokens_[i]));
      if (word == "data_retention_time_in_days" || word == "default_time_to_live" || word == "ttl" ||
          word == "gc_grace_seconds" || word == "max_data_extension_time_in_days" || word == "message_retention" ||
          absl::StrContains(word, "retentionduration") || word == "partition_expiration_days" ||
          word == "expiration_timestamp" || word == "retention_period") {
        return true;
      }
    }
    return false;
  }

  // True where it takes something away.
  bool AlterAction(size_t begin, size_t end, const std::string& table) {
    if (begin >= end) return false;
    at_ = begin;
    const auto part = [&](absl::string_view verb, absl::string_view kind) {
      AcceptIfExists();
      const bool expression = at_ < end && tokens_[at_].kind != Kind::kWord && tokens_[at_].kind != Kind::kQuoted;
      const std::string name = expression ? "" : Name();
      Add(verb, SqlEffect::kDestroy, kind, name.empty() ? table : absl::StrCat(table, ".", name));
      return true;
    };
    if (Accept({"drop"})) {
      if (Accept({"partition", "part", "subpartition"})) {
        AcceptIfExists();
        return part("alter drop", "partition");
      }
      if (Accept({"detached"})) return part("alter drop", "partition");
      if (Any(tokens_[std::min(at_, tokens_.size() - 1)],
              {"constraint", "index", "key", "primary", "foreign", "check", "default", "unique", "projection", "rule", "search",
               "clustering", "row", "masking", "tag", "statistics", "period", "system", "not", "expression", "identity"}) &&
          at_ < end) {
        return false;
      }
      if (at_ >= end) return part("alter drop", "");
      Accept({"column", "columns", "field", "attribute"});
      if (Sign('(')) ++at_;
      return part("alter drop", "column");
    }
    if (Accept({"truncate"})) {
      Accept({"partition"});
      return part("alter truncate", "partition");
    }
    if (Accept({"detach"})) {
      Accept({"partition", "part"});
      return part("alter detach", "partition");
    }
    if (Accept({"delete"})) {  // ClickHouse
      const bool narrowed = Narrowed(at_);
      Add("delete", SqlEffect::kDestroy, "rows", table, narrowed);
      return true;
    }
    if (Accept({"update"})) {
      Add("update", SqlEffect::kWrite, "rows", table, true);
      return true;
    }
    if (Accept({"clear"})) {
      Accept({"column", "index", "projection"});
      return part("alter clear", "column");
    }
    if (Is("discard") || Is("coalesce")) {
      Add("alter discard", SqlEffect::kDestroy, "table", table);
      return true;
    }
    if ((Is("modify") && Is("ttl", 1)) || SetsRetention(begin, end)) {
      Add("alter retention", SqlEffect::kDestroy, "retention", table);
      return true;
    }
    if (Is("engine") && end > begin + 1 && absl::EqualsIgnoreCase(tokens_[end - 1].raw, "blackhole")) {
      Add("alter engine", SqlEffect::kDestroy, "table", table);
      return true;
    }
    if (Is("alter") || Is("modify") || Is("change")) {  // ALTER COLUMN c DROP NOT NULL
      return false;
    }
    return false;
  }

  bool Create() {
    const bool replace = Is("or") && (Is("replace", 1) || Is("alter", 1));
    if (replace) at_ += 2;
    bool temporary = false;
    while (Is("temporary") || Is("temp") || Is("transient") || Is("global") || Is("local") || Is("unlogged") ||
           Is("external") || Is("dynamic") || Is("hybrid") || Is("volatile") || Is("definer") || Is("algorithm")) {
      temporary |= Is("temporary") || Is("temp") || Is("volatile");
      ++at_;
    }
    if (AtEnd()) return false;
    const std::string object = absl::AsciiStrToLower(tokens_[at_++].raw);
    AcceptIfExists();
    const std::string name = Name();
    if (replace && !temporary && (object == "table" || object == "database" || object == "schema" || object == "stage")) {
      Add("create or replace", SqlEffect::kDestroy, object, name);
    } else {
      Add("create", SqlEffect::kWrite, object, name);
    }
    if (object == "event" || object == "task") {  // What runs on a schedule counts as run.
      const size_t body = object == "event" ? Find({"do"}, at_) : Find({"as"}, at_);
      if (body < tokens_.size()) Rest(body + 1);
    }
    if (object == "user" || object == "role") {
      if (Find({"superuser"}, at_) < tokens_.size()) Add("create", SqlEffect::kEscalate, object, name);
    }
    if (object == "table" || object == "materialized") CallsIn(tokens_.subspan(std::min(at_, tokens_.size())));
    return true;
  }

  bool Do() {
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

  // SQL in a literal, or in one that is put together: what is seen of it is read.
  bool Dynamic(absl::string_view verb, size_t from) {
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

  bool Execute(const std::string& verb) {
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

  bool Prepare() {
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

  bool Copy(const std::string& verb) {
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

  bool PurgeOrReset(const std::string& verb) {
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

  bool System() {
    if (Is("drop")) {
      const bool replica = Is("replica", 1) || (Is("database", 1) && Is("replica", 2));
      Add("system drop", replica ? SqlEffect::kDestroy : SqlEffect::kWrite, replica ? "replica" : "cache", "");
    } else {
      Add("system", SqlEffect::kWrite, "", "");
    }
    return true;
  }

  bool Vacuum(const std::string& verb) {
    if (Find({"retain"}, at_) < tokens_.size()) {
      Add("vacuum retain", SqlEffect::kDestroy, "retention", Name());
    } else {
      Add(verb, SqlEffect::kWrite, "", "");
    }
    return true;
  }

  bool Restore() {
    if (Accept({"database", "log"})) {
      const std::string name = Name();
      Add("restore", SqlEffect::kDestroy, "database", name);
    } else {
      Add("restore", SqlEffect::kWrite, "", "");
    }
    return true;
  }

  bool Detach() {
    const bool clickhouse = findings_->dialect() == SqlDialect::kClickhouse;
    std::string kind = AtEnd() ? "" : absl::AsciiStrToLower(tokens_[at_++].raw);
    AcceptIfExists();
    Add("detach", clickhouse ? SqlEffect::kDestroy : SqlEffect::kNone, kind, Name());
    return true;
  }

  // A block of statements that run: BEGIN ... END, IF ... THEN ...
  bool Block(const std::string& verb) {
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

  const Tokens tokens_;
  const bool cut_;
  SqlFindings* findings_;
  size_t at_ = 0;
  size_t calls_ = 0;
};

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

constexpr int kMaxReading = 64;  // statements inside of each other: ((WITH ... (WITH ...

}  // namespace

void ReadStatement(Tokens tokens, bool cut, SqlFindings* findings) {
  static thread_local int depth = 0;
  if (tokens.empty()) return;
  if (depth >= kMaxReading) return findings->Unseen("", "statements inside of each other, too deep");
  ++depth;
  if (findings->dialect() == SqlDialect::kTsql && !tokens[0].Is("create")) {
    size_t begin = 0;
    while (begin < tokens.size()) {
      const size_t end = NextBegins(tokens, begin + 1);
      Reader(tokens.subspan(begin, end - begin), cut, findings).Read();
      begin = end;
    }
  } else {
    Reader(tokens, cut, findings).Read();
  }
  --depth;
}

}  // namespace holdpoint
