#pragma once

#include <sys/types.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace holdpoint {

// A terminal where somebody is logged in, and the user that it belongs to.
struct Terminal {
  std::string path;  // below /dev
  uid_t uid = 0;
  friend auto operator<=>(const Terminal&, const Terminal&) = default;
};

// Terminals of login sessions, each once: what utmp and systemd-logind know, as far as it is a terminal below /dev. The
// owner is the device's, not what a list says.
std::vector<Terminal> LoginTerminals();

struct WriteCounts {
  uint32_t written = 0;
  uint32_t failed = 0;  // "mesg n", or nobody reads
};

// Writes `text` to each of `terminals` that `wanted` names, as write(1) does: never waits, never becomes the
// controlling terminal, and a terminal that its user has closed to messages counts as failed.
WriteCounts WriteToTerminals(const std::vector<Terminal>& terminals, const std::function<bool(uid_t)>& wanted,
                             absl::string_view text);

}  // namespace holdpoint
