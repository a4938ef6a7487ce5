#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "agent/base/watched_file.h"

// Puts fanotify(7) marks on files with credentials, with the session's own rights: what its user cannot read gets none,
// and no path that a session made is walked by root.
namespace holdpoint::reader {

inline constexpr size_t kMaxWatched = 256;  // files and folders of one request

// The value of HOME in a process's environment, NUL-separated; empty where it has none or no absolute one.
std::string HomeIn(const std::string& environment);

// `patterns` are absolute or below "~/", which is `home`; the last part may be a glob (fnmatch(3)). Each regular file that matches gets a mark for being
// opened, read and closed, each folder of a pattern one for what is put into it, on `group` (a fanotify group that reports file
// ids). `own_fds` as in SafeFiles. `tell` gets what has a mark by now, and what could not get one. Files of FUSE get none:
// whoever serves them would decide when an answer comes.
void WatchFiles(const std::vector<std::string>& patterns, const std::string& home, int group, int own_fds,
                absl::FunctionRef<void(const WatchedFile&)> tell);

}  // namespace holdpoint::reader
