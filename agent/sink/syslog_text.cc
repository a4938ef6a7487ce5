#include "agent/sink/syslog_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace holdpoint {
namespace {

// A header field has printable ASCII without blanks; "-" stands for nothing.
std::string Field(absl::string_view text, size_t max) {
  std::string out;
  for (const char c : text) {
    if (c > ' ' && c < 0x7f && out.size() < max) out.push_back(c);
  }
  return out.empty() ? "-" : out;
}

}  // namespace

int SyslogPriority(Level level) {
  constexpr int kFacility = 10;
  return kFacility * 8 + SyslogSeverity(level);
}

std::string LocalSyslogMessage(const OutLine& line) {
  const absl::Time time = absl::FromUnixNanos(line.time_unix_ns);
  return absl::StrCat("<", SyslogPriority(line.level), ">", absl::FormatTime("%b %e %H:%M:%S", time, absl::UTCTimeZone()),
                      " holdpoint: ", line.text);
}

std::string RemoteSyslogMessage(const OutLine& line) {
  const absl::Time time = absl::FromUnixNanos(line.time_unix_ns);
  return absl::StrCat("<", SyslogPriority(line.level), ">1 ",
                      absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone()), " ", Field(line.host, 255),
                      " holdpoint - ", Field(line.action, 32), " - ", line.text);
}

std::string SyslogFrame(const std::string& message) { return absl::StrCat(message.size(), " ", message); }

std::string CutMessage(std::string message, size_t max) {
  if (message.size() <= max) return message;
  const std::string note = absl::StrCat("...(+", message.size() - max, " bytes)");
  message.resize(max - std::min(max, note.size()));
  return message + note;
}

}  // namespace holdpoint
