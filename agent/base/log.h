#pragma once

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

enum class LogLevel { kInfo, kWarning, kError };

// Writes one line "holdpointd: LEVEL: message" to stderr in one write(2); the name is what SetLogName set. Control
// bytes are escaped. Any thread. Never pass what a session wrote, and never a secret: this goes to the journal.
void LogLine(LogLevel level, absl::string_view message);
void SetLogName(absl::string_view name);  // Before threads start.

template <typename... Args>
void LogInfo(const Args&... args) {
  LogLine(LogLevel::kInfo, absl::StrCat(args...));
}
template <typename... Args>
void LogWarning(const Args&... args) {
  LogLine(LogLevel::kWarning, absl::StrCat(args...));
}
template <typename... Args>
void LogError(const Args&... args) {
  LogLine(LogLevel::kError, absl::StrCat(args...));
}

}  // namespace holdpoint
