#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "agent/base/fd.h"
#include "agent/event/record_sink.h"
#include "agent/spool/layout.h"

namespace holdpoint {

struct SpoolOptions {
  uint64_t segment_bytes = 16 * 1024 * 1024;   // a record larger than that gets a segment of its own
  uint64_t max_bytes = 1024ull * 1024 * 1024;  // of all streams; past it the oldest segments go, delivered ones first
  std::string cursor_path = {};  // what the stream process delivered; empty where there is no such process
};

// The append-only store of records on this host, one directory per stream (layout.h), one writer.
//
// Opening starts a new stream. The stream before it is repaired first: what follows its last whole record, torn by a
// crash or a power cut, is cut off, and report() says so. A damaged place with whole records behind it is left as it
// is: readers report it.
//
// An Append that fails keeps nothing, and the next one tries again: the caller goes on gating and counts.
// Thread: as RecordSink says.
class Spool final : public RecordSink {
 public:
  struct Report {
    std::string previous_run_id;  // empty: the spool was empty
    uint64_t previous_last_sequence = 0;
    Sha256Digest previous_last_hash{};
    uint64_t cut_bytes = 0;      // cut off at the end of the previous stream
    uint64_t damaged_bytes = 0;  // inside of its last segment, left alone
    std::string note;            // one line for people, empty when there is nothing to say
  };

  // Errors: kAlreadyExists when another process writes to this spool, those of making and reading `spool_dir`. A full
  // disk is no error here: appending says it.
  static absl::StatusOr<std::unique_ptr<Spool>> Open(const std::string& spool_dir, const std::string& run_id,
                                                     const SpoolOptions& options = {});
  ~Spool() override;

  absl::Status Append(uint64_t sequence, absl::string_view record) override;
  absl::Status Sync() override;
  std::vector<Eviction> TakeEvictions() override;

  const Report& report() const { return report_; }
  uint64_t bytes() const { return bytes_; }  // on disk, of all streams. Same thread as Append.

 private:
  struct Kept {
    std::string run_id;
    std::string stream_path;
    SegmentFile file;
    uint64_t behind = 0;  // the sequence behind its last record, 0 until somebody needed it
  };

  Spool(std::string dir, std::string run_id, const SpoolOptions& options, UniqueFd lock);
  absl::Status Scan();
  absl::Status Repair(const StreamDir& stream);
  absl::Status Rotate(uint64_t sequence, uint64_t frame_bytes);
  absl::StatusOr<UniqueFd> CreateSegment(const std::string& path, uint64_t frame_bytes, uint64_t* size);
  absl::Status CloseSegment();
  void MakeRoom(uint64_t wanted);
  bool EvictOne(bool delivered_only);
  void Evict(size_t index, bool delivered);

  const std::string dir_;
  const std::string run_id_;
  const SpoolOptions options_;
  const UniqueFd lock_;
  Report report_;
  uint64_t next_ordinal_ = 1;
  StreamDir stream_;       // path empty until the first record
  std::deque<Kept> kept_;  // all segments but the open one, oldest first
  uint64_t bytes_ = 0;     // of kept_ and the open one
  SegmentFile open_;       // bytes: what the file takes on disk
  uint64_t used_ = 0;      // of the open segment
  std::vector<Eviction> evictions_;

  absl::Mutex fd_mutex_;  // Sync() may run beside Append(): both hold a reference to the file.
  std::shared_ptr<UniqueFd> fd_ ABSL_GUARDED_BY(fd_mutex_);
  absl::Status close_error_ ABSL_GUARDED_BY(fd_mutex_);  // of a segment that was left behind; the next Sync() tells it
};

}  // namespace holdpoint
