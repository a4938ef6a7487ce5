#pragma once

#include <vector>

#include "agent/control/views.h"
#include "agent/gate/core.h"

namespace holdpoint {

// The owners who may decide on this ticket, each once; the session's own user only where nobody else can.
std::vector<EligibleOwner> DecidersOf(const Core& core, const Ticket& ticket);

// A ticket as `uid` is shown it.
HoldView HoldViewOf(const Core& core, const Ticket& ticket, uint32_t uid);

}  // namespace holdpoint
