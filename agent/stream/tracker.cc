#include "agent/stream/tracker.h"

#include <algorithm>

namespace holdpoint {

uint64_t DeliveryTracker::Add(absl::string_view run_id, uint64_t sequence) {
  if (runs_.empty() || runs_.back().id != run_id) runs_.push_back({std::string(run_id), nullptr});
  waiting_.push_back({sequence, static_cast<uint32_t>(runs_.size() - 1)});
  return first_number_ + waiting_.size() - 1;
}

void DeliveryTracker::Delivered(uint64_t number) {
  if (number < first_number_ || number - first_number_ >= waiting_.size()) return;
  waiting_[number - first_number_].done = true;
  while (!waiting_.empty() && waiting_.front().done) {
    const Entry& entry = waiting_.front();
    Run& run = runs_[entry.run];
    if (run.next == nullptr) run.next = &cursor_.next_sequence[run.id];
    *run.next = std::max(*run.next, entry.sequence + 1);
    waiting_.pop_front();
    ++first_number_;
    ++delivered_;
  }
}

}  // namespace holdpoint
