#pragma once

#include <string>
#include <utility>
#include <vector>

#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// Events as a gate records them, with fixed times and ids: the afternoon that Holdpoint exists for, and one of every
// other kind. The order is the order of schemas/golden/export.
std::vector<std::pair<std::string, v1::Envelope>> ExportedEvents();

}  // namespace holdpoint
