#include "agent/gate/drift.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/file_id.h"
#include "agent/response/proc.h"

namespace holdpoint {

Surroundings SurroundingsOf(const ProcessId& process) {
  Surroundings seen;
  const absl::StatusOr<ProcDir> dir = ProcDir::Open(process);
  if (!dir.ok()) return seen;
  if (const absl::StatusOr<UniqueFd> exe = dir->OpenFile("exe", O_PATH); exe.ok()) {
    if (const auto st = CachedStat(exe->get(), "", AT_EMPTY_PATH); st.ok()) seen.program = FileIdFromStat(*st);
  }
  const absl::StatusOr<UniqueFd> cwd = dir->OpenFile("cwd", O_PATH | O_NOFOLLOW);
  char path[PATH_MAX];
  const ssize_t length = cwd.ok() ? readlinkat(cwd->get(), "", path, sizeof(path)) : -1;
  if (length > 0) seen.working_directory.assign(path, static_cast<size_t>(length));
  return seen;
}

}  // namespace holdpoint
