#pragma once

#include <string>

#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// One event as one line of OCSF JSON (schema 1.9.0): Process Activity, Network Activity, File System Activity (an act on a path
// that was stopped), Detection Finding (what has a ticket, and what is wrong with the record or the guard), else Base
// Event. Coding agents are `ai_agent` of the profile ai_operation; verdicts are the profile security_control. What OCSF
// has no place for is in unmapped.holdpoint. docs/siem/README.md has the table. Pure.
std::string EventToOcsf(const v1::Envelope& event);

}  // namespace holdpoint
