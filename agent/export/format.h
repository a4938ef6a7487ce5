#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// The texts that an event can be exported as. Each is one line without a line feed at its end, printable ASCII, whatever
// a session wrote.
enum class ExportFormat {
  kJson,  // Holdpoint's own, with every field of the record (agent/event/json.h)
  kCef,   // ArcSight's Common Event Format
  kOcsf,  // Open Cybersecurity Schema Framework
  kEcs,   // Elastic Common Schema
};

inline constexpr absl::string_view kExportFormatNames[] = {"json", "cef", "ocsf", "ecs"};

std::optional<ExportFormat> ParseExportFormat(absl::string_view name);
absl::string_view ExportFormatName(ExportFormat format);

// Pure. Never fails: what a format has no place for is left out, what is too long is cut and says so.
std::string Export(ExportFormat format, const v1::Envelope& event);

}  // namespace holdpoint
