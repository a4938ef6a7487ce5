#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace holdpoint {

// The bytes of a regular file of at most 16 MiB. Errors name the path: kNotFound, kPermissionDenied, kInvalidArgument
// for anything else than such a file.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path);

}  // namespace holdpoint
