#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/environment/yaml.h"
#include "re2/re2.h"

namespace holdpoint {

// The text of `value` where it matches the whole pattern, else "wanted WANTED, got ...".
inline absl::StatusOr<std::string> Matching(const YamlValue& value, const RE2& pattern, absl::string_view wanted) {
  absl::StatusOr<std::string> text = value.Text();
  if (text.ok() && !RE2::FullMatch(*text, pattern)) return value.Wrong(wanted);
  return text;
}

}  // namespace holdpoint
