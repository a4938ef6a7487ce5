#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "agent/base/fd.h"
#include "agent/base/ids.h"

namespace holdpoint {

// What /proc/PID/stat says and this module needs. Addresses are 0 where we may not see them.
struct ProcStat {
  char state = 0;    // 'R', 'S', 'D', 'T' stopped, 't' stopped by its tracer, 'Z', ...
  pid_t parent = 0;  // tgid
  pid_t session = 0;
  uint64_t start_ticks = 0;  // since boot, in 1/100 s
  uint64_t stack_start = 0;  // of a program that has not run yet: the address of argc
  uint64_t argv_start = 0, argv_end = 0;
  uint64_t environ_start = 0, environ_end = 0;
};

// Bytes of another process, NUL-separated as it has them. Hostile.
struct ProcText {
  std::string bytes;
  bool cut = false;  // there was more than asked for
};

// A process's directory in /proc, opened once: it never comes to mean another process, whatever happens to the pid.
// Bounded reads, no parsing beyond numbers that the kernel wrote. One thread at a time.
class ProcDir {
 public:
  // kNotFound: no process of this tgid and start. The start is compared in clock ticks: /proc gives start_boottime in
  // units of 10 ms, rounded down, and so does this comparison; two processes can be mistaken for each other only if
  // the whole range of pids is used up within the same 10 ms.
  static absl::StatusOr<ProcDir> Open(const ProcessId& id);
  // The same without a start to compare, for a process whose pid cannot be reused now (a traced one, a parent).
  static absl::StatusOr<ProcDir> OpenPid(pid_t pid);

  absl::StatusOr<ProcStat> Stat() const;

  // At most `max` bytes of the memory between argv_start and argv_end, environ_start and environ_end: not
  // /proc/PID/cmdline, which a process (or who may write to it) can make to show something else. Meant for a task
  // stopped at exec; a running one may have rewritten it. The addresses are those of the first call, so use one
  // ProcDir for one stop. kDataLoss: a part could not be read, so nothing is known.
  absl::StatusOr<ProcText> Argv(size_t max);
  absl::StatusOr<ProcText> Environ(size_t max);
  // Whether the argument pointers on the stack of a task stopped at exec are those that the kernel put there: each
  // argument begins where the one before ended. Who may write to the task can point them elsewhere and leave the texts
  // as they were. kDataLoss: they are not, or could not be read.
  absl::Status CheckArgvPointers();

  // Bytes of the file that it runs, and what its standard input is: as they are cached, no file system is waited for.
  absl::StatusOr<uint64_t> ExecutableSize() const;
  absl::StatusOr<struct stat> StandardInput() const;

  // "Uid:" and "TracerPid:" of /proc/PID/status.
  absl::StatusOr<uint32_t> RealUid() const;
  absl::StatusOr<pid_t> Tracer() const;

  // Opens NAME below the directory.
  absl::StatusOr<UniqueFd> OpenFile(const char* name, int flags) const;

 private:
  explicit ProcDir(UniqueFd dir) : dir_(std::move(dir)) {}
  absl::Status LearnAddresses();
  absl::StatusOr<ProcText> Memory(uint64_t start, uint64_t end, size_t max, const char* what);
  absl::StatusOr<uint64_t> StatusNumber(const char* field) const;

  UniqueFd dir_;
  UniqueFd memory_;               // opened when needed
  std::optional<ProcStat> stat_;  // of the first look
};

// A process by both of its handles, proven to mean the same one.
struct OpenedProcess {
  UniqueFd pidfd;
  ProcDir dir;
};
// What a consult needs, in one look at /proc. kNotFound: it has ended, or the pid is another process now.
absl::StatusOr<OpenedProcess> OpenProcess(const ProcessId& id);

// Convenience for one question; each opens and validates ProcDir for itself.
absl::StatusOr<ProcText> ReadArgv(const ProcessId& id, size_t max);
absl::StatusOr<ProcText> ReadEnviron(const ProcessId& id, size_t max);

// A pidfd that provably means this process. kNotFound: it has ended, or the pid is another process now.
absl::StatusOr<UniqueFd> OpenPidfd(const ProcessId& id);

// The identity of a live pid, to 10 ms: start_boot_ns is a multiple of 10^7. For comparison use SameProcess().
absl::StatusOr<ProcessId> IdentifyPid(pid_t pid);
// Same tgid and same start, to the 10 ms that /proc gives.
bool SameProcess(const ProcessId& a, const ProcessId& b);

// The parent as it is now, to 10 ms (see IdentifyPid). kNotFound: gone, or no parent in this pid namespace.
absl::StatusOr<ProcessId> ParentOf(const ProcessId& id);

// SIGKILL to exactly this process. kNotFound: had ended; kPermissionDenied.
absl::Status KillProcess(const ProcessId& id);

}  // namespace holdpoint
