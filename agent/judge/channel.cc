#include "agent/judge/channel.h"

#include <fcntl.h>
#include <google/protobuf/message_lite.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr int kSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
constexpr size_t kMaxDescriptors = 4;  // Room for what a hostile end adds, so that it is seen and closed.
constexpr char kInline = 'm';
constexpr char kInMemfd = 'f';

void PutLength(uint64_t length, char* out) {
  for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(length >> (8 * i));
}

uint64_t GetLength(const char* in) {
  uint64_t length = 0;
  for (int i = 0; i < 8; ++i) length |= static_cast<uint64_t>(static_cast<unsigned char>(in[i])) << (8 * i);
  return length;
}

absl::StatusOr<UniqueFd> SealedMemfd(const std::string& bytes) {
  UniqueFd fd(memfd_create("holdpoint-message", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.ok()) return absl::ResourceExhaustedError(absl::StrCat("judge channel: memfd_create: ", strerror(errno)));
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return absl::ResourceExhaustedError(absl::StrCat("judge channel: write to memfd: ", strerror(errno)));
    done += static_cast<size_t>(n);
  }
  if (fcntl(fd.get(), F_ADD_SEALS, kSeals | F_SEAL_SEAL) != 0) return ErrnoStatus("judge channel: seal memfd");
  return fd;
}

absl::StatusOr<std::string> ReadSealedMemfd(int fd, uint64_t length) {
  if (length > JudgeChannel::kMaxMessage) {
    return absl::DataLossError(
        absl::StrCat("judge channel: memfd of at most ", JudgeChannel::kMaxMessage, " bytes wanted, got ", length));
  }
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) {
    return absl::DataLossError("judge channel: a memfd sealed against writing, growing and shrinking wanted");
  }
  struct stat st;
  if (fstat(fd, &st) != 0 || static_cast<uint64_t>(st.st_size) != length) {
    return absl::DataLossError(absl::StrCat("judge channel: memfd is not ", length, " bytes long"));
  }
  std::string bytes(length, '\0');
  for (size_t done = 0; done < length;) {
    const ssize_t n = pread(fd, bytes.data() + done, length - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return absl::DataLossError("judge channel: memfd can't be read to its end");
    done += static_cast<size_t>(n);
  }
  return bytes;
}

// Closes what it owns, whatever came.
std::vector<UniqueFd> TakeDescriptors(msghdr* header) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* c = CMSG_FIRSTHDR(header); c != nullptr; c = CMSG_NXTHDR(header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
      fds.emplace_back(fd);
    }
  }
  return fds;
}

absl::Status SendError(int error) {
  switch (error) {
    case EAGAIN:
      return absl::UnavailableError("judge channel: the other end's queue is full");
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
      return absl::AbortedError("judge channel: the other end is closed");
    default:
      return ErrnoStatus("judge channel: sendmsg", error);
  }
}

}  // namespace

absl::StatusOr<std::pair<UniqueFd, UniqueFd>> JudgeChannel::Pair() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
    return ErrnoStatus("judge channel: socketpair");
  }
  const int size = 4 * kMaxPacket;
  for (const int fd : fds) {
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0) {
      (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));  // As much as the host allows.
    }
  }
  return std::make_pair(UniqueFd(fds[0]), UniqueFd(fds[1]));
}

absl::Status JudgeChannel::Send(const google::protobuf::MessageLite& message) {
  const size_t length = message.ByteSizeLong();
  if (length > kMaxMessage) {
    return absl::ResourceExhaustedError(
        absl::StrCat("judge channel: at most ", kMaxMessage, " bytes in a message, got ", length));
  }
  const int flags = MSG_NOSIGNAL | (mode_ == Mode::kNonBlocking ? MSG_DONTWAIT : 0);
  std::string packet(length + 1, kInline);
  message.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(packet.data()) + 1);
  if (packet.size() <= kMaxPacket) {
    ssize_t n;
    do {
      n = send(socket_.get(), packet.data(), packet.size(), flags);
    } while (n < 0 && errno == EINTR);
    if (n >= 0) return absl::OkStatus();
    if (errno != EMSGSIZE) return SendError(errno);  // EMSGSIZE: more than this socket's buffer takes at once.
  }
  packet.erase(0, 1);
  HP_ASSIGN_OR_RETURN(const UniqueFd memfd, SealedMemfd(packet));
  char head[9] = {kInMemfd};
  PutLength(packet.size(), head + 1);
  iovec part{head, sizeof(head)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  cmsghdr* c = CMSG_FIRSTHDR(&header);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = memfd.get();
  memcpy(CMSG_DATA(c), &fd, sizeof(fd));
  ssize_t n;
  do {
    n = sendmsg(socket_.get(), &header, flags);
  } while (n < 0 && errno == EINTR);
  return n >= 0 ? absl::OkStatus() : SendError(errno);
}

absl::StatusOr<bool> JudgeChannel::Receive(google::protobuf::MessageLite* message) {
  if (buffer_ == nullptr) buffer_ = std::make_unique_for_overwrite<char[]>(kMaxPacket);
  iovec part{buffer_.get(), kMaxPacket};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxDescriptors)] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  ssize_t n;
  do {
    n = recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC | (mode_ == Mode::kNonBlocking ? MSG_DONTWAIT : 0));
  } while (n < 0 && errno == EINTR);
  if (n < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    if (errno == ECONNRESET) return absl::AbortedError("judge channel: the other end is closed");
    return ErrnoStatus("judge channel: recvmsg");
  }
  const std::vector<UniqueFd> fds = TakeDescriptors(&header);
  if (n == 0) return absl::AbortedError("judge channel: the other end is closed");
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return absl::DataLossError(absl::StrCat("judge channel: a packet of more than ", kMaxPacket, " bytes or ",
                                            kMaxDescriptors, " descriptors"));
  }
  const absl::string_view packet(buffer_.get(), static_cast<size_t>(n));
  std::string from_memfd;
  absl::string_view body;
  if (packet[0] == kInline && fds.empty()) {
    body = packet.substr(1);
  } else if (packet[0] == kInMemfd && packet.size() == 9 && fds.size() == 1) {
    HP_ASSIGN_OR_RETURN(from_memfd, ReadSealedMemfd(fds[0].get(), GetLength(packet.data() + 1)));
    body = from_memfd;
  } else {
    return absl::DataLossError("judge channel: neither a message nor one memfd in the packet");
  }
  if (!message->ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return absl::DataLossError(absl::StrCat("judge channel: ", body.size(), " bytes are no ", message->GetTypeName()));
  }
  return true;
}

}  // namespace holdpoint
