#pragma once

#include "absl/strings/string_view.h"

// Files of config/ as the build found them.
namespace holdpoint::embedded {

absl::string_view HoldpointYaml();
absl::string_view AgentsYaml();

}  // namespace holdpoint::embedded
