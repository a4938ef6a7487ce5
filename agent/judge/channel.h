#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/fd.h"

namespace google::protobuf {
class MessageLite;
}

namespace holdpoint {

// One end of the SOCK_SEQPACKET pair between the gate and the judge: one protobuf message per packet. The first byte
// of a packet says how the message travels:
//   'm'  the serialised message follows in the packet, at most kMaxPacket bytes with the first one;
//   'f'  eight bytes of length (little endian) follow, and the packet carries one descriptor (SCM_RIGHTS): a memfd
//        sealed against writing, growing and shrinking, of exactly that length, at most kMaxMessage.
// Neither end trusts the other: a receiver checks seals and length before it reads, closes every descriptor that it
// did not ask for, and never waits on one that it received (reading a sealed memfd does not block).
// Not thread-safe: one owner on each side.
class JudgeChannel {
 public:
  static constexpr size_t kMaxPacket = 256 * 1024;
  static constexpr size_t kMaxMessage = 16 * 1024 * 1024;

  // Whether Send and Receive wait. The gate never waits for the judge.
  enum class Mode { kBlocking, kNonBlocking };

  JudgeChannel(UniqueFd socket, Mode mode) : socket_(std::move(socket)), mode_(mode) {}
  JudgeChannel(JudgeChannel&&) = default;
  JudgeChannel& operator=(JudgeChannel&&) = default;

  // Two connected ends, both close-on-exec, with buffers that take several packets where the caller may raise them
  // (CAP_NET_ADMIN); where not, long messages travel as memfds earlier.
  static absl::StatusOr<std::pair<UniqueFd, UniqueFd>> Pair();

  // To poll for POLLIN and POLLOUT; the channel keeps it.
  int fd() const { return socket_.get(); }

  // Errors: kUnavailable (the other end's queue is full, non-blocking only: nothing was sent, try after POLLOUT),
  // kAborted (the other end is closed), kResourceExhausted (over kMaxMessage, or no descriptor left).
  absl::Status Send(const google::protobuf::MessageLite& message);

  // True: `message` holds what came. False: nothing is there yet (non-blocking only). Errors: kAborted (the other end
  // is closed), kDataLoss (a malformed packet: the other end is broken or hostile, drop it).
  absl::StatusOr<bool> Receive(google::protobuf::MessageLite* message);

 private:
  UniqueFd socket_;
  Mode mode_;
  std::unique_ptr<char[]> buffer_;  // kMaxPacket bytes, made at the first Receive.
};

}  // namespace holdpoint
