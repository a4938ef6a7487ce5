#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace holdpoint {

// What became of the records on their way through one sink, since it was first configured. Kept beside its cursor as one
// JSON object, replaced as a whole.
struct SinkCounters {
  std::string target;  // for people: "tls://siem.example.com:6514"
  std::string format;
  uint64_t delivered = 0;      // handed over
  uint64_t below_minimum = 0;  // left out, as configured
  uint64_t missing = 0;        // gone from the spool before this sink had read them
  uint64_t unreadable = 0;     // no envelope
  uint64_t cut = 0;            // of the delivered: longer than the transport takes
  uint64_t failures = 0;       // times that the target was away or refused
  std::string last_failure;
  int64_t last_delivery_unix_ns = 0;
  int64_t last_failure_unix_ns = 0;
};

// It failed, and nothing has arrived since.
inline bool IsAway(const SinkCounters& counters) {
  return counters.last_failure_unix_ns > counters.last_delivery_unix_ns;
}

// STATE/stream/sinks/NAME/counters
std::string SinkCountersPath(const std::string& state_dir, const std::string& name);
std::string SinkCursorPath(const std::string& state_dir, const std::string& name);

// A missing file is counters that are all 0; so is one that is none, as counting anew beats not delivering.
SinkCounters ReadSinkCounters(const std::string& path);

// Replaces the file, without forcing it to the disk. Errors: those of writing.
absl::Status WriteSinkCounters(const std::string& path, const SinkCounters& counters);

}  // namespace holdpoint
