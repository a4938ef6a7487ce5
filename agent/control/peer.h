#pragma once

#include <sys/types.h>

#include <memory>

#include "absl/status/statusor.h"
#include "agent/base/fd.h"

namespace holdpoint {

// Who connected, as the kernel says. `pid` is only for messages and for comparing with a sender; `pidfd` is the
// process itself: label look-ups go through it.
struct ControlPeer {
  pid_t pid = 0;
  uid_t uid = 0;  // effective, at connect
  gid_t gid = 0;
  std::shared_ptr<UniqueFd> pidfd;
};

// The peer of a connected unix socket. From Linux 6.5 the pidfd is the socket's own (SO_PEERPIDFD). Before, it is
// opened by number, and the process is required to be alive afterwards: what remains is a pid reused between its
// connect and this call.
//
// kNotFound: the peer has ended, or lives in a pid namespace that this process cannot see.
absl::StatusOr<ControlPeer> PeerOf(int socket);

}  // namespace holdpoint
