#include "agent/policy/resource.h"

#include <re2/re2.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/parse/uri.h"

namespace holdpoint {
namespace {

using Kind = ResourceSource::Kind;

bool LastNameIs(absl::string_view path, absl::string_view name) {
  return path == name ||
         (absl::EndsWith(path, name) && path.size() > name.size() && path[path.size() - name.size() - 1] == '.');
}

void FromCall(const ResourceSource& source, const ToolCall& call, std::vector<std::string>* ids) {
  switch (source.kind) {
    case Kind::kOperands:
      for (const ParsedOperand& operand : call.operands) ids->push_back(operand.value);
      if (ids->empty() && call.tool->syntax == ToolModel::Syntax::kFind) ids->emplace_back(".");
      break;
    case Kind::kOperand: {
      const auto count = static_cast<int>(call.operands.size());
      const int index = source.index < 0 ? count + source.index : source.index;
      if (index >= 0 && index < count) ids->push_back(call.operands[static_cast<size_t>(index)].value);
      break;
    }
    case Kind::kOperandPrefix:
      for (const ParsedOperand& operand : call.operands) {
        if (absl::StartsWith(operand.value, source.id)) ids->push_back(operand.value.substr(source.id.size()));
      }
      break;
    case Kind::kOption:
      for (const ParsedOption& option : call.options) {
        if (option.name == source.id && option.value.has_value()) ids->push_back(*option.value);
      }
      break;
    default:
      break;
  }
}

void FromRequest(const ResourceSource& source, const RequestHit& hit, std::vector<std::string>* ids) {
  if (hit.request == nullptr) return;
  const HttpRequest& http = hit.request->http;
  switch (source.kind) {
    case Kind::kArgument:
      if (hit.field == nullptr) break;
      for (const GraphqlArgument& argument : hit.field->arguments) {
        if (LastNameIs(argument.path, source.id)) ids->push_back(argument.value);
      }
      break;
    case Kind::kJson:
      if (!hit.request->json.has_value()) break;
      if (const JsonValue* value = FindInJson(*hit.request->json, source.id)) {
        if (!value->text.empty()) ids->push_back(value->text);
        for (const JsonValue& item : value->items) ids->push_back(item.text);
      }
      break;
    case Kind::kQuery:
      for (const auto& [name, value] : DecodeForm(http.query)) {
        if (name == source.id) ids->push_back(value);
      }
      break;
    case Kind::kUrl:
      ids->push_back(absl::StrCat(http.host, http.path));
      break;
    case Kind::kPath: {
      std::string id;
      if (re2::RE2::PartialMatch(http.path, source.id, &id)) ids->push_back(id);
      break;
    }
    default:
      break;
  }
}

// "/srv/data" of "/srv/data/*.db": which names a pattern stands for is not known.
std::string WithoutPattern(const std::string& text) {
  const size_t pattern = text.find_first_of("*?");
  if (pattern == std::string::npos || absl::StrContains(text, "://")) return text;
  const size_t slash = text.rfind('/', pattern);
  if (slash == std::string::npos) return ".";
  return text.substr(0, std::max<size_t>(slash, 1));
}

void FromStatement(const StatementView& view, std::vector<std::string>* ids) {
  const SqlStatement& statement = view.statement;
  const bool whole = statement.kind == "database" || statement.kind == "keyspace";
  const std::string& id = !whole && !view.database.empty() ? view.database : statement.name;
  if (!id.empty()) ids->push_back(id);
}

}  // namespace

std::vector<std::string> ResourceIds(const Rule& rule, const ToolCall& call, const RequestHit& hit,
                                     const StatementView* statement, const ProgramCall* program,
                                     const ExecAct& act) {
  std::vector<std::string> ids;
  if (rule.resource.kind == Kind::kFixed) ids.push_back(rule.resource.id);
  if (rule.resource.kind == Kind::kWorkingDirectory) ids.push_back(act.cwd);
  FromCall(rule.resource, call, &ids);
  FromRequest(rule.resource, hit, &ids);
  if (rule.resource.kind == Kind::kStatement && statement != nullptr) FromStatement(*statement, &ids);
  if (rule.resource.kind == Kind::kProgram && program != nullptr) {
    for (const std::string& text : program->texts) {
      if (!text.empty()) ids.push_back(WithoutPattern(text));
    }
  }
  if (act.unseen_operands && rule.resource.kind == Kind::kOperands) ids.emplace_back();
  return ids;
}

}  // namespace holdpoint
