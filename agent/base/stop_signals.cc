#include "agent/base/stop_signals.h"

#include <signal.h>
#include <sys/signalfd.h>

#include "agent/base/status.h"

namespace holdpoint {

absl::StatusOr<UniqueFd> StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return ErrnoStatus("sigprocmask");
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.ok()) return ErrnoStatus("signalfd");
  return fd;
}

}  // namespace holdpoint
