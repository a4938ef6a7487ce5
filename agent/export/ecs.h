#pragma once

#include <string>

#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// One event as one line of JSON by the Elastic Common Schema (8.17). What ECS has no field for is in "holdpoint".
// docs/siem/README.md has the table. Pure.
std::string EventToEcs(const v1::Envelope& event);

}  // namespace holdpoint
