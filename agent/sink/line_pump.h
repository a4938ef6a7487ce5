#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/base/clock.h"
#include "agent/sink/counters.h"
#include "agent/sink/line_target.h"
#include "agent/sink/spec.h"
#include "agent/spool/cursor.h"

namespace holdpoint {

// The line that a record becomes for a sink, and the event that it holds. None for what is below the sink's minimum or is
// no envelope: `counters` says which.
std::optional<OutLine> LineOf(const SinkSpec& spec, absl::string_view record, v1::Envelope* event, SinkCounters* counters);

// What stands between a spool and a target: takes records in the order of the spool, keeps at most a thousand that are not
// handed over yet, and moves a cursor only over what was. While the target is away it is asked again, ever more slowly, up to
// half a minute. Does no reading and no waiting of its own. Thread: one.
class LinePump {
 public:
  // `from` is where the reading goes on: what is missing behind it was gone from the spool before it was read, and is
  // counted when the cursor passes the place; also where a whole run went, which a later one's tombstones tell. A `fresh` sink begins with whatever is there. `target`, `counters` and `clock` outlive the pump.
  LinePump(const SinkSpec& spec, LineTarget& target, Cursor from, bool fresh, SinkCounters& counters, const Clock& clock);

  bool HasRoom() const;
  void Take(absl::string_view run_id, uint64_t sequence, absl::string_view record);

  // Hands over what it has, unless the target has failed a moment ago. The failure, for people; OK also where there was
  // nothing to do.
  absl::Status Push();

  // When Push does something again: zero where at once.
  absl::Duration Pause() const;

  bool empty() const { return entries_.empty(); }
  const Cursor& cursor() const { return cursor_; }

 private:
  struct Entry {
    std::string run_id;
    uint64_t sequence;
    bool line;             // it has one in lines_
    uint64_t missing = 0;  // before it
    std::map<std::string, uint64_t> gone = {};  // runs of which it says that they are gone up to there
  };
  uint64_t MissingBefore(const v1::Envelope& event);
  uint64_t MissingOf(const v1::Tombstone& tombstone, Entry& entry);
  void Pass();
  absl::Status Failed(absl::Status status);

  const SinkSpec spec_;
  LineTarget& target_;
  const bool fresh_;
  Cursor cursor_;
  std::map<std::string, uint64_t> next_;  // sequence that is to come, by run id
  SinkCounters& counters_;
  const uint64_t cut_before_;
  const Clock& clock_;
  std::deque<Entry> entries_;   // taken and not passed by the cursor
  std::vector<OutLine> lines_;  // of these, in the same order
  size_t bytes_ = 0;
  absl::Duration pause_;
  BootTime not_before_;
};

}  // namespace holdpoint
