#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/cli/context.h"
#include "agent/cli/rows.h"
#include "agent/control/client.h"

namespace holdpoint {

inline constexpr absl::Duration kAnswerTime = absl::Seconds(10);    // for what the daemon knows
inline constexpr absl::Duration kDecisionTime = absl::Seconds(40);  // PAM may delay

// Asks the daemon of this context. A refusal (exit code other than 0) is an answer, not an error.
absl::StatusOr<ControlAnswer> Ask(const Context& context, ControlRequest& request,
                                  absl::Duration timeout = kAnswerTime);

// Prints the sentence of an answer, to standard output where it is good and to standard error where not, and gives
// its exit code.
int Tell(const ControlAnswer& answer);

// The rows under `key` of all bodies; kDataLoss for bodies that are no such JSON.
absl::StatusOr<std::vector<Json>> RowsOf(const ControlAnswer& answer, const std::string& key);
absl::StatusOr<Json> ObjectOf(const ControlAnswer& answer);

}  // namespace holdpoint
