#pragma once

#include "absl/strings/string_view.h"

namespace holdpoint {

// This build's version, "0.1.0". CMake's project() is the only place that says it.
absl::string_view Version();

}  // namespace holdpoint
