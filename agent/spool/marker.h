#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/event/record_sink.h"

namespace holdpoint {

// Stands for a segment that was evicted, until a tombstone for it is on the disk: its file, renamed to what the
// tombstone has to say and emptied. It takes no space and survives a power cut, so nothing goes undeclared.
//
//   SPOOL/RUN_ID/FIRST-LAST-HASH-s-RECORDS-KEPT-BYTES-WHY.gone      s: "d" delivered, "u" not
struct Marker {
  std::string path = {};
  Eviction eviction = {};  // with one gap
};

// The name of the marker for an eviction with one gap. `stream_dir` is that of its run.
std::string MarkerPath(const std::string& stream_dir, const Eviction& eviction);

// Nothing for what is no marker.
std::optional<Marker> ReadMarker(const std::string& stream_dir, const std::string& run_id, const std::string& name);

// The markers of a stream, in the order of their first sequences. Errors: those of reading the directory.
absl::StatusOr<std::vector<Marker>> ListMarkers(const std::string& stream_dir, const std::string& run_id);

// Turns a segment's file into its marker. Errors: those of rename(2); then the segment is as it was.
absl::Status LeaveMarker(const std::string& segment, const Marker& marker);

}  // namespace holdpoint
