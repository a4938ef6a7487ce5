#pragma once

#include <algorithm>

#include "absl/time/time.h"
#include "agent/base/clock.h"

namespace holdpoint {

// How often terminals may be written to: a session that asks for much must not bury its owners' screens. `burst` at
// once, then one each `every`. Pure.
class Budget {
 public:
  Budget(int burst, absl::Duration every) : burst_(burst), every_(every), left_(burst) {}

  bool Take(BootTime now) {
    if (now < filled_) filled_ = now;
    const int64_t more = (now - filled_) / every_;
    left_ = static_cast<int>(std::min<int64_t>(burst_, left_ + more));
    filled_ = left_ == burst_ ? now : filled_ + every_ * more;
    if (left_ == 0) return false;
    --left_;
    return true;
  }

 private:
  const int burst_;
  const absl::Duration every_;
  int left_;
  BootTime filled_;
};

}  // namespace holdpoint
