#include "agent/cli/scope.h"

#include <algorithm>

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "agent/base/status.h"
#include "agent/cli/when.h"

namespace holdpoint {

void AddScopeOptions(CLI::App& command, ScopeOptions& options) {
  command.add_flag("--once", options.once, "the identical act passes one time");
  command.add_flag("--session", options.session, "what does the same to the same target passes in this session");
  command.add_option("--until", options.until, "the same until a date: 2026-12-31, 12h, 7d");
}

absl::Status SetScope(const ScopeOptions& options, bool signed_elsewhere, ControlRequest& request) {
  if (options.once + options.session + !options.until.empty() != 1) {
    return absl::InvalidArgumentError("say how far the approval goes: --once lets the identical act pass one time; "
                                      "--session or --until what does the same to the same target");
  }
  request.flags |= options.once ? kControlOnce : options.session ? kControlSession : kControlUntil;
  if (options.until.empty()) return absl::OkStatus();
  if (signed_elsewhere && ParseLength(options.until, "--until").ok()) {
    return absl::InvalidArgumentError("--until wants the date that was signed, as the challenge says it behind scope=until:");
  }
  HP_ASSIGN_OR_RETURN(const absl::Time until, ParseUntil(options.until, absl::Now(), "--until"));
  request.number = static_cast<uint64_t>(std::max<int64_t>(0, absl::ToUnixSeconds(until)));
  return absl::OkStatus();
}

std::string ScopeFlag(const ControlRequest& request) {
  if ((request.flags & kControlOnce) != 0) return "--once";
  if ((request.flags & kControlSession) != 0) return "--session";
  return absl::StrCat("--until ", absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixSeconds(static_cast<int64_t>(request.number)),
                                                   absl::UTCTimeZone()));
}

}  // namespace holdpoint
