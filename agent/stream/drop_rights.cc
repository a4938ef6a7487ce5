#include "agent/stream/drop_rights.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "agent/base/become.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

// Never through a link: who can write here was able to put one there.
absl::Status Give(const std::string& path, uid_t owner, gid_t group, mode_t add) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat st {};
  if (!fd.ok() || fstat(fd.get(), &st) != 0) return ErrnoStatus(path);
  if (fchown(fd.get(), owner, group) != 0) return ErrnoStatus(absl::StrCat("chown ", path));
  if (fchmod(fd.get(), (st.st_mode & 07777) | add) != 0) return ErrnoStatus(absl::StrCat("chmod ", path));
  return absl::OkStatus();
}

absl::Status GiveAllBelow(const std::string& folder, uid_t owner, gid_t group, mode_t add_folder, mode_t add_file) {
  HP_RETURN_IF_ERROR(Give(folder, owner, group, add_folder));
  std::error_code error;
  using Walk = std::filesystem::recursive_directory_iterator;
  for (Walk it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    const auto kind = it->symlink_status(gone).type();
    absl::Status given = absl::OkStatus();
    if (kind == std::filesystem::file_type::directory) given = Give(it->path(), owner, group, add_folder);
    if (kind == std::filesystem::file_type::regular) given = Give(it->path(), owner, group, add_file);
    if (!given.ok() && !absl::IsNotFound(given)) return given;  // The gate evicts old segments meanwhile.
  }
  return error ? ErrnoStatus(folder, error.value()) : absl::OkStatus();
}

}  // namespace

absl::Status DropRights(const std::string& state, uid_t uid) {
  if (geteuid() != 0) return absl::OkStatus();
  const gid_t group = uid;
  const std::string spool = absl::StrCat(state, "/spool");
  HP_RETURN_IF_ERROR(Give(state, 0, group, S_IXGRP));
  if (absl::Status given = GiveAllBelow(spool, 0, group, S_ISGID | S_IRGRP | S_IXGRP, S_IRGRP);
      !given.ok() && !absl::IsNotFound(given)) {
    return given;
  }
  HP_RETURN_IF_ERROR(GiveAllBelow(absl::StrCat(state, "/stream"), uid, group, 0, 0));

  HP_RETURN_IF_ERROR(BecomeUser(uid));
  if (access(spool.c_str(), R_OK | X_OK) != 0 && errno != ENOENT) {
    return absl::FailedPreconditionError(absl::StrCat(
        spool, ": user ", uid, ", as which the record is delivered, can't read it; chmod o+x the folders above ", state));
  }
  return absl::OkStatus();
}

}  // namespace holdpoint
