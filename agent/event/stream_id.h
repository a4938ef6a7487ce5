#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// Makes the identity of a new stream on this host.
//
// `state_dir` exists and is ours: where the host has no /etc/machine-id, a random id is kept in STATE_DIR/host-id
// (0600). host_id is the SHA-256 of "holdpoint" and the machine id, as systemd asks of programs that show it. boot_id
// comes from the kernel. run_id is new at each call: 32 random hexadecimal digits.
//
// Errors: those of reading these files and of writing host-id.
absl::StatusOr<v1::StreamId> MakeStreamId(const std::string& state_dir, absl::string_view instance);

}  // namespace holdpoint
