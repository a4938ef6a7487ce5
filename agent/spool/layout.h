#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

// Names inside a spool directory:
//
//   SPOOL/RUN_ID/stream       text: "ordinal N\n"; streams follow each other in the order of N
//   SPOOL/RUN_ID/SEQ.seg      a segment, named by the sequence that its first record had when it was made, 20 digits
//   SPOOL/RUN_ID/SEQ.thin     its copy without ordinary records, until that takes its place
//   SPOOL/RUN_ID/....gone     what is left of one that was evicted, until a tombstone says it (marker.h)
//   SPOOL/reserve             space set aside for evidence on a full disk
//
// RUN_ID is that of the stream's StreamId. What has another name is not ours and is left alone.
struct SegmentFile {
  uint64_t first_sequence = 0;
  std::string path;
  uint64_t bytes = 0;  // size of the file
};

struct StreamDir {
  std::string run_id;
  std::string path;
  uint64_t ordinal = 0;
};

// The streams of a spool, oldest first. A missing directory is an empty spool. Errors: those of reading it.
absl::StatusOr<std::vector<StreamDir>> ListStreams(const std::string& spool_dir);

// The segments of a stream, oldest first. A stream directory that is gone (evicted) has none.
absl::StatusOr<std::vector<SegmentFile>> ListSegments(const std::string& stream_dir);

// Makes SPOOL/RUN_ID and its `stream` file; both are there or neither is, also after a power cut. 0700.
absl::StatusOr<StreamDir> CreateStream(const std::string& spool_dir, absl::string_view run_id, uint64_t ordinal);

// Where the thinned copy of a segment is made.
std::string ThinPath(const std::string& segment_path);

// The names in a directory; none where it does not exist. Errors: those of reading it.
absl::StatusOr<std::vector<std::string>> ListNames(const std::string& path);

std::string SegmentPath(const std::string& stream_dir, uint64_t first_sequence);

// True for what we take as a run id: 1 to 64 letters, digits and '-'.
bool IsRunId(absl::string_view text);

// Forces the names in a directory to stable storage.
absl::Status SyncDir(const std::string& path);

}  // namespace holdpoint
