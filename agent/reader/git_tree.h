#pragma once

#include <string>

#include "agent/reader/safe_file.h"

struct git_repository;

namespace holdpoint::reader {

struct TreeState {
  bool ignored = false;        // everything below is ignored by git and not tracked
  bool tracked_clean = false;  // what is not ignored is in HEAD, byte for byte, and HEAD's objects are here
  std::string problem;         // why neither could be found out
};

// Compares one path of the working tree at `root` with HEAD's tree. `below` is relative to `root`, without "./" or a
// trailing slash. Files are read by `files`; the index is only asked for what it tracks.
TreeState CompareWithHead(git_repository* repository, const SafeFiles& files, const std::string& root,
                          const std::string& below, bool is_folder);

// A folder below `folder` holds a .git (three levels deep, at most 2,000 folders; its own .git does not count).
bool ContainsRepository(const std::string& folder);

// The index marks a file assume-unchanged or skip-worktree.
bool HasHiddenChanges(git_repository* repository);

}  // namespace holdpoint::reader
