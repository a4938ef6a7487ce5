#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

// How far the stream process got: for each run id, the sequence from which on nothing is known to be delivered.
// Kept in a small text file that is replaced as a whole:
//
//   holdpoint cursor 1
//   RUN_ID NEXT_SEQUENCE
struct Cursor {
  std::map<std::string, uint64_t> next_sequence;

  uint64_t Next(absl::string_view run_id) const {
    const auto it = next_sequence.find(std::string(run_id));
    return it == next_sequence.end() ? 1 : it->second;
  }
};

// STATE/stream/cursor. The stream process makes the directory.
std::string CursorPath(const std::string& state_dir);

// A missing file is an empty cursor. Errors: kDataLoss for a file that is no cursor, those of read(2).
absl::StatusOr<Cursor> ReadCursor(const std::string& path);

// Writes PATH.new, forces it to disk and renames it: a crash leaves the old or the new one.
absl::Status WriteCursor(const std::string& path, const Cursor& cursor);

}  // namespace holdpoint
