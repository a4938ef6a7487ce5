#pragma once

#include <cstdint>

#include "agent/control/server.h"
#include "agent/gate/core.h"
#include "agent/gate/tickets.h"

namespace holdpoint {

// Who asks over the control socket, as the kernel knows it, and what that one may see.
struct Asker {
  uint32_t uid = 0;
  SessionNumber session = 0;  // whose label it carries
  bool in_session = false;    // and that one is no dissolved candidate
};

Asker AskerOf(const Core& core, const ControlCall& call);
// What belongs to a session: to itself, its user, and root.
bool MaySee(const Asker& asker, SessionNumber session, uint32_t session_uid);
// The same, and whoever may decide on it.
bool MaySee(const Core& core, const Asker& asker, const Ticket& ticket);

}  // namespace holdpoint
