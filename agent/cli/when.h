#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace holdpoint {

// "90m", "24h", "7d". kInvalidArgument names `flag`.
absl::StatusOr<absl::Duration> ParseLength(const std::string& text, absl::string_view flag);

// A date ("2026-12-31" is its beginning, "2026-12-31T18:00", both UTC; or RFC 3339 with a zone) or a length from `now`.
absl::StatusOr<absl::Time> ParseUntil(const std::string& text, absl::Time now, absl::string_view flag);

}  // namespace holdpoint
