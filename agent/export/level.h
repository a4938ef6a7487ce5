#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// How much an event wants to be looked at. The numbers are OCSF's severity_id. docs/siem/README.md has the table of
// which event has which, and level_test.cc compares the two.
enum class Level { kInformational = 1, kLow = 2, kMedium = 3, kHigh = 4, kCritical = 5 };

// Of an event. Depends on nothing but the event. Pure.
Level LevelOf(const v1::Envelope& event);

// From this level on somebody is to be told: an alert in ECS, is_alert in OCSF.
inline constexpr Level kAlertLevel = Level::kHigh;

absl::string_view LevelName(Level level);  // "high"
std::optional<Level> ParseLevel(absl::string_view name);

int CefSeverity(Level level);     // 1, 3, 5, 8, 10; ECS's event.severity too
int SyslogSeverity(Level level);  // 6 (informational) to 2 (critical)

}  // namespace holdpoint
