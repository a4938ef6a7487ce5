// One statement by PostgreSQL's own parser, whose tree comes as JSON.
#include <pg_query.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "agent/parse/sql_function.h"
#include "agent/parse/sql_internal.h"

namespace holdpoint {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 400;  // of the tree

struct ResultFree {
  void operator()(PgQueryParseResult* result) const {
    pg_query_free_parse_result(*result);
    delete result;
  }
};

std::string Text(const Json& node, const char* key) {
  const auto it = node.find(key);
  return it != node.end() && it->is_string() ? it->get<std::string>() : "";
}

const Json& Member(const Json& node, const char* key) {
  static const Json none;
  if (!node.is_object()) return none;
  const auto it = node.find(key);
  return it == node.end() ? none : *it;
}

bool Flag(const Json& node, const char* key) {
  const Json& value = Member(node, key);
  return value.is_boolean() && value.get<bool>();
}

// {"String":{"sval":"x"}}
std::string StringNode(const Json& node) { return Text(Member(node, "String"), "sval"); }

std::string Joined(const Json& names) {
  std::string out;
  for (const Json& name : names) absl::StrAppend(&out, out.empty() ? "" : ".", StringNode(name));
  return out;
}

std::string RelationName(const Json& relation) {
  const std::string schema = Text(relation, "schemaname"), name = Text(relation, "relname");
  return schema.empty() ? name : absl::StrCat(schema, ".", name);
}

// Without the places in the text, so that two mentions of one column are equal.
Json WithoutPlaces(const Json& node, int depth) {
  if (depth > 32) return node;
  if (node.is_object()) {
    Json out = Json::object();
    for (const auto& [key, value] : node.items()) {
      if (key != "location") out[key] = WithoutPlaces(value, depth + 1);
    }
    return out;
  }
  if (node.is_array()) {
    Json out = Json::array();
    for (const Json& item : node) out.push_back(WithoutPlaces(item, depth + 1));
    return out;
  }
  return node;
}

// A constant's text; nothing for anything else.
std::optional<std::string> Constant(const Json& node) {
  if (const Json& cast = Member(node, "TypeCast"); cast.is_object()) return Constant(Member(cast, "arg"));
  const Json& constant = Member(node, "A_Const");
  if (!constant.is_object()) return std::nullopt;
  if (Flag(constant, "isnull")) return "null";
  if (const Json& value = Member(constant, "ival"); value.is_object()) {
    return absl::StrCat(value.value("ival", int64_t{0}));
  }
  if (const Json& value = Member(constant, "boolval"); value.is_object()) return Flag(value, "boolval") ? "true" : "false";
  if (const Json& value = Member(constant, "fval"); value.is_object()) return Text(value, "fval");
  if (const Json& value = Member(constant, "sval"); value.is_object()) return Text(value, "sval");
  return std::nullopt;
}

std::string ColumnName(const Json& node) {
  const Json& column = Member(node, "ColumnRef");
  return column.is_object() ? Joined(Member(column, "fields")) : "";
}

SqlTruth Truth(bool value) { return value ? SqlTruth::kAlways : SqlTruth::kNever; }

SqlTruth TruthOfNode(const Json& node, int depth) {
  if (depth > 64 || !node.is_object()) return SqlTruth::kUnknown;
  if (const std::optional<std::string> constant = Constant(node)) {
    if (*constant == "true" || *constant == "t" || *constant == "1" || *constant == "yes" || *constant == "on" || *constant == "y") {
      return SqlTruth::kAlways;
    }
    return SqlTruth::kNever;
  }
  if (const Json& logic = Member(node, "BoolExpr"); logic.is_object()) {
    const std::string op = Text(logic, "boolop");
    bool all_always = true, all_never = true;
    for (const Json& arm : Member(logic, "args")) {
      const SqlTruth truth = TruthOfNode(arm, depth + 1);
      if (op == "NOT_EXPR") return truth == SqlTruth::kUnknown ? truth : Truth(truth == SqlTruth::kNever);
      if (op == "OR_EXPR" && truth == SqlTruth::kAlways) return truth;
      if (op == "AND_EXPR" && truth == SqlTruth::kNever) return truth;
      all_always &= truth == SqlTruth::kAlways;
      all_never &= truth == SqlTruth::kNever;
    }
    if (op == "OR_EXPR") return all_never ? SqlTruth::kNever : SqlTruth::kUnknown;
    return all_always ? SqlTruth::kAlways : SqlTruth::kUnknown;
  }
  if (const Json& test = Member(node, "NullTest"); test.is_object()) {
    const bool known = IsKeyColumn(ColumnName(Member(test, "arg"))) || Constant(Member(test, "arg")).has_value();
    return known && Text(test, "nulltesttype") == "IS_NOT_NULL" ? SqlTruth::kAlways : SqlTruth::kUnknown;
  }
  const Json& expression = Member(node, "A_Expr");
  if (!expression.is_object()) return SqlTruth::kUnknown;
  const std::string op = Joined(Member(expression, "name"));
  const Json& left = Member(expression, "lexpr");
  const Json& right = Member(expression, "rexpr");
  const std::optional<std::string> left_constant = Constant(left), right_constant = Constant(right);
  if (op == "~~" || op == "~~*") {
    return right_constant == "%" ? SqlTruth::kAlways : SqlTruth::kUnknown;
  }
  if (left_constant.has_value() && right_constant.has_value()) {
    const std::optional<bool> value = Compare(*left_constant, op, *right_constant);
    return value.has_value() ? Truth(*value) : SqlTruth::kUnknown;
  }
  if (!ColumnName(left).empty() && WithoutPlaces(left, 0) == WithoutPlaces(right, 0)) {
    const std::optional<bool> value = Compare("1", op, "1");
    return value.has_value() ? Truth(*value) : SqlTruth::kUnknown;
  }
  double number = 0;
  if (IsKeyColumn(ColumnName(left)) && right_constant.has_value() && absl::SimpleAtod(*right_constant, &number)) {
    const bool all = (op == ">" && number <= 0) || (op == ">=" && number <= 1) || (op == "<>" && number <= 0);
    return all ? SqlTruth::kAlways : SqlTruth::kUnknown;
  }
  return SqlTruth::kUnknown;
}

// OBJECT_FOREIGN_TABLE is "foreign table".
std::string KindName(absl::string_view type) {
  absl::ConsumePrefix(&type, "OBJECT_");
  if (type == "MATVIEW") return "materialized view";
  if (type == "FOREIGN_SERVER") return "server";
  return absl::StrReplaceAll(absl::AsciiStrToLower(type), {{"_", " "}});
}

class Walker {
 public:
  explicit Walker(SqlFindings* findings) : findings_(findings) {}

  bool too_deep() const { return too_deep_; }

  // Every member that is a statement or a call, wherever it stands.
  void Walk(const Json& node, int depth) {
    if (depth > kMaxDepth) {
      too_deep_ = true;
      return;
    }
    if (node.is_array()) {
      for (const Json& item : node) Walk(item, depth + 1);
      return;
    }
    if (!node.is_object()) return;
    for (const auto& [key, value] : node.items()) {
      if (!value.is_object() || !Node(key, value, depth)) Walk(value, depth + 1);
    }
  }

 private:
  void Add(absl::string_view verb, SqlEffect effect, absl::string_view kind, std::string name, bool has_where = false) {
    findings_->Add({.verb = std::string(verb),
                    .effect = effect,
                    .kind = std::string(kind),
                    .name = std::move(name),
                    .has_where = has_where});
  }

  bool Narrowed(const Json& statement) const {
    const Json& where = Member(statement, "whereClause");
    return where.is_object() && TruthOfNode(where, 0) != SqlTruth::kAlways;
  }

  // True where what is inside needs no more looking at.
  bool Node(const std::string& key, const Json& node, int depth) {
    if (!absl::EndsWith(key, "Stmt")) {
      if (key == "FuncCall" || key == "funccall") Function(node, key == "funccall");
      return false;
    }
    if (key == "SelectStmt") {
      if (const Json& into = Member(node, "intoClause"); into.is_object()) {
        Add("select into", SqlEffect::kWrite, "table", RelationName(Member(into, "rel")));
      } else {
        Add("select", SqlEffect::kRead, "", "");
      }
      return false;
    }
    if (key == "DeleteStmt") {
      Add("delete", SqlEffect::kDestroy, "rows", RelationName(Member(node, "relation")), Narrowed(node));
      return false;
    }
    if (key == "UpdateStmt") {
      const bool narrowed = Narrowed(node);
      Add("update", narrowed ? SqlEffect::kWrite : SqlEffect::kDestroy, "rows", RelationName(Member(node, "relation")), narrowed);
      return false;
    }
    if (key == "InsertStmt") {
      Add("insert", SqlEffect::kWrite, "rows", RelationName(Member(node, "relation")));
      return false;
    }
    if (key == "MergeStmt") {
      bool deletes = false;
      for (const Json& clause : Member(node, "mergeWhenClauses")) {
        deletes |= Text(Member(clause, "MergeWhenClause"), "commandType") == "CMD_DELETE";
      }
      Add("merge", deletes ? SqlEffect::kDestroy : SqlEffect::kWrite, "rows", RelationName(Member(node, "relation")), true);
      return false;
    }
    if (key == "TruncateStmt") {
      for (const Json& relation : Member(node, "relations")) {
        Add("truncate", SqlEffect::kDestroy, "table", RelationName(Member(relation, "RangeVar")));
      }
      return true;
    }
    if (absl::StartsWith(key, "Drop")) return Drop(key, node);
    if (key == "AlterTableStmt") return AlterTable(node);
    if (key == "ExplainStmt") return Explain(node, depth);
    if (key == "DoStmt") return Do(node);
    if (key == "CopyStmt") return Copy(node);
    return Rest(key, node);
  }

  bool Drop(const std::string& key, const Json& node) {
    const auto drop = [&](absl::string_view kind, std::string name) {
      Add("drop", SqlEffect::kDestroy, kind, std::move(name));
      return true;
    };
    if (key == "DropdbStmt") return drop("database", Text(node, "dbname"));
    if (key == "DropTableSpaceStmt") return drop("tablespace", Text(node, "tablespacename"));
    if (key == "DropSubscriptionStmt") return drop("subscription", Text(node, "subname"));
    if (key == "DropUserMappingStmt") return drop("user mapping", Text(node, "servername"));
    if (key == "DropRoleStmt" || key == "DropOwnedStmt") {
      for (const Json& role : Member(node, "roles")) {
        drop(key == "DropRoleStmt" ? "role" : "owned", Text(Member(role, "RoleSpec"), "rolename"));
      }
      return true;
    }
    const std::string kind = KindName(Text(node, "removeType"));
    for (const Json& object : Member(node, "objects")) {
      std::string name;
      if (object.contains("List")) name = Joined(Member(Member(object, "List"), "items"));
      if (object.contains("String")) name = StringNode(object);
      if (object.contains("TypeName")) name = Joined(Member(Member(object, "TypeName"), "names"));
      if (object.contains("ObjectWithArgs")) name = Joined(Member(Member(object, "ObjectWithArgs"), "objname"));
      drop(kind, std::move(name));
    }
    return true;
  }

  bool AlterTable(const Json& node) {
    const std::string table = RelationName(Member(node, "relation"));
    bool found = false;
    for (const Json& command : Member(node, "cmds")) {
      const Json& action = Member(command, "AlterTableCmd");
      const std::string type = Text(action, "subtype");
      std::string part = Text(action, "name");
      if (type == "AT_DetachPartition") part = RelationName(Member(Member(Member(action, "def"), "PartitionCmd"), "name"));
      const std::string name = part.empty() ? table : absl::StrCat(table, ".", part);
      if (type == "AT_DropColumn") Add("alter drop", SqlEffect::kDestroy, "column", name);
      if (type == "AT_DetachPartition") Add("alter detach", SqlEffect::kDestroy, "partition", name);
      found |= type == "AT_DropColumn" || type == "AT_DetachPartition";
    }
    if (!found) Add("alter", SqlEffect::kWrite, "table", table);
    return false;  // USING may call.
  }

  bool Explain(const Json& node, int depth) {
    bool runs = false;
    for (const Json& option : Member(node, "options")) {
      const Json& element = Member(option, "DefElem");
      if (Text(element, "defname") != "analyze") continue;
      const Json& value = Member(element, "arg");
      const std::string word = absl::AsciiStrToLower(StringNode(value));
      const bool off = word == "false" || word == "off" ||
                       (Member(value, "Integer").is_object() && Member(value, "Integer").value("ival", 0) == 0);
      runs = !off;
    }
    if (runs) {
      Walk(Member(node, "query"), depth + 1);
    } else {
      Add("explain", SqlEffect::kRead, "", "");
    }
    return true;
  }

  bool Do(const Json& node) {
    std::string body, language = "plpgsql";
    for (const Json& option : Member(node, "args")) {
      const Json& element = Member(option, "DefElem");
      if (Text(element, "defname") == "as") body = StringNode(Member(element, "arg"));
      if (Text(element, "defname") == "language") language = StringNode(Member(element, "arg"));
    }
    if (absl::EqualsIgnoreCase(language, "plpgsql")) {
      findings_->Body(body);
    } else {
      findings_->Unseen("do", "a body in another language than SQL");
    }
    return true;
  }

  bool Copy(const Json& node) {
    if (Flag(node, "is_program")) {
      findings_->Shell(Text(node, "filename"));
      Add("copy program", SqlEffect::kEscalate, "program", "");
    }
    if (Flag(node, "is_from")) {
      Add("copy", SqlEffect::kWrite, "rows", RelationName(Member(node, "relation")));
    } else {
      Add("copy", SqlEffect::kRead, "", "");
    }
    return false;  // COPY (DELETE ... RETURNING) TO
  }

  bool Rest(const std::string& key, const Json& node) {
    if (key == "TransactionStmt" || key == "VariableSetStmt" || key == "VariableShowStmt" || key == "ListenStmt" ||
        key == "UnlistenStmt" || key == "DiscardStmt" || key == "FetchStmt" || key == "ClosePortalStmt" ||
        key == "DeallocateStmt" || key == "LockStmt" || key == "CheckPointStmt" || key == "ConstraintsSetStmt") {
      return true;
    }
    // What is defined runs later.
    if (key == "CreateFunctionStmt" || key == "RuleStmt" || key == "ViewStmt" || key == "CreateTrigStmt") {
      Add("create", SqlEffect::kWrite, "", "");
      return true;
    }
    if (key == "PrepareStmt" || key == "DeclareCursorStmt" || key == "CreateTableAsStmt" || key == "RawStmt") {
      if (key == "CreateTableAsStmt") Add("create", SqlEffect::kWrite, "table", "");
      return false;
    }
    if (key == "ExecuteStmt") {
      findings_->Unseen("execute", "a statement that was prepared before");
      return false;
    }
    if (key == "CallStmt") return false;  // Its call follows.
    if (key == "GrantStmt" || key == "GrantRoleStmt") {
      Add(Flag(node, "is_grant") ? "grant" : "revoke", Flag(node, "is_grant") ? SqlEffect::kEscalate : SqlEffect::kWrite,
          "rights", "");
      return true;
    }
    if (key == "AlterRoleStmt" || key == "CreateRoleStmt") {
      bool raises = false;
      for (const Json& option : Member(node, "options")) {
        const Json& element = Member(option, "DefElem");
        const std::string name = Text(element, "defname");
        raises |= (name == "superuser" || name == "createrole" || name == "createdb" || name == "bypassrls" ||
                   name == "isreplication") &&
                  Flag(Member(Member(element, "arg"), "Boolean"), "boolval");
      }
      Add(key == "AlterRoleStmt" ? "alter" : "create", raises ? SqlEffect::kEscalate : SqlEffect::kWrite, "role", "");
      return true;
    }
    Add(absl::AsciiStrToLower(absl::StripSuffix(key, "Stmt")), SqlEffect::kWrite, "", "");
    return false;
  }

  void Function(const Json& node, bool as_statement) {
    const std::string name = Joined(Member(node, "funcname"));
    const SqlFunction function = SqlFunctionOf(name);
    if (!as_statement && function.effect == SqlEffect::kRead && !function.runs_text) return;
    std::vector<std::string> texts;
    for (const Json& argument : Member(node, "args")) Texts(argument, 0, &texts);
    findings_->Call(name, texts, as_statement);
  }

  // Constants among the arguments, also inside of casts and of what puts them together.
  void Texts(const Json& node, int depth, std::vector<std::string>* texts) const {
    if (depth > 16 || texts->size() > 64) return;
    if (node.is_array()) {
      for (const Json& item : node) Texts(item, depth + 1, texts);
    } else if (node.is_object()) {
      if (const Json& value = Member(node, "sval"); value.is_object() && Text(value, "sval") != "") {
        texts->push_back(Text(value, "sval"));
        return;
      }
      for (const auto& [key, value] : node.items()) Texts(value, depth + 1, texts);
    }
  }

  SqlFindings* findings_;
  bool too_deep_ = false;
};

}  // namespace

bool ReadWithPostgres(const std::string& text, SqlFindings* findings) {
  const std::unique_ptr<PgQueryParseResult, ResultFree> result(new PgQueryParseResult(pg_query_parse(text.c_str())));
  if (result->error != nullptr || result->parse_tree == nullptr) return false;
  const Json tree = Json::parse(result->parse_tree, nullptr, /*allow_exceptions=*/false);
  if (tree.is_discarded()) return false;
  SqlFindings found(findings->dialect());
  Walker walker(&found);
  walker.Walk(Member(tree, "stmts"), 0);
  if (walker.too_deep()) return false;
  for (SqlStatement& statement : found.statements()) findings->Add(std::move(statement));
  for (SqlLead& lead : found.leads()) findings->Shell(std::move(lead.text));
  return true;
}

}  // namespace holdpoint
