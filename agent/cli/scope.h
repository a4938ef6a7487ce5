#pragma once

#include <string>

#include "absl/status/status.h"
#include "agent/control/wire.h"

namespace CLI {
class App;
}

namespace holdpoint {

// How far an approval goes: the flags of `approve`, and of `challenge`, which asks for the same.
struct ScopeOptions {
  bool once = false, session = false;
  std::string until = {};

  bool None() const { return !once && !session && until.empty(); }
};
void AddScopeOptions(CLI::App& command, ScopeOptions& options);

// Puts exactly one scope into `request`; kInvalidArgument where there is none, or more. `signed_elsewhere`: a length such
// as 7d is none, because it would be another date by now than the one that was signed.
absl::Status SetScope(const ScopeOptions& options, bool signed_elsewhere, ControlRequest& request);

// As the flags of approve, with the date in full: "--until 2026-12-31T18:00:00Z".
std::string ScopeFlag(const ControlRequest& request);

}  // namespace holdpoint
