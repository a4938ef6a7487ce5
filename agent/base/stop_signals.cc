#include "agent/base/stop_signals.h"

#include <signal.h>
#include <sys/epoll.h>
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

absl::StatusOr<UniqueFd> AnyOf(std::initializer_list<int> fds) {
  UniqueFd any(epoll_create1(EPOLL_CLOEXEC));
  if (!any.ok()) return ErrnoStatus("epoll_create1");
  for (const int fd : fds) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (fd >= 0 && epoll_ctl(any.get(), EPOLL_CTL_ADD, fd, &event) != 0) return ErrnoStatus("epoll_ctl");
  }
  return any;
}

}  // namespace holdpoint
