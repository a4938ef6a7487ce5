// Verbs that drop, empty, change or make what rows stand in.
#include "agent/parse/sql_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace sql_internal {

bool SqlReader::Drop() {
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

bool SqlReader::Truncate() {
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

bool SqlReader::Alter() {
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

void SqlReader::AlterOther(const std::string& object, const std::string& name) {
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

bool SqlReader::SetsRetention(size_t begin, size_t end) const {
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

bool SqlReader::AlterAction(size_t begin, size_t end, const std::string& table) {
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

bool SqlReader::Create() {
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

}  // namespace sql_internal
}  // namespace holdpoint
