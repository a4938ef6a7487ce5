#include "agent/cli/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr off_t kFileMax = 16 << 20;

}  // namespace

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // A FIFO does not make us wait.
  if (!fd.ok()) return ErrnoStatus(path);
  struct stat st {};
  if (fstat(fd.get(), &st) != 0) return ErrnoStatus(path);
  if (!S_ISREG(st.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, ": is no regular file"));
  std::string bytes;
  char part[64 * 1024];
  while (true) {
    const ssize_t got = read(fd.get(), part, sizeof(part));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(path);
    if (got == 0) return bytes;
    bytes.append(part, static_cast<size_t>(got));
    if (bytes.size() > static_cast<size_t>(kFileMax)) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": is larger than ", kFileMax >> 20, " MiB"));
    }
  }
}

}  // namespace holdpoint
