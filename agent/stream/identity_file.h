#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace holdpoint {

// A whole regular file of 1 byte to 1 MiB that says who this host is: a certificate, a key, a password. What is checked is
// the file that is read, whatever its name leads to a moment later; nothing that has no end or never answers is waited for.
// A secret one belongs to root or to this process, and nobody else may use it.
// Errors: why it cannot be opened or read (kNotFound, kPermissionDenied, ...); kFailedPrecondition: it is none of that.
absl::StatusOr<std::string> ReadIdentityFile(const std::string& path, bool secret);

}  // namespace holdpoint
