#include "agent/gate/rights.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

// CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON; the judge's empty world and the task iterator need it itself.
constexpr std::pair<int, const char*> kNeeded[] = {
    {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}, {CAP_SYS_PTRACE, "CAP_SYS_PTRACE"}, {CAP_KILL, "CAP_KILL"},
    {CAP_SETUID, "CAP_SETUID"},       {CAP_SETGID, "CAP_SETGID"},
};

}  // namespace

absl::Status CheckRights() {
  if (geteuid() != 0) {
    return absl::PermissionDeniedError("holdpointd has to run as root: it loads kernel programs and traces processes");
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return ErrnoStatus("capget");
  const uint64_t effective = static_cast<uint64_t>(data[1].effective) << 32 | data[0].effective;
  std::string missing;
  for (const auto& [number, name] : kNeeded) {
    if ((effective >> number & 1) == 0) absl::StrAppend(&missing, missing.empty() ? "" : ", ", name);
  }
  if (missing.empty()) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      "holdpointd lacks the right ", missing,
      ", so it can't load its kernel programs and watch the host; in a container, run it on the host instead"));
}

}  // namespace holdpoint
