#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"

namespace holdpoint {

// Belongs to nobody; the group is the same number.
inline constexpr uid_t kStreamUid = 64712;

// As root: gives the spool below `state` to the group `uid` to read, `state`/stream to the user `uid`, and becomes that
// user, with no group and no capability, for good. The gate's new runs inherit the group from the folder. Every right
// that must be gone is tried. Anybody else's process stays what it is.
absl::Status DropRights(const std::string& state, uid_t uid);

}  // namespace holdpoint
