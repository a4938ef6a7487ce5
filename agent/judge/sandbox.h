#pragma once

#include <sys/types.h>

#include <cstdint>

#include "absl/status/status.h"

namespace holdpoint {

struct SandboxOptions {
  uid_t uid = 64711;                   // belongs to nobody; the group is the same number
  uint64_t memory_bytes = 512u << 20;  // of data; 0 for no limit
};

// Takes every right from this process and keeps what it needs to answer messages: the descriptors it has, memory, a
// clock. Call it before the first byte from outside is read, in a process with one thread; it can't be undone.
//
// As root: own network, mount, IPC and UTS name spaces, an empty read-only root directory, the unassigned uid, no
// capability and no supplementary group. As anybody: limits (no file, no process, no core), no_new_privs, not
// dumpable, and last a seccomp allow-list whose violation kills.
// Afterwards it tries what must fail now: becoming root, opening a file, making a socket, mapping memory to execute.
//
// Errors: kInternal with what could not be given up. The caller must exit then.
absl::Status EnterSandbox(const SandboxOptions& options);

}  // namespace holdpoint
