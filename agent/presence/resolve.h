#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/presence/owners.h"

namespace holdpoint {

// Looks names up through NSS: "dana" is that user, "%ops" every member of that group, also those whose first group it
// is. With no names the admin group of the system: the first of sudo, wheel and admin in which somebody is eligible.
//
// Left out: names that do not exist, and users who can prove nothing, because their password is locked or empty or
// their account has expired (as far as root can read it; what another directory keeps to itself is believed). One
// entry per user and name, in the order of the names; at most kMaxEligibleOwners. kInvalidArgument: more than
// kMaxOwnerNames.
absl::StatusOr<std::vector<EligibleOwner>> ResolveOwners(const std::vector<std::string>& names);

}  // namespace holdpoint
