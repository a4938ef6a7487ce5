#pragma once

#include "absl/status/status.h"

namespace holdpoint {

// kPermissionDenied, with the names of what is missing: this process has not the rights that the gate needs.
absl::Status CheckRights();

}  // namespace holdpoint
