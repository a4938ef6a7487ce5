#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/parse/argv.h"

namespace holdpoint {

// Every option of curl 7.88 to 8.17 that takes a value, so that values are not taken for URLs, and the flags that
// change what is sent. --expand-NAME exists for each option that takes a value.
const OptionTable& CurlOptions();

struct CurlConfigLine {
  std::string option;  // without dashes where it was a long one; "-d" otherwise
  std::optional<std::string> value;
};

// The lines of a -K file or of ~/.curlrc: "option value", "option = value", "option: value", "# comment", quoted values
// with \\ \" \t \n \r \v.
std::vector<CurlConfigLine> ParseCurlConfig(absl::string_view text);

}  // namespace holdpoint
