#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

struct JsonMember;

// A JSON text as it was written: members in order, duplicate keys kept (readers differ in which one they take).
struct JsonValue {
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  std::string text;  // kString: decoded; kNumber, kBool, kNull: as written (a number that no double holds: "0")
  std::vector<JsonValue> items;
  std::vector<JsonMember> members;

  // First member of this name; nullptr for none or where this is no object. Names compare exactly.
  const JsonValue* Find(absl::string_view name) const;
  // Every member of this name without regard to case (encoding/json of Go takes them so).
  std::vector<const JsonValue*> FindAnyCase(absl::string_view name) const;
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

struct JsonLimits {
  size_t max_bytes = 1 << 20;
  int max_depth = 64;
  size_t max_values = 100'000;
};

struct ParsedJson {
  JsonValue root;
  std::vector<std::string> duplicate_keys;  // at most 16, escaped
  bool invalid_utf8 = false;                // bytes were replaced by U+FFFD, as many servers do
};

// Errors: kInvalidArgument with line and column; kResourceExhausted past a limit. Pure, no exception, no recursion
// deeper than max_depth.
absl::StatusOr<ParsedJson> ParseJson(absl::string_view text, const JsonLimits& limits = {});

// The text of a value, without white space; strings escaped; what is not ASCII stays as UTF-8.
std::string WriteJson(const JsonValue& value);

}  // namespace holdpoint
