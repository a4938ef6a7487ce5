#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>

#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// Questions over which a judge ended. It is not asked them again: one input must not take the judge away from everybody
// else again and again. Pure; bounded, the oldest goes first.
class Quarantine {
 public:
  explicit Quarantine(size_t max) : max_(max) {}

  // What a session chose of a question: not who asks, nor when. Empty for questions that a session has no part in.
  static std::string DigestOf(const v1::ToJudge& question);

  // The judge ended over this. True where it is not asked again from now on: at once where it is the judge's own doing (it
  // crashed), the second time where somebody else may have ended it. Once for each.
  bool Strike(const std::string& digest, bool crashed);
  bool Has(const std::string& digest) const;
  void Clear();

 private:
  const size_t max_;
  std::map<std::string, int> strikes_;
  std::deque<std::string> order_;  // oldest first
};

}  // namespace holdpoint
