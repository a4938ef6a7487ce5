#include "agent/gate/lineage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/file_id.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxAncestors = 4;
constexpr size_t kMaxBytes = 2048;

}  // namespace

std::vector<std::string> AncestorsOf(ProcessId parent, const ProcessId& root) {
  std::vector<std::string> found;
  while (found.size() < kMaxAncestors && parent.tgid > 1 && parent.tgid != root.tgid) {
    absl::StatusOr<ProcText> argv = ReadArgv(parent, kMaxBytes);
    if (!argv.ok()) break;
    found.push_back(std::move(argv->bytes));
    const absl::StatusOr<ProcessId> above = ParentOf(parent);
    if (!above.ok()) break;
    parent = *above;
  }
  return found;
}

std::string StdinKind(const ProcDir& process) {
  const absl::StatusOr<struct stat> st = process.StandardInput();
  if (!st.ok()) return "";
  if (S_ISFIFO(st->st_mode)) return "pipe";
  if (S_ISSOCK(st->st_mode)) return "socket";
  if (S_ISREG(st->st_mode)) return "file";
  const dev_t device = S_ISCHR(st->st_mode) ? st->st_rdev : 0;
  const bool pseudo = major(device) >= 136 && major(device) <= 143;
  const bool console = major(device) == 4 || device == makedev(5, 0) || device == makedev(5, 1);
  return pseudo || console ? "terminal" : "";
}

uint32_t LoginUid(pid_t pid) {
  constexpr uint32_t kNobody = 0xffffffff;
  std::ifstream file(absl::StrCat("/proc/", pid, "/loginuid"));
  uint32_t uid = kNobody;
  return file >> uid ? uid : kNobody;
}

}  // namespace holdpoint
