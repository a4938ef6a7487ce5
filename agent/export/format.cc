#include "agent/export/format.h"

#include <algorithm>
#include <iterator>

#include "agent/event/json.h"
#include "agent/export/cef.h"
#include "agent/export/ecs.h"
#include "agent/export/ocsf.h"

namespace holdpoint {

std::optional<ExportFormat> ParseExportFormat(absl::string_view name) {
  const auto* found = std::find(std::begin(kExportFormatNames), std::end(kExportFormatNames), name);
  if (found == std::end(kExportFormatNames)) return std::nullopt;
  return static_cast<ExportFormat>(found - std::begin(kExportFormatNames));
}

absl::string_view ExportFormatName(ExportFormat format) { return kExportFormatNames[static_cast<size_t>(format)]; }

std::string Export(ExportFormat format, const v1::Envelope& event) {
  switch (format) {
    case ExportFormat::kJson:
      return EventToJson(event);
    case ExportFormat::kCef:
      return EventToCef(event);
    case ExportFormat::kOcsf:
      return EventToOcsf(event);
    case ExportFormat::kEcs:
      return EventToEcs(event);
  }
  return "";
}

}  // namespace holdpoint
