#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/base/fd.h"

// Becoming what a session's process is: its mount namespace, root and working directory, its user, and less than its
// rights. All as root, before anything that a session wrote is read.
namespace holdpoint::reader {

// The user of a process as the kernel's /proc/PID/status says it. Real ids: a set-uid program that is stopped at its
// start has its owner's effective ones, and the session could not read as that owner.
struct Credentials {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

// Parses the text of /proc/PID/status. kDataLoss where a line is missing.
absl::StatusOr<Credentials> ParseStatus(absl::string_view text);

// Everything that has to be opened while still being root outside.
struct Target {
  UniqueFd pidfd;
  UniqueFd root;               // O_PATH
  UniqueFd working_directory;  // O_PATH; may be empty: then it is not readable
  UniqueFd executable;
  UniqueFd environment;
  UniqueFd input;    // its descriptor 0, the same open file; empty where it has none
  UniqueFd own_fds;  // our /proc/self/fd, for reopening a descriptor without a /proc of the session's
  Credentials credentials;
};

// Opens the process `pid`. `pidfd` and `executable` are descriptors that the gate handed over, or -1. Afterwards the
// process was still there: nothing of a reused pid was opened. kNotFound where it is gone.
absl::StatusOr<Target> OpenTarget(pid_t pid, int pidfd, int executable);

// Goes into the target's mount namespace, root and working directory, becomes its user, drops every capability, takes
// no_new_privs, limits and a seccomp filter without exec, code from files, sockets, ptrace, mounts and namespaces. There is
// no way back.
absl::Status EnterAndDrop(const Target& target, uint32_t cpu_seconds);

}  // namespace holdpoint::reader
