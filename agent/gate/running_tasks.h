#pragma once

#include <string>
#include <vector>

#include "agent/base/ids.h"
#include "agent/kernel/kernel.h"

namespace holdpoint {

// Processes in `scope` (the directory of a cgroup v2, empty for the whole host) that carry no label of `live`, the
// oldest first; no kernel threads, not PID 1, not this process and what it started. kUnavailable: they can't be listed.
absl::StatusOr<std::vector<ProcessId>> RunningOutsideSessions(Kernel& kernel, const std::string& scope,
                                                              const std::set<SessionNumber>& live);

}  // namespace holdpoint
