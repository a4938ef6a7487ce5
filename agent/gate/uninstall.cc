#include "agent/gate/uninstall.h"

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/kernel/leftovers.h"

namespace holdpoint {
namespace {

// The folder itself goes with its last entry.
absl::Status Remove(const std::string& folder, const std::vector<std::string>& names) {
  std::error_code error;
  for (const std::string& name : names) {
    const std::string path = absl::StrCat(folder, "/", name);
    std::filesystem::remove_all(path, error);
    if (error) return ErrnoStatus(absl::StrCat("remove ", path), error.value());
  }
  std::filesystem::remove(folder, error);
  return absl::OkStatus();
}

}  // namespace

absl::Status Uninstall(const Options& options) {
  if (geteuid() != 0) return absl::PermissionDeniedError("holdpointd --uninstall has to run as root");
  HP_ASSIGN_OR_RETURN(const int ended, RemoveLeftovers(options.pin));
  LogInfo("no kernel program of instance ", options.instance, " is left",
          ended > 0 ? absl::StrCat("; ", ended, " tasks that were still stopped were ended") : "");
  HP_RETURN_IF_ERROR(Remove(options.run, {"control.sock", "sessions", "losses"}));
  if (!options.purge) {
    LogInfo("the record stays in ", options.state, " (--purge removes it)");
    return absl::OkStatus();
  }
  HP_RETURN_IF_ERROR(Remove(options.state, {"spool", "stream", "fingerprint.key", "host-id", "rollout", "heartbeat.key", "heartbeat.pub"}));
  LogInfo("the record in ", options.state, " is removed");
  return absl::OkStatus();
}

}  // namespace holdpoint
