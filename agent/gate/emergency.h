#pragma once

#include <map>
#include <string>

#include "absl/time/time.h"
#include "agent/base/clock.h"

namespace holdpoint {

// Something that somebody in charge has lifted for a while.
struct Lifted {
  std::string by = {}, reason = {};
  absl::Time since, ends;  // wall clock, for people
  BootTime until;          // what counts
  uint64_t acts = 0;       // that passed by it
};

// Break-glass of environments, and enforcement that is off as a whole, as far as this daemon knows. The kernel has the
// times, too, and ends each by itself. Values; time comes in.
class Emergency {
 public:
  static constexpr absl::Duration kMaxGlass = absl::Hours(4);
  static constexpr absl::Duration kMaxOff = absl::Hours(24);

  void Break(const std::string& environment, Lifted lifted) { glass_[environment] = std::move(lifted); }
  bool Mend(const std::string& environment) { return glass_.erase(environment) > 0; }
  // Null where its glass is whole, or its time is over.
  Lifted* Glass(const std::string& environment, BootTime now) {
    const auto found = glass_.find(environment);
    return found == glass_.end() || found->second.until <= now ? nullptr : &found->second;
  }
  const std::map<std::string, Lifted>& glass() const { return glass_; }
  uint64_t& Acts(const std::string& environment) { return glass_[environment].acts; }

  void SwitchOff(Lifted lifted) { off_ = std::move(lifted), is_off_ = true; }
  void SwitchOn() { is_off_ = false; }
  // Null where enforcement is on; its time may be over.
  const Lifted* off() const { return is_off_ ? &off_ : nullptr; }
  bool IsOff(BootTime now) const { return is_off_ && now < off_.until; }

 private:
  std::map<std::string, Lifted> glass_;  // by environment
  Lifted off_;
  bool is_off_ = false;
};

}  // namespace holdpoint
