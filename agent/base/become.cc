#include "agent/base/become.h"

#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"

namespace holdpoint {

absl::Status BecomeUser(uid_t uid, const std::vector<gid_t>& groups) {
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return ErrnoStatus("drop the capability bounding set");
  }
  if (setgroups(groups.size(), groups.data()) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) {
    return ErrnoStatus(absl::StrCat("become user ", uid));
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0) return ErrnoStatus("prctl");
  if (setresuid(0, 0, 0) == 0) return absl::InternalError("could become root again");
  return absl::OkStatus();
}

}  // namespace holdpoint
