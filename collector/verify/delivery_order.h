#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace holdpoint {

// Watches the order in which the records of one run came into one partition.
//
// A stream sends in the order of its sequences. After it was killed it begins again at a record that it has sent before,
// and then sends everything from there on: such a repetition goes on, record by record, to the newest one. Whatever else
// comes again, or comes after one that is behind it, was put there by somebody else. Pure state.
class DeliveryOrder {
 public:
  enum class Kind {
    kNew,
    kAgain,      // it came before
    kReordered,  // new, but a later record came before it
  };
  Kind Add(uint64_t sequence);

  // Repetitions that never reached the newest record, as ranges of sequences: not what a stream does, unless it is just
  // doing it.
  std::vector<std::pair<uint64_t, uint64_t>> Unfinished() const;

  uint64_t newest() const { return order_.empty() ? 0 : order_.back(); }
  uint64_t first() const { return order_.empty() ? 0 : order_.front(); }

 private:
  std::vector<uint64_t> order_;  // what came, each once, ascending
  size_t began_ = 0;             // index where the repetition began
  size_t expected_ = 0;          // index that it comes to next; order_.size() when there is none
  bool repeating_ = false;
  std::vector<std::pair<uint64_t, uint64_t>> left_;  // repetitions that something else followed
};

}  // namespace holdpoint
