#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/presence/secret.h"

namespace holdpoint {

// Where what an owner can prove with is kept. Only holdpoint-presence reads either.
struct PresenceFolders {
  std::string keys = {};   // OWNER.keys, and the name of the PAM service; written by the administrator
  std::string codes = {};  // OWNER.totp, written here
};

// What is asked: is this owner there?
struct PresenceQuestion {
  enum class By { kPasswordOrCode, kCode, kSignature };
  By by = By::kPasswordOrCode;
  std::string user = {};
  std::string challenge = {};  // what a signature has to be over; empty: none counts
  PresenceFolders folders = {};
};

// How the owner has proven to be there: "pam", "totp", or "key SHA256:..." with the fingerprint.
//
// kPermissionDenied: not proven. kUnavailable, kFailedPrecondition, kNotFound: it could not be asked. The message is a
// sentence for the person who asked, and holds nothing secret.
absl::StatusOr<std::string> ProvePresence(const PresenceQuestion& question, const Secret& secret, absl::Time now);

}  // namespace holdpoint
