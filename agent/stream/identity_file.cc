#include "agent/stream/identity_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxFile = 1024 * 1024;

}  // namespace

absl::StatusOr<std::string> ReadIdentityFile(const std::string& path, bool secret) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.ok()) return ErrnoStatus(path);
  struct stat about {};
  if (fstat(file.get(), &about) != 0) return ErrnoStatus(path);
  if (!S_ISREG(about.st_mode)) return absl::FailedPreconditionError(absl::StrCat(path, ": not a file"));
  if (secret && ((about.st_mode & 077) != 0 || (about.st_uid != 0 && about.st_uid != geteuid()))) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s: a secret that others may use (owner %d, mode %04o): chown root and chmod 600", path,
                        about.st_uid, about.st_mode & 07777));
  }
  std::string bytes(kMaxFile + 1, '\0');
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = read(file.get(), bytes.data() + size, bytes.size() - size);
    if (got < 0) return ErrnoStatus(path);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size == 0 || size > kMaxFile) return absl::FailedPreconditionError(absl::StrCat(path, ": empty, or larger than 1 MiB"));
  bytes.resize(size);
  return bytes;
}

}  // namespace holdpoint
