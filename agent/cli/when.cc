#include "agent/cli/when.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kLongest = absl::Hours(24 * 36500);

bool ReadLength(const std::string& text, absl::Duration* span) {
  double days = 0;
  if (!text.empty() && text.back() == 'd' && absl::SimpleAtod(text.substr(0, text.size() - 1), &days)) {
    *span = absl::Hours(24 * days);
  } else if (!absl::ParseDuration(text, span)) {
    return false;
  }
  return *span > absl::ZeroDuration() && *span < kLongest;
}

}  // namespace

absl::StatusOr<absl::Duration> ParseLength(const std::string& text, absl::string_view flag) {
  absl::Duration span;
  if (ReadLength(text, &span)) return span;
  return absl::InvalidArgumentError(absl::StrCat(flag, " wants a time such as 90m, 24h or 7d, got ", text));
}

absl::StatusOr<absl::Time> ParseUntil(const std::string& text, absl::Time now, absl::string_view flag) {
  absl::Time until;
  for (const char* format : {"%Y-%m-%d", "%Y-%m-%dT%H:%M", absl::RFC3339_sec}) {
    if (absl::ParseTime(format, text, absl::UTCTimeZone(), &until, nullptr)) return until;
  }
  absl::Duration span;
  if (ReadLength(text, &span)) return now + span;
  return absl::InvalidArgumentError(
      absl::StrCat(flag, " wants a date such as 2026-12-31 or 2026-12-31T18:00 (UTC), or a time such as 12h or 7d, got ", text));
}

}  // namespace holdpoint
