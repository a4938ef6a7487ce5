#pragma once

#include "bpf/shared/hp_abi.h"

namespace holdpoint {

// What the kernel's counters are called in status and heartbeat, by their place in hp_stats.
inline constexpr const char* kStatNames[HP_STAT_COUNT] = {
    "exec_seen",    "exec_passed",     "exec_asked",  "exec_killed", "fail_open",   "fork",       "label_failed",
    "connect_seen", "connect_refused", "lost_events", "lost_urgent", "guard_fault", "guard_cont", "guard_return"};

}  // namespace holdpoint
