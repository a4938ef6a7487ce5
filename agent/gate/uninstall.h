#pragma once

#include "absl/status/status.h"
#include "agent/gate/options.h"

namespace holdpoint {

// holdpointd --uninstall: takes away what an instance that does not run any more has left on the host: programs and pins,
// the control socket, what is kept of sessions. The record and the fingerprint key only with --purge. Only what Holdpoint
// made is removed, whatever else lies in these folders. Says what it did.
absl::Status Uninstall(const Options& options);

}  // namespace holdpoint
