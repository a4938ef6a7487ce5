#include "agent/parse/graphql.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/parse/graphql_ast.h"
#include "agent/parse/json_body.h"

namespace holdpoint {
namespace {

using graphql::Document;
using graphql::Operation;
using graphql::Selection;
using graphql::Value;

constexpr size_t kMaxSelections = 256;  // names below one field
constexpr size_t kMaxArguments = 1024;  // scalars of one field
constexpr size_t kMaxOutput = 1 << 20;  // bytes of argument text, all fields together
constexpr size_t kMaxName = 256;        // of one name's bytes in a dotted path
constexpr size_t kMaxSteps = 200'000;   // selections and values looked at, all together
constexpr size_t kMaxBlindSpots = 16;

// Gives a parsed document its meaning: chooses operations, expands fragments, puts variables in.
class Evaluator {
 public:
  Evaluator(const Document& document, const JsonValue& variables, const GraphqlLimits& limits)
      : document_(document), variables_(variables), limits_(limits) {}

  absl::StatusOr<GraphqlDocument> Run(absl::string_view operation_name) {
    const bool named = std::any_of(document_.operations.begin(), document_.operations.end(),
                                   [&](const Operation& o) { return o.name == operation_name; });
    if (!operation_name.empty() && !named) {
      BlindSpot(absl::StrCat("no operation is called \"", EscapeAndClip(operation_name, 64), "\": all count"));
    } else if (operation_name.empty() && document_.operations.size() > 1) {
      BlindSpot("several operations and no name to choose by: all count");
    }
    if (document_.operations.empty()) BlindSpot("fragments only, no operation");
    for (const Operation& operation : document_.operations) {
      HP_ASSIGN_OR_RETURN(GraphqlOperation evaluated, Evaluate(operation));
      evaluated.chosen = operation_name.empty() || !named || operation.name == operation_name;
      result_.operations.push_back(std::move(evaluated));
    }
    return std::move(result_);
  }

 private:
  void BlindSpot(std::string text) {
    std::vector<std::string>& all = result_.blind_spots;
    if (all.size() < kMaxBlindSpots && std::find(all.begin(), all.end(), text) == all.end()) {
      all.push_back(std::move(text));
    }
  }

  absl::StatusOr<GraphqlOperation> Evaluate(const Operation& operation) {
    GraphqlOperation out;
    out.type = operation.type;
    out.name = operation.name;
    operation_ = &operation;
    HP_RETURN_IF_ERROR(CollectRootFields(operation.selections, &out));
    return out;
  }

  GraphqlField EvaluateField(const Selection& selection, bool conditional) {
    GraphqlField field;
    field.response_name = selection.alias.empty() ? selection.name : selection.alias;
    field.name = selection.name;
    field.conditional = conditional;

    JsonValue arguments;
    arguments.kind = JsonValue::Kind::kObject;
    for (const auto& [name, value] : selection.arguments) {
      arguments.members.push_back({name, Resolve(name, value, &field)});
    }
    field.arguments_json = WriteJson(arguments);
    output_ += field.arguments_json.size();
    CollectNames(selection, &field);
    return field;
  }

  // The value with variables put in; its scalars are listed in `field` on the way.
  JsonValue Resolve(const std::string& path, const Value& value, GraphqlField* field) {
    if (value.kind == Value::Kind::kVariable) return ResolveVariable(path, value.variable, field);
    if (value.kind == Value::Kind::kScalar) {
      AddArgument(path, value.scalar.text, false, field);
      return value.scalar;
    }
    JsonValue out;
    const bool list = value.kind == Value::Kind::kList;
    out.kind = list ? JsonValue::Kind::kArray : JsonValue::Kind::kObject;
    for (const auto& [name, member] : value.members) {
      if (list) {
        out.items.push_back(Resolve(path, member, field));
      } else {
        out.members.push_back({name, Resolve(Below(path, name), member, field)});
      }
    }
    return out;
  }

  JsonValue ResolveVariable(const std::string& path, const std::string& name, GraphqlField* field) {
    if (const JsonValue* given = variables_.Find(name)) {
      auto [size, added] = variable_sizes_.try_emplace(name, 0);
      if (added) size->second = WriteJson(*given).size();
      if (ListScalars(path, *given, field) && output_ + size->second <= kMaxOutput) {
        output_ += size->second;
        return *given;
      }
      BlindSpot("arguments too large: some are missing");
    } else {
      for (const auto& [variable, value] : operation_->defaults) {
        // A default holds no variables, so this does not come back here; where it does all the same it is unknown.
        if (variable == name && !in_default_) {
          in_default_ = true;
          JsonValue out = Resolve(path, value, field);
          in_default_ = false;
          return out;
        }
      }
      BlindSpot(absl::StrCat("variable $", EscapeAndClip(name, 64), " has no value"));
    }
    AddArgument(path, absl::StrCat("$", name), true, field);
    JsonValue unknown;
    unknown.kind = JsonValue::Kind::kString;
    unknown.text = absl::StrCat("$", name);
    return unknown;
  }

  static std::string Below(absl::string_view path, absl::string_view name) {
    return absl::StrCat(path, ".", name.substr(0, kMaxName));
  }

  // False past a limit: then not all are listed.
  bool ListScalars(const std::string& path, const JsonValue& value, GraphqlField* field) {
    if (++steps_ > kMaxSteps) return false;
    for (const JsonValue& item : value.items) {
      if (!ListScalars(path, item, field)) return false;
    }
    for (const auto& [name, member] : value.members) {
      if (!ListScalars(Below(path, name), member, field)) return false;
    }
    if (value.kind == JsonValue::Kind::kArray || value.kind == JsonValue::Kind::kObject) return true;
    return AddArgument(path, value.text, false, field);
  }

  bool AddArgument(const std::string& path, std::string text, bool unknown, GraphqlField* field) {
    output_ += path.size() + text.size();
    if (field->arguments.size() >= kMaxArguments || output_ > kMaxOutput) {
      BlindSpot("arguments too large: some are missing");
      return false;
    }
    field->arguments.push_back({.path = path, .value = std::move(text), .unknown = unknown});
    return true;
  }

  // Dotted names below a field, each fragment once.
  void CollectNames(const Selection& root, GraphqlField* field) {
    struct Level {
      const std::vector<Selection>* selections;
      std::string prefix;
    };
    std::vector<Level> levels{{&root.selections, ""}};
    std::set<std::string> spread;
    while (!levels.empty()) {
      const Level level = std::move(levels.back());
      levels.pop_back();
      for (const Selection& selection : *level.selections) {
        if (++steps_ > kMaxSteps || field->selections.size() >= kMaxSelections || output_ > kMaxOutput) {
          BlindSpot("too many selected names: some are missing");
          return;
        }
        if (selection.kind == Selection::Kind::kField) {
          std::string name = absl::StrCat(level.prefix, selection.name);
          output_ += name.size();
          if (!selection.selections.empty()) levels.push_back({&selection.selections, absl::StrCat(name, ".")});
          field->selections.push_back(std::move(name));
        } else if (selection.kind == Selection::Kind::kInlineFragment) {
          levels.push_back({&selection.selections, level.prefix});
        } else if (spread.insert(selection.name).second) {
          if (auto it = document_.fragments.find(selection.name); it != document_.fragments.end()) {
            levels.push_back({&it->second, level.prefix});
          }
        }
      }
    }
  }

  // The fields of a selection set with its fragments expanded, in order, each fragment once. A stack of its own: a
  // chain of a thousand fragments hides nothing and costs no call stack.
  absl::Status CollectRootFields(const std::vector<Selection>& root, GraphqlOperation* out) {
    struct Frame {
      const std::vector<Selection>* selections;
      size_t next;
      bool conditional;
    };
    std::vector<Frame> frames{{&root, 0, false}};
    std::set<std::string> spread;
    while (!frames.empty()) {
      Frame& frame = frames.back();
      if (frame.next == frame.selections->size()) {
        frames.pop_back();
        continue;
      }
      const Selection& selection = (*frame.selections)[frame.next++];
      const bool conditional = frame.conditional || selection.conditional;
      if (++root_steps_ > kMaxSteps || fields_ > limits_.max_fields) {
        return absl::ResourceExhaustedError(absl::StrCat("GraphQL: more than ", limits_.max_fields, " root fields or ",
                                                         kMaxSteps, " selections to expand"));
      }
      if (selection.kind == Selection::Kind::kField) {
        ++fields_;
        out->fields.push_back(EvaluateField(selection, conditional));
      } else if (selection.kind == Selection::Kind::kInlineFragment) {
        frames.push_back({&selection.selections, 0, conditional});
      } else if (auto it = document_.fragments.find(selection.name); it == document_.fragments.end()) {
        BlindSpot(absl::StrCat("fragment ", EscapeAndClip(selection.name, 64), " is not defined"));
      } else if (spread.insert(selection.name).second) {
        frames.push_back({&it->second, 0, conditional});
      }
    }
    return absl::OkStatus();
  }

  const Document& document_;
  const JsonValue& variables_;
  const GraphqlLimits limits_;
  const Operation* operation_ = nullptr;
  GraphqlDocument result_;
  std::map<std::string, size_t, std::less<>> variable_sizes_;  // of those that were used
  size_t fields_ = 0, output_ = 0, steps_ = 0, root_steps_ = 0;
  bool in_default_ = false;
};

}  // namespace

absl::StatusOr<GraphqlDocument> ParseGraphql(absl::string_view document, absl::string_view variables_json,
                                             absl::string_view operation_name, const GraphqlLimits& limits) {
  HP_ASSIGN_OR_RETURN(const Document parsed, graphql::ParseDocument(document, limits));
  JsonValue variables;
  std::optional<std::string> problem;
  if (!variables_json.empty()) {
    auto json = ParseJson(variables_json);
    if (json.ok()) {
      variables = std::move(json->root);
    } else {
      problem = absl::StrCat("variables unseen: ", json.status().message());
    }
  }
  auto evaluated = Evaluator(parsed, variables, limits).Run(operation_name);
  if (evaluated.ok() && problem) evaluated->blind_spots.push_back(*std::move(problem));
  return evaluated;
}

}  // namespace holdpoint
