#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/parse/graphql.h"
#include "agent/parse/json_body.h"

namespace holdpoint::graphql {

// The syntax tree, as far as meaning needs it: types and directives other than @skip and @include are read over.

struct Argument;

struct Value {
  enum class Kind { kVariable, kScalar, kList, kObject };
  Kind kind = Kind::kScalar;
  std::string variable;           // without "$"
  JsonValue scalar;               // numbers, strings (enum values too), booleans, null
  std::vector<Argument> members;  // of an object; of a list with empty names
};

// name: value, of a field, an input object or a variable's default.
struct Argument {
  std::string name;
  Value value;
};

struct Selection {
  enum class Kind { kField, kSpread, kInlineFragment };
  Kind kind = Kind::kField;
  std::string alias;
  std::string name;  // of the field or of the fragment that is spread
  std::vector<Argument> arguments;
  std::vector<Selection> selections;
  bool conditional = false;
};

struct Operation {
  GraphqlOperation::Type type = GraphqlOperation::Type::kQuery;
  std::string name;
  std::vector<Argument> defaults;  // of variables that have one
  std::vector<Selection> selections;
};

struct Document {
  std::vector<Operation> operations;
  std::map<std::string, std::vector<Selection>> fragments;  // of two of one name: the selections of both
};

absl::StatusOr<Document> ParseDocument(absl::string_view text, const GraphqlLimits& limits);

}  // namespace holdpoint::graphql
