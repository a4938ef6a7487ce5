#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "agent/cli/ticket_row.h"
#include "agent/control/client.h"

namespace holdpoint {

// The daemon's stream of tickets (kWatch). After a lost connection, Connect() begins anew.
class TicketFeed {
 public:
  struct Handler {
    std::function<void()> begun;  // a connection's first list is complete; it replaces what was known before
    std::function<void(const std::string& change, TicketRow row)> ticket;  // change "now" in that list
  };
  TicketFeed(std::string socket_path, Handler handler)
      : socket_path_(std::move(socket_path)), handler_(std::move(handler)) {}

  absl::Status Connect();
  bool connected() const { return stream_.has_value(); }
  int fd() const { return connected() ? stream_->fd() : -1; }

  // Reads what has come. kPermissionDenied: not from here, for good. kUnavailable: the connection is gone, or there are
  // too many. Both leave it unconnected.
  absl::Status Read();

 private:
  absl::Status Take(const ControlPacket& packet);

  const std::string socket_path_;
  const Handler handler_;
  std::optional<ControlStream> stream_;
};

}  // namespace holdpoint
