#pragma once

#include <sys/types.h>

#include "absl/status/status.h"

namespace holdpoint {

// Makes a task end by exit_group(STATUS) without running its program. All calls from the thread that traces it, while it
// is in a ptrace stop; the task was seized with PTRACE_O_TRACESYSGOOD.

// Points the registers at a `syscall` instruction of its vdso, with exit_group(`status`) as the call, and blocks its
// signals, so that nothing pending is delivered on the way. Then resume with PTRACE_SYSCALL.
// kFailedPrecondition: not a 64-bit task; kNotFound: no vdso, or no such instruction where ours has it. Then it must
// not be resumed.
absl::Status PrepareExit(pid_t pid, int status);

// At the system call's entry: whether the call that is about to happen is exit_group(`status`) of the 64-bit table. The
// task's memory can be written by others while it is stopped, its vdso too, so what it came to call is looked at and
// not assumed. kAborted: it is another one.
absl::Status CheckExitEntry(pid_t pid, int status);

// At a system call's entry: the call does not happen, whatever it is.
void CancelSyscall(pid_t pid);

}  // namespace holdpoint
