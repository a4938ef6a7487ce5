#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace holdpoint {

// What a receiver needs to know of a record to place it: read off the wire without building the message, since a
// draining stream does it for every record. The views point into the record.
struct Route {
  absl::string_view run_id, host_id, instance, session;
  uint64_t sequence = 0;
  uint64_t session_sequence = 0;
  int64_t time_unix_ns = 0;
  int body = 0;                    // field number in the envelope, 0 for none
  absl::string_view previous_hash;

  absl::string_view key() const { return session.empty() ? host_id : session; }
  absl::string_view type() const;  // "exec"; "unknown" for a body that this program does not know
};

// Any bytes are fine; false, and what was read up to there, for what is no envelope.
bool ReadRoute(absl::string_view record, Route* route);

// What stands for a record that a receiver finds too large: the same stream, sequence, session and previous hash, and a
// tombstone for itself alone with the record's hash. So the chain verifies across it.
std::string StandIn(absl::string_view record, absl::string_view reason);

}  // namespace holdpoint
