#include "agent/control/peer.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "agent/base/status.h"

namespace holdpoint {
namespace {

#ifdef SO_PEERPIDFD
constexpr int kPeerPidfd = SO_PEERPIDFD;
#else
constexpr int kPeerPidfd = 77;  // Linux 6.5; not in the headers of older systems
#endif

bool HasEnded(int pidfd) {
  pollfd wait{.fd = pidfd, .events = POLLIN, .revents = 0};
  return poll(&wait, 1, 0) != 0;
}

}  // namespace

absl::StatusOr<ControlPeer> PeerOf(int socket) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return ErrnoStatus("SO_PEERCRED");
  if (credentials.pid <= 0) return absl::NotFoundError("the peer is in a pid namespace that cannot be seen from here");

  int pidfd = -1;
  size = sizeof(pidfd);
  if (getsockopt(socket, SOL_SOCKET, kPeerPidfd, &pidfd, &size) != 0) {
    if (errno != ENOPROTOOPT) return absl::NotFoundError("the peer has ended");
    pidfd = static_cast<int>(syscall(SYS_pidfd_open, credentials.pid, 0));
    if (pidfd < 0) return ErrnoStatus("pidfd_open of the peer");
  }
  auto owned = std::make_shared<UniqueFd>(pidfd);
  if (HasEnded(owned->get())) return absl::NotFoundError("the peer has ended");
  return ControlPeer{.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid, .pidfd = std::move(owned)};
}

}  // namespace holdpoint
