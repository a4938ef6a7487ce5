#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/environment/yaml.h"
#include "agent/policy/argv_patterns.h"

// Sigma rules as they are published (https://sigmahq.io), for Linux: the logsource categories process_creation and
// network_connection. What can't be evaluated here does not load, and is named by rule and field.
namespace holdpoint {

// What happened, in Sigma's words: Image, CommandLine, CurrentDirectory; DestinationIp, DestinationPort, Protocol,
// Initiated and Image of a connection.
using SigmaEvent = std::map<std::string, std::string, std::less<>>;

class SigmaRule {
 public:
  enum class Category { kProcess, kConnection };

  // Whether a document is a Sigma rule and not a pack: it has a detection.
  static bool Is(const YamlNode& document);
  // Errors: kFailedPrecondition, one sentence with the rule's title, and the field, modifier or word that is not known.
  static absl::StatusOr<std::shared_ptr<const SigmaRule>> Read(const YamlValue& document);
  ~SigmaRule();

  bool Matches(const SigmaEvent& event) const;

  // What every process that matches has: its file's base name is one of `names`, or one of `patterns` is in its argv.
  // Nothing where that can't be said.
  struct Needed {
    std::set<std::string> names;
    ArgvPatterns patterns;
  };
  std::optional<Needed> NeededFor() const;

  Category category = Category::kProcess;
  std::string id, title, description, level;
  std::vector<std::string> tags, references;

  struct Test;  // a field and the values that fit
  struct Node;  // of the condition

 private:
  SigmaRule() = default;
  std::shared_ptr<const Node> condition_;
};

}  // namespace holdpoint
