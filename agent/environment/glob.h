#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// The one glob language of the configuration. No recursion, at worst pattern times text squared. Pure.
//   ?       one character            *   any characters (in a path: within one component)
//   [a-z]   one of a set, [!a-z] not  **  in a path: any characters, components too
namespace holdpoint {

// OK, or why the pattern is none: "an open [".
absl::Status CheckGlob(absl::string_view pattern);

// Plain text: host names, branches, ids. `*` takes everything. Case counts; hosts are lowered before.
bool GlobMatches(absl::string_view pattern, absl::string_view text);

// An absolute path. A leading "~/" of the pattern stands for `home` (without one: for /root and /home/USER).
// A pattern without a slash is matched against the last component. Matches nothing where `path` is empty.
bool PathGlobMatches(absl::string_view pattern, absl::string_view path, absl::string_view home);

// The same for folders: the path itself or any folder above it may match, so "~/src/shop-*" takes all below.
bool FolderGlobMatches(absl::string_view pattern, absl::string_view path, absl::string_view home);

}  // namespace holdpoint
