#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

// The query language of GraphQL (specification of October 2021), parsed as a server parses it.

// One scalar inside a field's arguments: volumeDelete(volumeId: "x") has {"volumeId", "x"},
// f(input: {ids: ["a", "b"]}) has {"input.ids", "a"} and {"input.ids", "b"}.
struct GraphqlArgument {
  std::string path;
  std::string value;     // strings decoded; numbers, booleans, null and enum values as written
  bool unknown = false;  // a variable whose value was not given: value is "$name"
};

// A field at the root of an operation, with root fragments already expanded.
struct GraphqlField {
  std::string response_name;  // the alias, or the name
  std::string name;
  std::string arguments_json;  // one object; variables substituted; enum values as strings
  std::vector<GraphqlArgument> arguments;
  std::vector<std::string> selections;  // dotted names of what is selected below, fragments expanded, at most 256
  bool conditional = false;             // @skip or @include: counted as if it ran
};

struct GraphqlOperation {
  enum class Type { kQuery, kMutation, kSubscription };
  Type type = Type::kQuery;
  std::string name;    // empty for an anonymous one
  bool chosen = true;  // operationName names it, or there was nothing to choose by (then all count)
  std::vector<GraphqlField> fields;
};

struct GraphqlDocument {
  std::vector<GraphqlOperation> operations;
  std::vector<std::string> blind_spots;  // "variable $id has no value", "fragment F is not defined", ...
};

struct GraphqlLimits {
  size_t max_bytes = 256 * 1024;
  size_t max_tokens = 20'000;
  int max_depth = 64;
  size_t max_fields = 4096;  // after fragments were expanded
};

// `variables_json` is the object sent beside the document ("" for none), `operation_name` the same.
// Errors: kInvalidArgument "GraphQL 3:14: expected a name, found '}'" (line and column of bytes, from 1);
// kResourceExhausted past a limit. Pure; no recursion deeper than max_depth; fragments that contain themselves are cut.
absl::StatusOr<GraphqlDocument> ParseGraphql(absl::string_view document, absl::string_view variables_json = "",
                                             absl::string_view operation_name = "", const GraphqlLimits& limits = {});

}  // namespace holdpoint
