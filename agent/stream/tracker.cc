#include "agent/stream/tracker.h"

#include <algorithm>

namespace holdpoint {

uint64_t DeliveryTracker::Add(absl::string_view run_id, uint64_t sequence) {
  waiting_.push_back({std::string(run_id), sequence});
  return first_number_ + waiting_.size() - 1;
}

void DeliveryTracker::Delivered(uint64_t number) {
  if (number < first_number_ || number - first_number_ >= waiting_.size()) return;
  waiting_[number - first_number_].done = true;
  while (!waiting_.empty() && waiting_.front().done) {
    const Entry& entry = waiting_.front();
    uint64_t& next = cursor_.next_sequence[entry.run_id];
    next = std::max(next, entry.sequence + 1);
    waiting_.pop_front();
    ++first_number_;
    ++delivered_;
  }
}

}  // namespace holdpoint
