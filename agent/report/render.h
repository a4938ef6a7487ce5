#pragma once

#include <string>

#include "agent/report/tally.h"

namespace holdpoint {

// The report for people, at most `width` columns wide (at least 60), printable ASCII besides colours.
std::string RenderReport(const Tally& tally, absl::Duration span, bool color, size_t width);

// The same as one JSON object, ASCII.
std::string ReportJson(const Tally& tally);

}  // namespace holdpoint
