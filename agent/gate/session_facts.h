#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "agent/base/clock.h"
#include "agent/base/ids.h"
#include "agent/kernel/decode.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

inline constexpr char kUnknownAgent[] = "unknown";
inline constexpr absl::Duration kSessionBudget = absl::Seconds(2);  // of the judge, for a session
inline constexpr size_t kMaxKeyValues = 8;  // of one join key: an app server runs several threads

// From /etc/passwd alone: no NSS module is ever loaded into the gate. Empty for a user from elsewhere.
struct PasswdEntry {
  std::string name;  // escaped
  std::string home;
};
PasswdEntry PasswdOf(uint32_t uid);

// File systems stamp with a clock that goes in steps and lags behind: what is made from here on is not older than this.
absl::Time StartTime(const Clock& clock);

// What the judge is told of a candidate. It runs, so this is what it shows at this moment.
v1::ConsultSession SessionQuestion(const ProcessId& id, v1::Process process);
// The same, with what the kernel saw of its exec.
v1::ConsultSession SessionQuestion(const ExecEvent& event, v1::Process process);

}  // namespace holdpoint
