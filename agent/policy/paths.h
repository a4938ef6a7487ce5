#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "agent/policy/act.h"

// Paths as text. Nothing here looks at a file system: whether "a/../b" is "b" depends on links, which the reader
// resolves; these functions say what a path means where nobody has looked.
namespace holdpoint {

// The absolute path that a word of the act's argv names: the working directory in front of a relative one, "~/" the
// home (a shell has done that already for a real exec, curl does it itself). Double slashes and "." are removed; a
// slash at the end stays, because it makes programs follow a link.
std::string AbsolutePath(const ExecAct& act, absl::string_view word);

// "." and ".." and double slashes removed; "/" stays; no slash at the end.
std::string CleanPath(absl::string_view path);

// `path` is `folder` or lies below it; both clean and absolute. An empty folder holds nothing.
bool IsWithin(absl::string_view path, absl::string_view folder);
bool IsBelow(absl::string_view path, absl::string_view folder);  // not the folder itself

// Has a component of this name.
bool HasComponent(absl::string_view path, absl::string_view name);

absl::string_view BaseName(absl::string_view path);
absl::string_view ParentPath(absl::string_view path);

// Of text that no shell has expanded: "build/*" names what is in "build", "*" what is in the working directory;
// `all` is set. Words with other expansions ($X, `x`, {a,b}, a glob in the middle) are `opaque`.
struct UnexpandedPath {
  std::string path;
  bool all = false;
  bool opaque = false;
};
UnexpandedPath ReadUnexpanded(const ExecAct& act, absl::string_view word);

}  // namespace holdpoint
