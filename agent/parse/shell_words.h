#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

// Divides a shell command line into the commands it would run. For `holdpoint check` and for text given to `sh -c`:
// an approximation, because nothing is expanded. The gate does not need it: it sees the argv that the shell made.

struct ShellRedirection {
  int fd = -1;         // -1: the operator's default
  std::string op;      // "<", ">", ">>", ">|", "<>", "&>", "&>>", ">&", "<&"
  std::string target;  // a path, or a descriptor number for ">&" and "<&"
};

struct ShellCommand {
  std::vector<std::string> argv;         // quotes removed; variables and globs as text
  std::vector<std::string> assignments;  // NAME=value before the command
  std::vector<ShellRedirection> redirections;
  std::vector<std::string> standard_input;  // bodies of here-documents and here-strings
  bool piped_input = false;                 // behind "|": its standard input comes from the command before it
  int depth = 0;                            // 0 top level, +1 inside each $(...), `...` or <(...)
  std::vector<std::string> blind_spots;     // "expansion unseen: $HOME", ...
};

struct ShellScript {
  std::vector<ShellCommand> commands;  // in order of appearance; an inner command stands before the one that uses it
  std::vector<std::string> blind_spots;
};

// Handles quotes, escapes, $'..', ; && || | |& & newline, assignments, redirections, here-documents, comments; groups,
// subshells and the words of if, while, for, case and functions are flattened away. Errors: kInvalidArgument for an
// open quote or bracket; kResourceExhausted past 256 KiB, 4096 commands or 32 levels. Pure.
absl::StatusOr<ShellScript> SplitShell(absl::string_view text);

// What the commands of a text that SplitShell does not take would probably be: at ; | & newlines and opened parentheses,
// words at blanks, closed quotes removed, the others passed over. At most 256 commands. Pure, never fails.
std::vector<std::vector<std::string>> SplitShellRoughly(absl::string_view text);

}  // namespace holdpoint
