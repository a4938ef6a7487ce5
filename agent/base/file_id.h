#pragma once

#include <sys/stat.h>

#include "absl/status/statusor.h"
#include "agent/base/ids.h"

namespace holdpoint {

// The identity that the kernel programs see for the file that `st` describes. Pure.
FileId FileIdFromStat(const struct stat& st);

// What the kernel has in memory of the file at `path` (as in statx(2); "" with AT_EMPTY_PATH is `at` itself): a file system
// that is served by somebody's process is not asked, and so can't make the caller wait. kNotFound and the like as errno.
absl::StatusOr<struct stat> CachedStat(int at, const char* path, int flags = 0);

}  // namespace holdpoint
