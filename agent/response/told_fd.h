#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/base/fd.h"
#include "agent/base/ids.h"

namespace holdpoint {

// The descriptor on which the text for a task is written.
struct ToldFd {
  UniqueFd fd;         // empty: there is none
  std::string detail;  // why another one than its own stderr, or why none; empty otherwise
};

// Takes a copy of the task's stderr with pidfd_getfd, whatever it is: file, pipe, terminal, socket. Where its stderr is
// closed, /dev/null or nothing that may be written to, the stderr of its parent is the candidate, up to four
// generations up, as long as they have the same real uid and are in the same session (setsid): the tool's shell, never
// the coding agent's own terminal.
//
// What may be written to: files on file systems that keep data (never proc, sysfs, cgroup and their like, where
// writing is a command), pipes, sockets, terminals.
//
// Can block for ever, and so can closing what it returns: a file system that does not answer (FUSE), a parent that is
// in an exec. For a thread that may be lost.
ToldFd FindStderr(int pidfd, const ProcessId& id);

// Writes all of `text` without letting a full pipe, a stopped terminal or an unread socket block for longer than
// `patience`; a file system that does not answer (FUSE) can block for ever, so this is for a thread that may be lost.
// The flags of the descriptor are shared with the session's processes and are not touched. SIGPIPE must be blocked.
// Returns an empty text, or why not all of it was written.
std::string WriteAll(int fd, absl::string_view text, absl::Duration patience);

}  // namespace holdpoint
