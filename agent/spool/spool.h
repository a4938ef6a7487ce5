#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "agent/base/clock.h"
#include "agent/base/fd.h"
#include "agent/event/record_sink.h"
#include "agent/spool/layout.h"
#include "agent/spool/retention.h"

namespace holdpoint {

struct SpoolOptions {
  uint64_t segment_bytes = 16 * 1024 * 1024;  // a record larger than that gets a segment of its own
  uint64_t reserve_bytes = 4 * 1024 * 1024;   // beside the bounds, for evidence on a full disk; 0 is none
  SpoolBounds bounds = {};
  std::string cursor_path = {};  // what the stream process delivered; empty where there is no such process
  const Clock* clock = &Clock::Real();  // outlives the spool
};

// The append-only store of records on this host, one directory per stream (layout.h), one writer. What stays when it
// is past its bounds is retention.h's.
//
// Opening starts a new stream. The stream before it is repaired first: what follows its last whole record, torn by a
// crash or a power cut, is cut off, and report() says so. A damaged place with whole records behind it is left as it
// is: readers report it.
//
// An Append that fails keeps nothing, and the next one tries again: the caller goes on gating and counts. On a full disk
// evidence goes into the reserve, which is space that was set aside and is made anew when there is some.
// Thread: as RecordSink says.
class Spool final : public RecordSink {
 public:
  struct Report {
    std::string previous_run_id;  // empty: the spool was empty
    uint64_t previous_last_sequence = 0;
    Sha256Digest previous_last_hash{};
    bool previous_stopped = false;  // its last record says that none follows
    absl::Time previous_last_time = absl::InfinitePast();  // of its last whole record; InfinitePast without one
    uint64_t cut_bytes = 0;      // cut off at the end of the previous stream
    uint64_t damaged_bytes = 0;  // inside of its last segment, left alone
    std::string note;            // one line for people, empty when there is nothing to say
  };
  // What it holds. All but `undelivered` is known without reading.
  struct Depth {
    uint64_t bytes = 0;        // on disk, of all streams, the reserve included
    uint64_t undelivered = 0;  // records of all streams that the brokers are not known to have; 0 without a cursor
    absl::Time oldest = absl::InfiniteFuture();  // when the oldest record was made; InfiniteFuture without one
    bool in_reserve = false;   // the disk is full: only evidence is written
  };

  // Errors: kAlreadyExists when another process writes to this spool, those of making and reading `spool_dir`. A full
  // disk is no error here: appending says it.
  static absl::StatusOr<std::unique_ptr<Spool>> Open(const std::string& spool_dir, const std::string& run_id,
                                                     const SpoolOptions& options = {});
  ~Spool() override;

  absl::Status Append(uint64_t sequence, absl::string_view record, RecordClass record_class) override;
  absl::Status Sync() override;
  std::vector<Eviction> TakeEvictions() override;

  void NoteUnwritten(const SequenceGap& gap) override;
  void EvictionsDeclared() override;

  const Report& report() const { return report_; }
  // Same thread as Append.
  Depth depth();
  void SetBounds(const SpoolBounds& bounds) { retention_.set_bounds(bounds); }

 private:
  Spool(std::string dir, std::string run_id, const SpoolOptions& options, UniqueFd lock);
  absl::Status Scan();
  absl::Status Repair(const StreamDir& stream);
  absl::Status MakeSpace(uint64_t sequence, uint64_t frame_bytes, RecordClass record_class);
  absl::Status Rotate(uint64_t sequence, uint64_t frame_bytes);
  absl::Status TakeReserve(uint64_t sequence);
  void MakeReserve();
  void Use(SegmentFile fresh, UniqueFd fd, bool reserve);
  absl::StatusOr<UniqueFd> CreateSegment(const std::string& path, uint64_t frame_bytes, uint64_t* size);
  absl::Status CloseSegment();
  void LookAtAge(uint64_t next_sequence);
  std::string ReservePath() const;

  const std::string dir_;
  const std::string run_id_;
  const SpoolOptions options_;
  const UniqueFd lock_;
  Report report_;
  Retention retention_;  // all segments but the open one
  uint64_t next_ordinal_ = 1;
  StreamDir stream_;         // path empty until the first record
  SegmentFile open_;         // bytes: what the file takes on disk
  uint64_t used_ = 0;        // of the open segment
  uint64_t last_ = 0;        // the sequence of the last record in it
  bool in_reserve_ = false;  // the open segment was the reserve
  uint64_t reserve_ = 0;     // bytes of the reserve, 0 where there is none now
  BootTime opened_;          // when the open segment got its first record
  absl::Time open_since_ = absl::InfiniteFuture();  // the same for people
  BootTime looked_at_age_;

  absl::Mutex fd_mutex_;  // Sync() may run beside Append(): both hold a reference to the file.
  std::shared_ptr<UniqueFd> fd_ ABSL_GUARDED_BY(fd_mutex_);
  absl::Status close_error_ ABSL_GUARDED_BY(fd_mutex_);  // of a segment that was left behind; the next Sync() tells it
};

}  // namespace holdpoint
