#include "agent/cli/ticket_feed.h"

#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr int kExitNotPermitted = 77;

}  // namespace

absl::Status TicketFeed::Connect() {
  ControlRequest request{.command = ControlCommand::kWatch};
  HP_ASSIGN_OR_RETURN(stream_, ControlStream::Open(socket_path_, request));
  return absl::OkStatus();
}

absl::Status TicketFeed::Read() {
  while (connected()) {
    absl::StatusOr<std::optional<ControlPacket>> packet = stream_->Next();
    if (packet.ok() && !packet->has_value()) return absl::OkStatus();
    const absl::Status taken = packet.ok() ? Take(**packet) : packet.status();
    if (taken.ok()) continue;
    stream_.reset();
    return taken;
  }
  return absl::UnavailableError("there is no connection to the daemon");
}

absl::Status TicketFeed::Take(const ControlPacket& packet) {
  if (packet.exit_code == kExitNotPermitted) return absl::PermissionDeniedError(packet.message);
  if (packet.exit_code != 0 || !packet.more) return absl::UnavailableError(packet.message);
  const Json body = Json::parse(packet.body, nullptr, false);
  if (!body.is_object() || !body.contains("holds") || !body["holds"].is_array()) {
    return absl::DataLossError("the daemon's answer is no list of tickets");
  }
  const std::string change = TextOf(body, "watch");
  if (change == "begun") handler_.begun();
  for (const Json& row : body["holds"]) {
    if (row.is_object() && row.contains("ticket")) handler_.ticket(change, TicketRowOf(row));
  }
  return absl::OkStatus();
}

}  // namespace holdpoint
