#include "collector/verify/delivery_order.h"

#include <algorithm>

namespace holdpoint {

DeliveryOrder::Kind DeliveryOrder::Add(uint64_t sequence) {
  if (order_.empty() || sequence > order_.back()) {
    // In the middle of a repetition this may be the last that the stream sent before it was killed.
    order_.push_back(sequence);
    return Kind::kNew;
  }
  const auto at = std::lower_bound(order_.begin(), order_.end(), sequence);
  const auto index = static_cast<size_t>(at - order_.begin());
  if (*at != sequence) {
    order_.insert(at, sequence);
    if (repeating_ && index < expected_) ++expected_;
    if (repeating_ && index < began_) ++began_;
    return Kind::kReordered;
  }
  if (repeating_ && index > expected_) {
    left_.emplace_back(order_[began_], order_[expected_ - 1]);
    repeating_ = false;
  }
  // Killed again, a stream begins at what it had no report of: that is no further than it had come.
  if (!repeating_ || index < began_) began_ = index;
  expected_ = index + 1;
  repeating_ = expected_ < order_.size();
  return Kind::kAgain;
}

std::vector<std::pair<uint64_t, uint64_t>> DeliveryOrder::Unfinished() const {
  auto all = left_;
  if (repeating_) all.emplace_back(order_[began_], order_[expected_ - 1]);
  return all;
}

}  // namespace holdpoint
