#include "agent/control/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "agent/base/clock.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

absl::Status NoDaemon(const std::string& path, int error) {
  const absl::string_view why = error == ENOENT         ? "there is no such socket"
                                : error == ECONNREFUSED ? "nobody listens there"
                                                        : absl::string_view(strerror(error));
  return absl::UnavailableError(
      absl::StrCat("no daemon answers at ", path, " (", why, "): start holdpointd, or name its folder with --run"));
}

absl::StatusOr<UniqueFd> Connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("--run: the socket's path must have 1 to ",
                                                   sizeof(address.sun_path) - 1, " bytes, it has ", path.size()));
  }
  memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.ok()) return ErrnoStatus("socket");
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return NoDaemon(path, errno);
  }
  ucred listener{};
  socklen_t size = sizeof(listener);
  if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0) return ErrnoStatus("SO_PEERCRED");
  if (listener.uid != 0 && listener.uid != geteuid()) {
    return absl::PermissionDeniedError(absl::StrCat("the listener at ", path, " runs as uid ", listener.uid,
                                                    " and not as root: nothing was sent to it"));
  }
  return fd;
}

absl::Status WaitFor(int fd, short events, BootTime deadline) {
  while (true) {
    const absl::Duration left = deadline - Clock::Real().Boot();
    if (left <= absl::ZeroDuration()) return absl::DeadlineExceededError("the daemon did not answer in time");
    pollfd wait{.fd = fd, .events = events, .revents = 0};
    const int ready = poll(&wait, 1, static_cast<int>(std::min<int64_t>(absl::ToInt64Milliseconds(left) + 1, 3600000)));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return ErrnoStatus("poll");
  }
}

}  // namespace

absl::Status SetControlText(char* array, size_t size, absl::string_view text, absl::string_view what) {
  if (text.size() >= size) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": at most ", size - 1, " bytes, got ", text.size()));
  }
  if (text.find('\0') != absl::string_view::npos)
    return absl::InvalidArgumentError(absl::StrCat(what, ": holds a NUL"));
  memset(array, 0, size);
  memcpy(array, text.data(), text.size());
  return absl::OkStatus();
}

ControlStream::ControlStream(UniqueFd socket)
    : socket_(std::move(socket)), buffer_(sizeof(ControlReply) + kControlBodyMax, '\0') {}

absl::StatusOr<ControlStream> ControlStream::Open(const std::string& socket_path, ControlRequest& request) {
  absl::Cleanup wipe = [&request] { explicit_bzero(request.secret, sizeof(request.secret)); };
  HP_ASSIGN_OR_RETURN(UniqueFd socket, Connect(socket_path));
  // A daemon that is too busy may have answered and hung up already: then its answer is there to read.
  if (send(socket.get(), &request, sizeof(request), MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET) {
    return NoDaemon(socket_path, errno);
  }
  return ControlStream(std::move(socket));
}

absl::StatusOr<std::optional<ControlPacket>> ControlStream::Next() {
  const ssize_t size = recv(socket_.get(), buffer_.data(), buffer_.size(), MSG_TRUNC | MSG_DONTWAIT);
  if (size < 0 && (errno == EINTR || errno == EAGAIN)) return std::nullopt;
  if (size <= 0) return absl::UnavailableError("the daemon closed the connection without an answer: see its log");
  ControlReply head;
  if (static_cast<size_t>(size) < sizeof(head)) return absl::DataLossError("the daemon's answer is too short");
  memcpy(&head, buffer_.data(), sizeof(head));
  if (head.version != kControlVersion) {
    return absl::DataLossError(absl::StrCat("the daemon speaks version ", head.version,
                                            " of the control protocol, this program ", kControlVersion));
  }
  if (static_cast<size_t>(size) != sizeof(head) + head.body_bytes || head.body_bytes > kControlBodyMax) {
    return absl::DataLossError("the daemon's answer is not of the size that it says");
  }
  return ControlPacket{.exit_code = head.exit_code,
                       .more = head.more != 0,
                       .message = std::string(head.message, strnlen(head.message, sizeof(head.message))),
                       .body = std::string(buffer_, sizeof(head), head.body_bytes)};
}

absl::StatusOr<ControlAnswer> AskDaemon(const std::string& socket_path, ControlRequest& request,
                                        absl::Duration timeout) {
  const BootTime deadline = Clock::Real().Boot() + timeout;
  HP_ASSIGN_OR_RETURN(ControlStream stream, ControlStream::Open(socket_path, request));
  ControlAnswer answer;
  for (bool more = true; more;) {
    HP_RETURN_IF_ERROR(WaitFor(stream.fd(), POLLIN, deadline));
    HP_ASSIGN_OR_RETURN(std::optional<ControlPacket> packet, stream.Next());
    if (!packet.has_value()) continue;
    answer.exit_code = packet->exit_code;
    answer.message = std::move(packet->message);
    if (!packet->body.empty()) answer.bodies.push_back(std::move(packet->body));
    more = packet->more;
  }
  return answer;
}

}  // namespace holdpoint
