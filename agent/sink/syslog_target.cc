#include "agent/sink/syslog_target.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/sink/syslog_text.h"

namespace holdpoint {
namespace {

constexpr int kPatienceMs = 5000;  // for a connection, and for a peer that takes nothing
constexpr size_t kMaxLocal = 65536;

absl::Status Away(const std::string& what, int error) {
  return absl::UnavailableError(absl::StrCat(what, ": ", strerror(error)));
}

void SetPatience(int fd) {
  const timeval patience{.tv_sec = kPatienceMs / 1000, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

// Connects without waiting longer than kPatienceMs. The socket is blocking afterwards. 0 or an errno.
int ConnectWithin(int fd, const sockaddr* address, socklen_t size) {
  const int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  int error = connect(fd, address, size) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    pollfd wait{fd, POLLOUT, 0};
    socklen_t length = sizeof(error);
    error = ETIMEDOUT;
    if (poll(&wait, 1, kPatienceMs) == 1) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  }
  fcntl(fd, F_SETFL, flags);
  return error;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SyslogTarget>> SyslogTarget::Make(const SinkSpec& spec) {
  std::unique_ptr<SyslogTarget> target(new SyslogTarget(spec));
  if (spec.kind == SinkSpec::Kind::kTls) {
    HP_ASSIGN_OR_RETURN(target->tls_context_, TlsContext::Load(spec));
  }
  return target;
}

absl::Status SyslogTarget::ConnectUnix() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (spec_.place.size() >= sizeof(address.sun_path)) {
    return absl::FailedPreconditionError(absl::StrCat(spec_.place, ": is too long for a socket's path"));
  }
  memcpy(address.sun_path, spec_.place.data(), spec_.place.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.ok()) return ErrnoStatus("socket");
  if (const int error = ConnectWithin(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)); error != 0) {
    return Away(spec_.place, error);
  }
  SetPatience(fd.get());
  socket_ = std::move(fd);
  return absl::OkStatus();
}

absl::Status SyslogTarget::ConnectInet(int type) {
  addrinfo hints{};
  hints.ai_socktype = type;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(spec_.place.c_str(), absl::StrCat(spec_.port).c_str(), &hints, &found);
  if (failed != 0) return absl::UnavailableError(absl::StrCat(spec_.place, ": ", gai_strerror(failed)));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  absl::Status last = absl::UnavailableError(absl::StrCat(spec_.place, ": has no address"));
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    UniqueFd fd(socket(address->ai_family, type | SOCK_CLOEXEC, 0));
    if (!fd.ok()) return ErrnoStatus("socket");
    const int error = ConnectWithin(fd.get(), address->ai_addr, address->ai_addrlen);
    if (error != 0) {
      last = Away(SinkTargetText(spec_), error);
      continue;
    }
    const int on = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    SetPatience(fd.get());
    socket_ = std::move(fd);
    return absl::OkStatus();
  }
  return last;
}

absl::Status SyslogTarget::Connect() {
  tls_.reset();
  socket_.reset();
  switch (spec_.kind) {
    case SinkSpec::Kind::kUnix:
      return ConnectUnix();
    case SinkSpec::Kind::kUdp:
      return ConnectInet(SOCK_DGRAM);
    default:
      HP_RETURN_IF_ERROR(ConnectInet(SOCK_STREAM));
  }
  if (tls_context_ == nullptr) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<TlsConnection>> connected = TlsConnection::Connect(*tls_context_, socket_.get(), spec_.place);
  if (!connected.ok()) {
    socket_.reset();
    return connected.status();
  }
  tls_ = *std::move(connected);
  return absl::OkStatus();
}

// A peer that has closed still takes one write, which then is lost: look first.
bool SyslogTarget::PeerHasGone() const {
  if (spec_.kind != SinkSpec::Kind::kTcp && spec_.kind != SinkSpec::Kind::kTls) return false;
  pollfd look{socket_.get(), POLLIN | POLLRDHUP, 0};
  if (poll(&look, 1, 0) <= 0) return false;
  return (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

absl::Status SyslogTarget::SendBytes(absl::string_view bytes) {
  if (tls_ != nullptr) return tls_->Write(bytes);
  while (!bytes.empty()) {
    const ssize_t size = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Away(SinkTargetText(spec_), errno);
    bytes.remove_prefix(static_cast<size_t>(size));
  }
  return absl::OkStatus();
}

absl::Status SyslogTarget::SendDatagram(const std::string& message, size_t max) {
  std::string cut = CutMessage(message, max);
  if (cut.size() < message.size()) ++cut_;
  while (send(socket_.get(), cut.data(), cut.size(), MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    if (errno != EMSGSIZE || cut.size() <= 1024) return Away(SinkTargetText(spec_), errno);
    if (cut.size() == message.size()) ++cut_;
    cut = CutMessage(message, cut.size() / 2);
  }
  return absl::OkStatus();
}

absl::Status SyslogTarget::Send(const OutLine& line) {
  if (spec_.kind == SinkSpec::Kind::kUnix) return SendDatagram(LocalSyslogMessage(line), kMaxLocal);
  if (spec_.kind == SinkSpec::Kind::kUdp) return SendDatagram(RemoteSyslogMessage(line), kMaxSyslogDatagram);
  return SendBytes(SyslogFrame(RemoteSyslogMessage(line)));
}

absl::Status SyslogTarget::Write(const std::vector<OutLine>& lines, size_t* taken) {
  *taken = 0;
  if (!socket_.ok() || PeerHasGone()) HP_RETURN_IF_ERROR(Connect());
  for (const OutLine& line : lines) {
    if (absl::Status sent = Send(line); !sent.ok()) {
      tls_.reset();
      socket_.reset();
      return sent;
    }
    ++*taken;
  }
  return absl::OkStatus();
}

}  // namespace holdpoint
