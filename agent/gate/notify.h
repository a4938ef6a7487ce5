#pragma once

#include "absl/strings/string_view.h"

namespace holdpoint {

// One datagram of sd_notify(3)'s protocol to the socket in NOTIFY_SOCKET, "READY=1" for example. Nothing happens where
// nobody asked for it; nobody waits for it.
void NotifyServiceManager(absl::string_view state);

}  // namespace holdpoint
