#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/environment/yaml.h"
#include "agent/policy/argv_patterns.h"

namespace holdpoint {

// A test of one text in a rule. In YAML:
//   production            equals
//   [a, b]                one of the tests in the list
//   {glob: "*.prod.*"}    the whole text, see agent/environment/glob.h
//   {regex: "^/v[0-9]+"}  RE2, anywhere in the text
//   {prefix: x}  {suffix: x}  {contains: x}
//   {not: TEST}
// A map may hold several of these: all of them. Add `nocase: true` to compare without regard to ASCII case.
// RE2 runs in time linear in the text; a pattern that needs more than 1 MiB to run does not load.
// Immutable after Read: any thread.
class Matcher {
 public:
  // Errors: kFailedPrecondition, one sentence with file, line and column.
  static absl::StatusOr<Matcher> Read(const YamlValue& value);
  static Matcher Exact(std::string text);

  bool Matches(absl::string_view text) const;

  // The texts that alone can match, where the test is nothing but equality (for the index); else empty.
  std::vector<std::string> ExactTexts() const;

  // Adds what a word of argv that matches is or holds. False, and nothing added, where that can't be said.
  bool AddNeeded(ArgvPatterns* patterns) const;

 private:
  class Regex;
  enum class Kind { kExact, kGlob, kRegex, kPrefix, kSuffix, kContains, kNot, kAny, kAll };

  Kind kind_ = Kind::kExact;
  bool nocase_ = false;
  std::string text_;
  std::shared_ptr<const Regex> regex_;
  std::vector<Matcher> parts_;
};

}  // namespace holdpoint
