#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint::reader {

// The content of one member of a zip archive, stored or deflated. Reads the archive's end, its directory (at most
// 1 MiB) and that member, whatever else is in it; a member that grows past `max` bytes is given up there.
// kInvalidArgument: no archive, or one that is not understood (several disks, zip64, encryption, two members of the
// name); kNotFound: no such member; kResourceExhausted: past a bound.
absl::StatusOr<std::string> ReadZipMember(int fd, absl::string_view name, size_t max);

}  // namespace holdpoint::reader
