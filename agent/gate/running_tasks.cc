#include "agent/gate/running_tasks.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

constexpr pid_t kKernelThreads = 2;  // kthreadd, their parent

// Those of a cgroup and of every cgroup below it.
absl::StatusOr<std::set<pid_t>> ProcessesOf(const std::string& cgroup) {
  std::set<pid_t> found;
  const auto read = [&found](const std::filesystem::path& directory) {
    std::ifstream file(directory / "cgroup.procs");
    for (pid_t pid = 0; file >> pid;) found.insert(pid);
  };
  read(cgroup);
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(cgroup, error), end; !error && it != end; it.increment(error)) {
    if (it->is_directory(error)) read(it->path());
  }
  if (error && error != std::errc::no_such_file_or_directory) {  // Cgroups come and go.
    return absl::UnavailableError(absl::StrCat(cgroup, ": its processes can't be listed (", error.message(), ")"));
  }
  return found;
}

}  // namespace

absl::StatusOr<std::vector<ProcessId>> RunningOutsideSessions(Kernel& kernel, const std::string& scope,
                                                              const std::set<SessionNumber>& live) {
  std::optional<std::set<pid_t>> inside;
  if (!scope.empty()) {
    HP_ASSIGN_OR_RETURN(inside, ProcessesOf(scope));
  }
  HP_ASSIGN_OR_RETURN(const std::vector<Kernel::Task> tasks, kernel.Tasks());
  std::vector<ProcessId> running;
  for (const Kernel::Task& task : tasks) {
    const pid_t tgid = task.id.tgid;
    if (tgid == 1 || tgid == kKernelThreads || task.parent == kKernelThreads) continue;
    if (tgid == getpid() || task.parent == getpid()) continue;
    if (inside.has_value() && !inside->contains(tgid)) continue;
    if (task.label.session != 0 && live.contains(task.label.session)) continue;
    ProcessId id = task.id;
    if (id.start_boot_ns == 0) {
      absl::StatusOr<ProcessId> known = IdentifyPid(tgid);
      if (!known.ok()) continue;  // It has ended.
      id = *known;
    }
    running.push_back(id);
  }
  std::sort(running.begin(), running.end(), [](const ProcessId& a, const ProcessId& b) {
    return std::pair(a.start_boot_ns, a.tgid) < std::pair(b.start_boot_ns, b.tgid);
  });
  return running;
}

}  // namespace holdpoint
