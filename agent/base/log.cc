#include "agent/base/log.h"

#include <unistd.h>

#include <string>

#include "agent/base/escape.h"

namespace holdpoint {
namespace {

std::string& Name() {
  static auto* name = new std::string("holdpoint");
  return *name;
}

}  // namespace

void SetLogName(absl::string_view name) { Name() = std::string(name); }

void LogLine(LogLevel level, absl::string_view message) {
  const char* word = level == LogLevel::kInfo ? "info" : level == LogLevel::kWarning ? "warning" : "error";
  const std::string line = absl::StrCat(Name(), ": ", word, ": ", EscapeForTerminal(message), "\n");
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) return;  // Nowhere left to say it.
}

}  // namespace holdpoint
