// holdpoint-presence: one question to PAM or NSS, asked by the daemon, answered by an exit status.
//
//   holdpoint-presence --service holdpoint --user dana 3<password     0 yes, 77 no, 69 could not be asked
//   holdpoint-presence --resolve [NAME|%GROUP ...]                     prints who may decide, "USER UID THROUGH" each
//
// It is a process of its own because PAM modules and NSS plug-ins are whatever the system's configuration names:
// they may block, crash, start threads or leak, and nothing of that may happen in the gate.
#include <stdio.h>
#include <string.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/presence/confine.h"
#include "agent/presence/prove.h"
#include "agent/presence/resolve.h"

namespace {

constexpr unsigned kSeconds = 30;
constexpr int kPasswordFd = 3;

absl::Status Resolve(const std::vector<std::string>& names) {
  HP_ASSIGN_OR_RETURN(const std::vector<holdpoint::EligibleOwner> owners, holdpoint::ResolveOwners(names));
  const std::string lines = holdpoint::FormatEligibleOwners(owners);
  if (fwrite(lines.data(), 1, lines.size(), stdout) != lines.size() || fflush(stdout) != 0) {
    return absl::UnavailableError("standard output could not be written");
  }
  return absl::OkStatus();
}

absl::Status Run(const std::vector<std::string>& args) {
  HP_RETURN_IF_ERROR(holdpoint::ConfineThisProcess(kSeconds));
  if (!args.empty() && args[0] == "--resolve") return Resolve({args.begin() + 1, args.end()});
  if (args.size() == 4 && args[0] == "--service" && args[2] == "--user") {
    return holdpoint::ProvePresence(args[1], args[3], kPasswordFd);
  }
  return absl::InvalidArgumentError("usage: --service NAME --user NAME, or --resolve [NAME ...]");
}

}  // namespace

int main(int argc, char** argv) {
  holdpoint::SetLogName("holdpoint-presence");
  const absl::Status status = Run({argv + 1, argv + argc});
  if (!status.ok()) holdpoint::LogWarning(std::string(status.message()));
  return holdpoint::ExitCode(status);
}
