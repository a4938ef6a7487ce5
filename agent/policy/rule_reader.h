#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/policy/rule.h"
#include "agent/policy/tool.h"

namespace holdpoint {

// One file of rules: a tool family.
struct Pack {
  std::string family;
  std::string title;
  std::vector<ToolModel> tools;
  std::vector<std::string> plain;  // no rule is about them, and their words are no sub-commands; a model counts first
  std::vector<Rule> rules;
};

// Reads a pack from its bytes; `name` is what messages call it. Strict. Errors: kFailedPrecondition, one sentence
// "NAME:LINE:COL: rule ID: wanted X, got Y". A rule without a case that fires and a case that passes is an error. What
// needs the other packs (tools of theirs, ids used twice) is checked by Policy::Compile. Pure.
absl::StatusOr<Pack> ReadPack(absl::string_view name, absl::string_view bytes);

}  // namespace holdpoint
