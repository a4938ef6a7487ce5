#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/presence/owners.h"
#include "agent/presence/prove.h"

namespace holdpoint {

// Looks names up through NSS: "dana" is that user, "%ops" every member of that group, also those whose first group it
// is. With no names the admin group of the system: the first of sudo, wheel and admin in which somebody is eligible.
//
// Left out: names that do not exist, and users who can prove nothing (PresenceMethods). One entry per user and name, in
// the order of the names; at most kMaxEligibleOwners. kInvalidArgument: more than kMaxOwnerNames.
absl::StatusOr<std::vector<EligibleOwner>> ResolveOwners(const std::vector<std::string>& names,
                                                         const PresenceFolders& folders);

}  // namespace holdpoint
