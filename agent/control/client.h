#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/base/fd.h"
#include "agent/control/wire.h"

namespace holdpoint {

// What a daemon answered. `bodies` are JSON objects in the order of their packets.
struct ControlAnswer {
  int exit_code = 0;
  std::string message;
  std::vector<std::string> bodies;
};

// Copies `text` into a NUL-padded array of a request. kInvalidArgument, naming `what`, where it does not fit or holds
// a NUL.
absl::Status SetControlText(char* array, size_t size, absl::string_view text, absl::string_view what);
template <size_t kSize>
absl::Status SetControlText(char (&array)[kSize], absl::string_view text, absl::string_view what) {
  return SetControlText(array, kSize, text, what);
}

struct ControlPacket {
  int exit_code = 0;
  bool more = false;  // another one follows
  std::string message;
  std::string body;
};

// One request whose answer is taken packet by packet, for answers that go on (kWatch) and for callers that do something
// else meanwhile. Move-only.
class ControlStream {
 public:
  // Connects and sends. Wipes `request.secret`. Does not wait. Errors as AskDaemon's.
  static absl::StatusOr<ControlStream> Open(const std::string& socket_path, ControlRequest& request);

  int fd() const { return socket_.get(); }  // readable when Next() has something

  // The next packet; nullopt where none has come yet. kUnavailable where the daemon hung up.
  absl::StatusOr<std::optional<ControlPacket>> Next();

 private:
  explicit ControlStream(UniqueFd socket);

  UniqueFd socket_;
  std::string buffer_;
};

// Asks the daemon at `socket_path` and waits at most `timeout` for its whole answer. Wipes `request.secret`.
//
// A listener that does not run as root or as the caller is not asked: passwords go this way.
// Errors: kUnavailable no daemon answers there (the message says what to do), kPermissionDenied a listener that is
// not root's, kDeadlineExceeded no answer in time, kDataLoss an answer that is not of this protocol.
absl::StatusOr<ControlAnswer> AskDaemon(const std::string& socket_path, ControlRequest& request,
                                        absl::Duration timeout);

}  // namespace holdpoint
