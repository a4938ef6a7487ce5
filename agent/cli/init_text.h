#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

// The answers of `holdpoint init`.
struct InitAnswers {
  std::vector<std::string> environments = {"production*", "staging", "development", "ci"};  // strictest first, * protected
  std::vector<std::string> owners = {"%sudo"};
  std::vector<std::pair<std::string, std::string>> workspaces = {};  // path glob and environment
  std::vector<std::string> production_hosts = {};                    // globs
  std::string mode = "protected";  // what is enforced from the start: "all", "protected" or "nothing"
};

// Where sessions belong that nothing tags: "development" where there is one, else the last that is not protected.
std::string DefaultEnvironment(const InitAnswers& answers);

// "a, b c" to its words.
std::vector<std::string> WordsOf(absl::string_view text);

// A configuration of these answers, with explanations. It was loaded: kInvalidArgument names the answer that no
// configuration can hold.
absl::StatusOr<std::string> InitText(const InitAnswers& answers);

}  // namespace holdpoint
