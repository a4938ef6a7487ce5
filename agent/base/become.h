#pragma once

#include <sys/types.h>

#include <vector>

#include "absl/status/status.h"

namespace holdpoint {

// As root: becomes the user `uid` for good, with the group of the same number, `groups` beside it and no capability, and
// tries that there is no way back. Needs CAP_SETUID, CAP_SETGID and CAP_SETPCAP. Before threads start.
absl::Status BecomeUser(uid_t uid, const std::vector<gid_t>& groups = {});

}  // namespace holdpoint
