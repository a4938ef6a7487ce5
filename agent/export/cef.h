#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// One event in ArcSight's Common Event Format, without a syslog header:
//
//   CEF:0|Holdpoint|Holdpoint|0.1.0|exec-refused|exec refused|8|rt=1700000000000 act=refuse ...
//
// Printable ASCII; at most kMaxCefBytes. docs/siem/README.md lists the keys. Pure.
std::string EventToCef(const v1::Envelope& event);

inline constexpr size_t kMaxCefBytes = 64 * 1024;

// `text` as the value of an extension, and as a field of the header. What is no printable ASCII becomes \xNN first, and
// what goes past `max` characters of that a note of how much is missing.
std::string CefValue(absl::string_view text, size_t max);
std::string CefHeader(absl::string_view text, size_t max);

}  // namespace holdpoint
