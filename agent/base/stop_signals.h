#pragma once

#include "absl/status/statusor.h"
#include "agent/base/fd.h"

namespace holdpoint {

// Blocks SIGTERM and SIGINT in this thread and those that it starts, and gives a descriptor (signalfd, non-blocking,
// closed on exec) that is readable once one has come. Call before the first thread.
absl::StatusOr<UniqueFd> StopSignals();

}  // namespace holdpoint
