#pragma once

#include <map>
#include <string>

#include "absl/strings/string_view.h"

namespace holdpoint {

// The variables of curl 8.3 and newer: --variable name=value, --expand-data "{{name:json}}".
class CurlVariables {
 public:
  void Set(absl::string_view name, std::string value) { values_[std::string(name)] = std::move(value); }

  // Replaces {{name}} and {{name:function:function}} (trim, json, url, b64, 64dec). *complete is false where a variable
  // or function is not known: its text stays. The result has at most 1 MiB; what is beyond is cut and *complete false.
  std::string Expand(absl::string_view text, bool* complete) const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace holdpoint
