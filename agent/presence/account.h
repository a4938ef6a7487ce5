#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/presence/owner_key.h"
#include "agent/presence/prove.h"

namespace holdpoint {

// Whether there is such a user and its account has not expired, by NSS, as far as root can read it.
bool IsUsableAccount(const std::string& user);

// The keys that decide for this owner: FOLDER/OWNER.keys. kNotFound: there is no such file; kFailedPrecondition:
// others than root could have written it, or it cannot be read as keys.
absl::StatusOr<std::vector<OwnerKey>> ReadOwnerKeys(const std::string& folder, const std::string& user);

// How a user could prove to be there, joined with commas: "pam" (a password that is not locked), "totp", "key". Empty:
// not at all. What another directory than /etc/shadow keeps to itself is believed.
std::string PresenceMethods(const std::string& user, const PresenceFolders& folders);

}  // namespace holdpoint
