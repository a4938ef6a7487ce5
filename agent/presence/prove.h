#pragma once

#include <string>

#include "absl/status/status.h"

namespace holdpoint {

// Asks PAM's `service` whether `user` knows the password that is read from `password_fd` to its end (1 to 127 bytes,
// no NUL, wiped after use) and whether the account may be used now.
//
// OK; kPermissionDenied: no (wrong, locked, expired, unknown: the caller does not learn which);
// kUnavailable: it could not be asked (no service file, a module that is missing or broken).
absl::Status ProvePresence(const std::string& service, const std::string& user, int password_fd);

}  // namespace holdpoint
