#pragma once

#include <initializer_list>

#include "absl/status/statusor.h"
#include "agent/base/fd.h"

namespace holdpoint {

// Blocks SIGTERM and SIGINT in this thread and those that it starts, and gives a descriptor (signalfd, non-blocking,
// closed on exec) that is readable once one has come. Call before the first thread.
absl::StatusOr<UniqueFd> StopSignals();

// One descriptor that is readable when any of them is; negative ones are left out.
absl::StatusOr<UniqueFd> AnyOf(std::initializer_list<int> fds);

}  // namespace holdpoint
