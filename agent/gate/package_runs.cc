#include "agent/gate/package_runs.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace holdpoint {

void PackageRuns::Began(const ProcessId& process, uint64_t exec_id, SessionNumber session, std::string name) {
  if (runs_.size() >= kMax && !runs_.contains(process.tgid)) return;
  runs_[process.tgid] = Run{process, exec_id, session, std::move(name)};
}

void PackageRuns::Execed(const ProcessId& process, uint64_t exec_id) {
  const auto run = runs_.find(process.tgid);
  if (run != runs_.end() && run->second.exec_id != exec_id) runs_.erase(run);
}

void PackageRuns::Ended(const ProcessId& process) {
  const auto run = runs_.find(process.tgid);
  if (run != runs_.end() && same_(run->second.process, process)) runs_.erase(run);
}

std::string PackageRuns::Above(ProcessId parent, SessionNumber session) const {
  if (runs_.empty()) return "";
  for (int depth = 0; depth < kMaxDepth && parent.tgid > 1; ++depth) {
    const auto run = runs_.find(parent.tgid);
    if (run != runs_.end() && run->second.session == session && same_(run->second.process, parent)) {
      return absl::StrCat(run->second.name, " (", parent.tgid, ")");
    }
    const absl::StatusOr<ProcessId> above = parent_of_(parent);
    if (!above.ok()) return "";
    parent = *above;
  }
  return "";
}

}  // namespace holdpoint
