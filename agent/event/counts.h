#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace holdpoint {

// Where something was lost, and why: {"ring", "full"}. Both are few and ours, never what a session wrote.
//
//   stage     what was lost there
//   "ring"    events that the kernel had no room for, or that the gate could not read
//   "label"   tasks that the kernel had no label for
//   "record"  events larger than a record may be
//   "spool"   records that could not be written, or were evicted before the brokers had them
//   "stream"  records that the brokers refuse for ever (they stay in the spool)
//   "judge"   verdicts: acts that nobody judged. They are in the record all the same
//   "gate"    execs and connects that ran, and that a gate knew of and had not written when it ended
//   "notify"  notices to people; the events themselves are recorded
using LossKey = std::pair<std::string, std::string>;

// What one run of the daemon recorded and lost since its start. Everything only grows.
struct RecordCounts {
  uint64_t recorded = 0;  // records that the spool took
  uint64_t bytes = 0;     // of them, serialised
  std::map<std::string, uint64_t> events;    // them by body: "exec", "decision", ...
  std::map<std::string, uint64_t> verdicts;  // acts by verdict, "allow" with those that are only counted in rollups
  std::map<LossKey, uint64_t> losses;        // what no record and no reader will ever show
  uint64_t lost_before = 0;                  // of them: lost by an earlier run, declared by this one
  uint64_t losses_unknown = 0;               // declared losses that nobody knows the number of; not in `losses`
  uint64_t evicted_delivered = 0;            // records that went from this host when the brokers had them: no loss

  uint64_t lost() const {
    uint64_t sum = 0;
    for (const auto& [key, count] : losses) sum += count;
    return sum;
  }
  // Of them, what is in the record, and nobody judged it.
  uint64_t unjudged() const {
    uint64_t sum = 0;
    for (const auto& [key, count] : losses) sum += key.first == "judge" ? count : 0;
    return sum;
  }
};

}  // namespace holdpoint
