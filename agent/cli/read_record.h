#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/cli/context.h"
#include "agent/report/tally.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// Hands every record of the spool to `take`, oldest first. From two seconds on a terminal shows how far it is.
absl::Status ReadRecord(const Context& context, const std::function<void(const v1::Envelope&)>& take);

// "90m", "24h", "7d". kInvalidArgument with what is wanted.
absl::StatusOr<absl::Duration> ParseSpan(const std::string& text);

// What a rule would have stopped since it is as it is now, with examples: for who promotes it.
absl::Status PrintObserved(const Context& context, const std::vector<std::string>& rules);

}  // namespace holdpoint
