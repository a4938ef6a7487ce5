#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace holdpoint {

// What a refused, held or killed act is told about. The texts come from the judge and the configuration and are
// redacted there; whatever else is in them (control bytes, escape sequences, lines) is made harmless here.
struct RefusalText {
  enum class Kind {
    kRefused,        // by the policy
    kDenied,         // somebody said no; `by`
    kHoldRanOut,     // was held, nobody answered in time
    kCallerGaveUp,   // was held, and its caller told it to end meanwhile
    kKilled,         // the policy says kill, or there was no gentler way
    kSessionKilled,  // and everything of its session with it; `by` where a person did it
  };
  struct Approver {
    std::string name;         // user, or "%group"
    std::string environment;  // where they may approve
  };

  Kind kind = Kind::kRefused;
  std::string summary;     // curl POST backboard.railway.app volumeDelete "3d2c42fb..."
  std::string reason;      // deletes a volume for good, its backups are on the same volume
  std::string ticket;      // HP-4K7Q; empty: nothing is open, nobody can allow it
  std::string open_until;  // "15:42 UTC"
  std::vector<Approver> approvers = {};
  std::string rollback;  // who undoes it, empty for nobody
  std::string by;
  bool escalated = false;  // another attempt on what was refused before, by other means
};

// At most this many characters in a line of the texts below, the newline not counted.
inline constexpr size_t kRefusalLineMax = 400;

// What a process that does not run prints: at most six lines, each begun with "holdpoint: " and ended by a newline,
// printable ASCII, below 4096 bytes in total, so that a pipe takes it in one piece. Pure.
std::string RenderRefusal(const RefusalText& text);

// What a held process prints while it waits, at most three lines of the same kind. `held_until` is the end of the
// hold ("15:32 UTC"), after which the act is refused. Pure.
std::string RenderHold(const RefusalText& text, absl::string_view held_until);

}  // namespace holdpoint
