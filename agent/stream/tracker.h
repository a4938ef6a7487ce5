#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/spool/cursor.h"

namespace holdpoint {

// Remembers which records are on their way, in the order of the spool, and moves a cursor only over records that are
// delivered and have no undelivered one before them. Pure state. Thread: one.
class DeliveryTracker {
 public:
  explicit DeliveryTracker(Cursor start) : cursor_(std::move(start)) {}

  // Returns the record's number, for Delivered(); each is one more than the last.
  uint64_t Add(absl::string_view run_id, uint64_t sequence);
  void Delivered(uint64_t number);

  size_t in_flight() const { return waiting_.size(); }  // including delivered ones behind an undelivered one
  const Cursor& cursor() const { return cursor_; }
  uint64_t delivered() const { return delivered_; }  // records the cursor moved over

 private:
  struct Entry {
    uint64_t sequence;
    uint32_t run;  // index in runs_
    bool done = false;
  };
  struct Run {
    std::string id;
    uint64_t* next;  // in cursor_, whose nodes stay where they are
  };
  std::deque<Entry> waiting_;
  std::vector<Run> runs_;      // in the order in which they came; the last one is the one that is read
  uint64_t first_number_ = 0;  // of waiting_.front()
  uint64_t delivered_ = 0;
  Cursor cursor_;
};

}  // namespace holdpoint
