#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

// A small file of the gate's own under its state folder, read and written whole.

// kNotFound where there is none; kDataLoss where it is longer than `max_bytes`, no regular file, or one that somebody
// else than this user may write.
absl::StatusOr<std::string> ReadKept(const std::string& path, size_t max_bytes);
// On stable storage when this returns; otherwise the one before is still there.
absl::Status WriteKept(const std::string& path, absl::string_view text);

// Renames a damaged one to PATH.damaged, so that somebody can look at it. Gives that name.
std::string PutAside(const std::string& path);

}  // namespace holdpoint
