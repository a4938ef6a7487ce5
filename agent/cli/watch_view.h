#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/cli/watch_model.h"

namespace holdpoint {

struct WatchFrame {
  std::vector<std::string> lines;                     // exactly as many as the terminal is high, none wider than it
  std::optional<std::pair<size_t, size_t>> cursor;    // line and column from 0, where somebody types
};

// The picture of `model` for a terminal of this size. Pure. Everything in it is printable ASCII, apart from colours.
WatchFrame RenderWatch(const WatchModel& model, size_t width, size_t height, int64_t now, bool color);

}  // namespace holdpoint
