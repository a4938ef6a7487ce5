#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/export/level.h"

namespace holdpoint {

// One exported event, and what a transport says of it in its own header.
struct OutLine {
  std::string text = {};  // printable ASCII, no line feed
  Level level = Level::kInformational;
  int64_t time_unix_ns = 0;
  std::string host = {};    // as the record has it: not to be trusted
  std::string action = {};  // "exec-refused"
  std::string key = {};     // what it stays in order with: its session, else its host
};

// Where lines go. Thread: one.
class LineTarget {
 public:
  virtual ~LineTarget() = default;

  // Takes lines from the front on; `taken` says how many. A line counts when it was handed to the system as a whole, so
  // that of an error the rest can be tried again. Waits no longer than some seconds, and not past the stop.
  // Errors: kUnavailable (away, full: try later), kResourceExhausted (disk full), kPermissionDenied, kInternal.
  virtual absl::Status Write(const std::vector<OutLine>& lines, size_t* taken) = 0;

  // What was taken is as safe as the target can make it.
  virtual absl::Status Sync() { return absl::OkStatus(); }

  // Lines that were cut because the transport takes no longer ones.
  virtual uint64_t cut() const { return 0; }
};

}  // namespace holdpoint
