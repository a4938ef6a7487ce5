// holdpoint-warden: started by holdpointd, waits for its end. See agent/kernel/warden.h.
//
//   holdpoint-warden WEDGED_MS   3 ready (a byte is written), 4 pidfd of the gate, 5.. as Kernel::WardenFds
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/kernel/warden.h"

namespace holdpoint {
namespace {

enum Fd { kReady = 3, kGate, kConfig, kBeat, kTask, kTgid, kIterator };

UniqueFd Take(int fd) { return UniqueFd(fcntl(fd, F_GETFD) < 0 ? -1 : fd); }

// To signal a process of any uid, and to read maps: nothing else is ever needed.
absl::Status KeepFewCapabilities() {
  constexpr uint64_t kKept = 1ULL << CAP_KILL | 1ULL << CAP_BPF | 1ULL << CAP_PERFMON | 1ULL << CAP_SYS_ADMIN;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return ErrnoStatus("capget");
  for (int half = 0; half < 2; ++half) {
    const auto kept = static_cast<uint32_t>(kKept >> (32 * half));
    data[half].effective &= kept;
    data[half].permitted &= kept;
    data[half].inheritable = 0;
  }
  if (syscall(SYS_capset, &header, data) != 0) return ErrnoStatus("capset");
  return absl::OkStatus();
}

absl::Status Run(int argc, char** argv) {
  int64_t wedged_ms = 0;
  if (argc != 2 || !absl::SimpleAtoi(argv[1], &wedged_ms) || wedged_ms < 8) {
    return absl::InvalidArgumentError("usage: holdpoint-warden MILLISECONDS; holdpointd starts it");
  }
  // Whoever stops the gate in good order says so to the gate, and a terminal's ^C is not meant for this process.
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2}) {
    if (std::signal(signal, SIG_IGN) == SIG_ERR) return ErrnoStatus("signal");
  }
  if (prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return ErrnoStatus("prctl");
  HP_RETURN_IF_ERROR(KeepFewCapabilities());
  (void)mlockall(MCL_CURRENT);  // It is needed when memory is short; without the right it does what it can.
  HP_ASSIGN_OR_RETURN(Warden warden, Warden::Open({.config = Take(kConfig),
                                                   .beat = Take(kBeat),
                                                   .task = Take(kTask),
                                                   .tgid = Take(kTgid),
                                                   .iterator = Take(kIterator)},
                                                  Take(kGate)));
  if (write(kReady, "w", 1) != 1) return ErrnoStatus("tell the gate");
  close(kReady);
  HP_ASSIGN_OR_RETURN(const int ended, warden.Watch(absl::Milliseconds(wedged_ms)));
  if (ended > 0) LogWarning("the gate is gone: ", ended, " tasks that it had stopped were ended");
  return absl::OkStatus();
}

}  // namespace
}  // namespace holdpoint

int main(int argc, char** argv) {
  holdpoint::SetLogName("holdpoint-warden");
  const absl::Status status = holdpoint::Run(argc, argv);
  if (!status.ok()) holdpoint::LogError(status.message());
  return holdpoint::ExitCode(status);
}
