#pragma once

#include "absl/status/status.h"

namespace holdpoint {

// Takes from this process what one question to PAM or NSS does not need: other descriptors than 0, 1, 2 and 3, the
// environment, core dumps, being traced, its terminal, and time: SIGALRM ends it after `seconds`. For the start of
// main(), before anything is looked up. kPermissionDenied where this is not root.
absl::Status ConfineThisProcess(unsigned seconds);

}  // namespace holdpoint
