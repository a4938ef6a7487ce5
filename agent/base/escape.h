#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace holdpoint {

// Makes text that a session wrote safe to print: the result is printable ASCII only. Control bytes, bytes over 0x7e
// (invalid UTF-8, bidirectional overrides) and the backslash become \n, \t, \\ or \xNN. Pure.
std::string EscapeForTerminal(absl::string_view text);

// The same, and at most `max` characters long: what is cut is replaced by "..." (max >= 3).
std::string EscapeAndClip(absl::string_view text, size_t max);

// A shell-like rendering of one argv for people: words quoted where needed, escaped, clipped to `max` characters.
// Not for a shell to read back.
std::string RenderArgv(const std::vector<std::string>& argv, size_t max);

}  // namespace holdpoint
