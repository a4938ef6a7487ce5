#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/fd.h"

namespace holdpoint {

// The cgroup v2 directory that a daemon watches, resolved.
struct Scope {
  std::string directory;          // absolute
  UniqueFd fd;                    // O_DIRECTORY
  std::vector<uint64_t> lineage;  // cgroup ids from the root of cgroup v2 down to the directory
  bool host = false;              // the root itself
};

// Finds the mount of cgroup v2, by /proc/self/mounts. kFailedPrecondition where there is none.
absl::StatusOr<std::string> CgroupRoot();

// `directory` empty: the whole host. kNotFound, kInvalidArgument (not a cgroup v2 directory), kFailedPrecondition.
absl::StatusOr<Scope> ResolveScope(const std::string& directory);

// Claims a scope for as long as the returned descriptor is open (it is close-on-exec): a locked file in `registry`,
// one for each live daemon of the host. The lock ends with the process, however it ends, so that a leftover file
// claims nothing. kAlreadyExists: a live daemon watches this cgroup, one above or one below it.
absl::StatusOr<UniqueFd> ClaimScope(const Scope& scope, const std::string& registry);

}  // namespace holdpoint
