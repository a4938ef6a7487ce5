#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace holdpoint {

// Takes away what a daemon that runs no more has left in the kernel: ends tasks that are still stopped, detaches every
// program, removes every pin of `pin_dir`. kAlreadyExists: a daemon lives there, stop it first. Nothing there is fine.
// Gives the number of tasks that were ended.
absl::StatusOr<int> RemoveLeftovers(const std::string& pin_dir);

}  // namespace holdpoint
