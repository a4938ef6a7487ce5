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

// Two, so that what happens in a folder can't fill the queue of the files. fanotify groups that report file ids.
struct MarkGroups {
  int files = -1;
  int folders = -1;
};

// `patterns` are absolute or below "~/", which is `home`; the last part may be a glob (fnmatch(3)). Each regular file that
// matches gets a mark for being opened, read and closed and for its end, each folder of a pattern one for what is put into
// it. `own_fds` as in SafeFiles. `tell` gets what has a mark by now, what could not get one, and in front of each pattern that
// it is looked for.
//
// No mark get files of FUSE, whose server would decide when an answer comes, and what a link leads to that everybody may
// read and that is not this user's: it is no secret, and may be opened by every process of the host.
void WatchFiles(const std::vector<std::string>& patterns, const std::string& home, MarkGroups groups, int own_fds,
                absl::FunctionRef<void(const WatchedFile&)> tell);

}  // namespace holdpoint::reader
