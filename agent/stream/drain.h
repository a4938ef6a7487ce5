#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "agent/base/latency.h"
#include "agent/spool/reader.h"
#include "agent/stream/sink.h"
#include "agent/stream/tracker.h"

namespace holdpoint {

// What became of the records since the drain began.
struct DrainCounts {
  uint64_t delivered = 0;      // freed: the receiver has them, or never takes them
  uint64_t undeliverable = 0;  // of these: the receiver never takes them
  uint64_t restarts = 0;       // sinks that were given up and made anew
  std::map<std::string, uint64_t> trouble;  // by kind (Sink::Reports), each time that the sink spoke of it
  std::string blocked;  // the kind that keeps records from being delivered now; empty: nothing
  // Measured on one record at a time: from its making to the report.
  Latency delay;
  int64_t last_unix_ns = 0;         // of the last such report, 0 before the first
  int64_t last_record_unix_ns = 0;  // when its record was made
};

struct DrainOptions {
  std::string spool_dir;
  std::string cursor_path;  // its directory exists; one process per cursor
  // Makes the sink, and another one whenever the last was of no use. kInvalidArgument ends the drain, after any other
  // error it tries again, ever more slowly.
  std::function<absl::StatusOr<std::unique_ptr<Sink>>(Sink::Reports)> make_sink;
  bool once = false;  // end when all that is in the spool is delivered
  int stop_fd = -1;   // readable: end; -1 where there is none
  absl::Duration first_pause = absl::Seconds(1);  // before a new sink; then ever longer, up to half a minute
  // Called when the cursor was saved and when something begins to be in the way, on the drain's thread.
  std::function<void(const DrainCounts& counts)> progress = {};
};

// Moves every record of a spool to a sink, in order, and then waits for more. A record counts as delivered on the
// sink's report, and the cursor moves only then: killed at any moment, the next run goes on where the receiver was, and
// repeats at most what it had just taken (known by run id and sequence).
//
// While the receiver is away it waits, for ever; it says so once, and once when it is back. Thread: one.
class Drain {
 public:
  explicit Drain(DrainOptions options) : options_(std::move(options)) {}

  // Errors: kInvalidArgument for settings that a sink refuses, kDataLoss for a broken cursor, those of reading the
  // spool and writing the cursor. OK when stopped or, with `once`, done.
  absl::Status Run();

  const DrainCounts& counts() const { return counts_; }

 private:
  enum class End { kDone, kRestart };
  absl::StatusOr<End> RunOneSink();
  absl::StatusOr<bool> Feed(SpoolReader& reader, Sink& sink);
  void OnDelivered(uint64_t number, const absl::Status& status);
  void OnTrouble(absl::string_view kind, absl::string_view sentence);
  void Watch(uint64_t number, absl::string_view record);
  absl::Status SaveCursor(bool now);
  bool WaitFor(Sink* sink, SpoolReader* reader, absl::Duration timeout);

  const DrainOptions options_;
  Cursor saved_;
  std::unique_ptr<DeliveryTracker> tracker_;
  std::string pending_record_;  // read from the spool, not taken by the sink yet
  uint64_t pending_number_ = 0;
  absl::Status restart_;        // why a new sink is needed
  std::set<std::string> told_;  // since the last delivery
  BootTime last_save_;
  uint64_t saved_delivered_ = 0;
  struct Watched {
    uint64_t number = 0;
    int64_t made_unix_ns = 0;
  };
  std::optional<Watched> watched_;  // the record whose delivery is timed
  DrainCounts counts_;
};

}  // namespace holdpoint
