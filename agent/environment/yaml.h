#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// Strict reading of the YAML that people write for us (configuration, coding agents, rules): one document, no aliases,
// no tags, no repeated key, every value of exactly the wanted kind. Each error is one sentence with a place in it:
//
//   holdpoint.yaml:12:15: environments[0].mode: wanted enforce or observe, got the text "watch"
//
// All errors have the code kFailedPrecondition (exit code 78). Nothing here throws. Pure.
namespace holdpoint {

struct YamlEntry;

// One value of a document. Plain scalars get their kind as JSON knows it (true, 12, 1.5, null); quoted ones are text.
struct YamlNode {
  enum class Kind { kNull, kBool, kInteger, kNumber, kText, kList, kMap };
  Kind kind = Kind::kNull;
  std::string text;  // of a scalar, as written
  int line = 1;      // both start at 1
  int column = 1;
  std::vector<YamlNode> items;     // of a list
  std::vector<YamlEntry> entries;  // of a map, in the order of the file, no key twice
};

struct YamlEntry {
  std::string key;
  int line = 1;
  int column = 1;
  YamlNode value;
};

// Parses `bytes` (at most 4 MiB, 200,000 values, 64 levels). `name` is only for messages. An empty document is null.
absl::StatusOr<YamlNode> ParseYaml(absl::string_view name, absl::string_view bytes);

// The error sentence above, for checks of one's own.
absl::Status YamlError(absl::string_view name, int line, int column, absl::string_view key, absl::string_view message);

class YamlMap;

// A value together with where it stands. Borrows the node; the node outlives it.
class YamlValue {
 public:
  YamlValue(absl::string_view name, absl::string_view key, const YamlNode& node)
      : name_(name), key_(key), node_(&node) {}

  // Each gives the value, or says what was wanted and what is there.
  absl::StatusOr<std::string> Text() const;  // not empty, no NUL
  absl::StatusOr<bool> Bool() const;
  absl::StatusOr<uint32_t> Integer(uint32_t low, uint32_t high) const;
  absl::StatusOr<size_t> OneOf(absl::Span<const absl::string_view> words) const;   // index in `words`
  absl::StatusOr<std::vector<YamlValue>> List() const;                             // may be empty
  absl::StatusOr<std::vector<std::string>> Texts() const;                          // a list of texts, not empty
  absl::StatusOr<YamlMap> Map(absl::Span<const absl::string_view> keys) const;     // any other key is an error
  absl::StatusOr<std::vector<std::pair<std::string, YamlValue>>> FreeMap() const;  // with keys of any name
  absl::StatusOr<std::string> Scalar() const;                                      // text, number or bool, as written

  // "NAME:LINE:COL: KEY: wanted WANTED, got GOT", and the same with a free message.
  absl::Status Wrong(absl::string_view wanted) const;
  absl::Status Error(absl::string_view message) const;

  const YamlNode& node() const { return *node_; }
  const std::string& key() const { return key_; }

 private:
  std::string name_;
  std::string key_;
  const YamlNode* node_;
};

// A map whose keys are known. Borrows as YamlValue does.
class YamlMap {
 public:
  YamlMap(absl::string_view name, absl::string_view key, const YamlNode& node) : name_(name), key_(key), node_(&node) {}

  bool Has(absl::string_view key) const;
  // The value of `key`; where it is missing an error that says so at the place of the map.
  absl::StatusOr<YamlValue> Get(absl::string_view key) const;

  // Reads `key` into `out` where it is present; leaves `out` alone where it is not.
  absl::Status Optional(absl::string_view key, std::string* out) const;
  absl::Status Optional(absl::string_view key, bool* out) const;
  absl::Status Optional(absl::string_view key, std::vector<std::string>* out) const;
  absl::Status Optional(absl::string_view key, uint32_t low, uint32_t high, uint32_t* out) const;

  absl::Status Error(absl::string_view message) const;

 private:
  std::string name_;
  std::string key_;
  const YamlNode* node_;
};

}  // namespace holdpoint
