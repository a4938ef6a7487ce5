#pragma once

#include <string>

#include "absl/status/status.h"
#include "agent/presence/secret.h"

namespace holdpoint {

// Asks PAM's `service` whether `user` knows this password (1 to 127 bytes, no NUL) and whether the account may be used
// now.
//
// OK; kPermissionDenied: no (wrong, locked, expired, unknown: the caller does not learn which);
// kUnavailable: it could not be asked (no service file, a module that is missing or broken).
absl::Status CheckPassword(const std::string& service, const std::string& user, const Secret& password);

}  // namespace holdpoint
