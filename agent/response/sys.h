#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "agent/base/fd.h"

// The pidfd system calls as this module uses them. Each sets errno as the system call does.
namespace holdpoint::sys {

inline UniqueFd PidfdOpen(pid_t pid) { return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); }

// A copy of descriptor `fd` of the process. Shares offset and flags with it: never change those.
inline UniqueFd PidfdGetfd(int pidfd, int fd) {
  return UniqueFd(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, fd, 0)));
}

inline bool PidfdSignal(int pidfd, int signal) {
  return syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0;
}

// Whether the process has ended, be it reaped or still a zombie.
inline bool PidfdEnded(int pidfd) {
  pollfd poller{.fd = pidfd, .events = POLLIN, .revents = 0};
  int ready;
  do {
    ready = ::poll(&poller, 1, 0);
  } while (ready < 0 && errno == EINTR);
  return ready > 0 && (poller.revents & (POLLIN | POLLHUP | POLLERR)) != 0;
}

}  // namespace holdpoint::sys
