#pragma once

#include <sys/stat.h>

#include "agent/base/ids.h"

namespace holdpoint {

// The identity that the kernel programs see for the file that `st` describes. Pure.
FileId FileIdFromStat(const struct stat& st);

}  // namespace holdpoint
