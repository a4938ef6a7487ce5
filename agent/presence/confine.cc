#include "agent/presence/confine.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/status.h"

namespace holdpoint {
namespace {

absl::Status Limit(__rlimit_resource resource, rlim_t value, absl::string_view name) {
  const rlimit limit{.rlim_cur = value, .rlim_max = value};
  return setrlimit(resource, &limit) == 0 ? absl::OkStatus() : ErrnoStatus(name);
}

}  // namespace

absl::Status ConfineThisProcess(unsigned seconds) {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDWR) != fd) return ErrnoStatus("/dev/null");
  }
  if (close_range(4, ~0u, 0) != 0) return ErrnoStatus("close_range");
  if (geteuid() != 0 || getuid() != 0)
    return absl::PermissionDeniedError("holdpoint-presence is for the daemon: only root runs it");
  if (prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return ErrnoStatus("prctl");
  HP_RETURN_IF_ERROR(Limit(RLIMIT_CORE, 0, "RLIMIT_CORE"));
  HP_RETURN_IF_ERROR(Limit(RLIMIT_CPU, seconds, "RLIMIT_CPU"));
  HP_RETURN_IF_ERROR(Limit(RLIMIT_NOFILE, 64, "RLIMIT_NOFILE"));
  HP_RETURN_IF_ERROR(Limit(RLIMIT_FSIZE, 1 << 20, "RLIMIT_FSIZE"));
  (void)setsid();  // Fails only for a leader of a group, which has no terminal of ours either.
  umask(077);
  if (clearenv() != 0 || setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1) != 0) return ErrnoStatus("environment");
  signal(SIGALRM, SIG_DFL);
  signal(SIGPIPE, SIG_IGN);
  alarm(seconds);
  return absl::OkStatus();
}

}  // namespace holdpoint
