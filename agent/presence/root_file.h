#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

// "OWNER" as the name of a file: kInvalidArgument for a user name that could leave its folder or hide in it.
absl::Status CheckOwnerName(absl::string_view user);

// A whole file that only root can have written: it and its folder belong to root, and nobody else may write there.
// `hidden`: nobody else may read it either. kNotFound; kFailedPrecondition for one that others could have written, or
// that is no ordinary file or larger than `max` bytes.
absl::StatusOr<std::string> ReadRootFile(const std::string& folder, const std::string& name, size_t max, bool hidden);

// Replaces the file in one step, mode 0600; on stable storage when it returns OK. The folder is made where it is not
// there, mode 0700.
absl::Status WriteRootFile(const std::string& folder, const std::string& name, absl::string_view bytes);

// Removes it; on stable storage when it returns. kNotFound where there is none.
absl::Status RemoveRootFile(const std::string& folder, const std::string& name);

}  // namespace holdpoint
