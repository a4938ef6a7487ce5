#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace holdpoint {

struct CurlGlob {
  std::vector<std::string> urls;
  bool cut = false;      // there are more
  bool invalid = false;  // curl would refuse it; `urls` has the text as it is
};

// Expands curl's URL patterns, {a,b} and [1-9], [001-100:5], [a-z]; "\{" is a brace. An IPv6 address in brackets is no
// pattern. At most `max` URLs.
CurlGlob ExpandCurlGlob(absl::string_view pattern, size_t max);

}  // namespace holdpoint
