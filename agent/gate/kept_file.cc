#include "agent/gate/kept_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"

namespace holdpoint {

absl::StatusOr<std::string> ReadKept(const std::string& path, size_t max_bytes) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.ok()) return ErrnoStatus(path);
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return ErrnoStatus(path);
  if (!S_ISREG(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & 022) != 0) {
    return absl::DataLossError(absl::StrCat(path, ": is not a file that only its owner, the daemon, may write"));
  }
  std::string bytes;
  char buffer[8192];
  while (true) {
    const ssize_t got = read(fd.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(path);
    if (got == 0) return bytes;
    bytes.append(buffer, static_cast<size_t>(got));
    if (bytes.size() > max_bytes) return absl::DataLossError(absl::StrCat(path, ": too large"));
  }
}

absl::Status WriteKept(const std::string& path, absl::string_view text) {
  const std::string fresh = path + ".new";
  const UniqueFd fd(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.ok()) return ErrnoStatus(fresh);
  while (!text.empty()) {
    const ssize_t size = write(fd.get(), text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return ErrnoStatus(fresh);
    text.remove_prefix(static_cast<size_t>(size));
  }
  if (fsync(fd.get()) != 0) return ErrnoStatus(fresh);
  if (rename(fresh.c_str(), path.c_str()) != 0) return ErrnoStatus(path);
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const UniqueFd directory(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.ok() || fsync(directory.get()) != 0) return ErrnoStatus(folder);
  return absl::OkStatus();
}

std::string PutAside(const std::string& path) {
  std::string aside = path + ".damaged";
  std::error_code error;
  std::filesystem::rename(path, aside, error);  // Where it can't be renamed it is read, and said, again.
  return aside;
}

}  // namespace holdpoint
