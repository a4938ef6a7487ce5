#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/base/clock.h"
#include "agent/event/record_sink.h"
#include "agent/spool/cursor.h"
#include "agent/spool/layout.h"
#include "agent/spool/marker.h"
#include "agent/spool/survey.h"

namespace holdpoint {

// How much of the record stays on this host. Changing it needs no restart.
struct SpoolBounds {
  uint64_t max_bytes = 1024ull * 1024 * 1024;  // of all streams; 0 is no bound
  absl::Duration max_age = absl::InfiniteDuration();            // of ordinary records
  absl::Duration decisions_max_age = absl::InfiniteDuration();  // of the others
};

// The closed segments of a spool, and which of them go when there is too much:
//
//   1. what the brokers have, oldest first
//   2. ordinary records, oldest first: a segment with others among them is thinned, those stay
//   3. the rest, oldest first
//
// What goes leaves an Eviction, and something on the disk that survives until its tombstone is there (Declared). A
// tombstone that goes with a segment is declared once more.
//
// Age is by the wall clock and coarse: a segment's newest record counts. Nothing goes by age in the first hour after a
// start or after the wall clock was set: a wrong clock must not empty a spool, and a host that was away for long
// delivers first.
//
// Thread: one.
class Retention {
 public:
  static constexpr absl::Duration kClockTrustedAfter = absl::Hours(1);

  Retention(std::string run_id, std::string cursor_path, const Clock& clock);

  void set_bounds(const SpoolBounds& bounds) { bounds_ = bounds; }
  const SpoolBounds& bounds() const { return bounds_; }

  // A stream of an earlier run: its segments, its markers, and copies that were not finished.
  absl::Status AddStream(const StreamDir& stream);
  // A segment that was just closed.
  void Add(const StreamDir& stream, const SegmentFile& file, uint64_t next_sequence);

  uint64_t bytes() const { return bytes_; }
  // When its oldest record was made; InfiniteFuture where there is none, or none that can be read.
  absl::Time Oldest();
  // Records of earlier runs, and of closed segments of this one, that the brokers are not known to have.
  uint64_t Undelivered();

  // Evicts until `wanted` more bytes are within the bound, as far as closed segments go.
  void MakeRoom(uint64_t wanted);
  // One segment that the brokers have. False: there is none.
  bool EvictDelivered();
  // At most one segment, or the ordinary records of one.
  void EvictAged();

  // Leaves a marker for records of the running stream that have no place on the disk, in the place of the last one.
  void NoteUnwritten(const StreamDir& stream, const SequenceGap& gap);

  std::vector<Eviction> Take();
  // `sync` forces the tombstones to disk; what stood for them until then goes.
  void Declared(const std::function<absl::Status()>& sync);

 private:
  struct Segment {
    StreamDir stream = {};
    SegmentFile file = {};
    uint64_t next_sequence = 0;  // behind its last record, 0 until somebody needed it
    absl::Time newest = {};      // when it was written last
    bool thinned = false;        // nothing in it is worth thinning
    bool swapping = false;       // its thinned copy waits for a tombstone
  };
  struct Swap {
    std::string copy, segment;
  };

  bool EvictOne(absl::string_view reason);
  bool EvictOrdinary(size_t index, absl::string_view reason);
  bool Thin(size_t index, const SegmentSurvey& survey, bool delivered, absl::string_view reason);
  void Evict(size_t index, bool delivered, absl::string_view reason);
  void DeclareAgain(const Segment& victim);
  uint64_t NextSequence(Segment& segment);
  Cursor ReadDelivered() const;
  bool Delivered(Segment& segment, const Cursor& cursor);
  bool ClockTrusted();
  void RemoveEmptyStreams();

  const std::string run_id_;
  const std::string cursor_path_;
  const Clock& clock_;
  SpoolBounds bounds_;
  std::deque<Segment> segments_;  // oldest first
  uint64_t bytes_ = 0;
  std::vector<Eviction> evictions_;
  std::vector<Marker> markers_;
  std::vector<Swap> swaps_;
  std::string unwritten_;  // the marker of what could not be written, empty for none
  // Of a run, everything up to here is gone and was declared as one gap from 1 on: what older tombstones say of single
  // gaps in it need not be said again.
  std::map<std::string, uint64_t> gone_to_;
  std::set<std::pair<std::string, std::string>> emptied_;  // streams without segments: run id, path
  absl::Duration wall_to_boot_ = absl::ZeroDuration();
  BootTime clock_set_;
  std::string oldest_of_;  // the segment that oldest_ is of
  absl::Time oldest_ = absl::InfiniteFuture();
};

}  // namespace holdpoint
