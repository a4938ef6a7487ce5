#include "agent/presence/root_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr size_t kNameMax = 64;

absl::Status OnlyRootWrites(const struct stat& st, const std::string& path) {
  if (st.st_uid == 0 && (st.st_mode & 022) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(path, ": others than root could have written it"));
}

absl::StatusOr<UniqueFd> OpenFolder(const std::string& folder) {
  UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat st {};
  if (!fd.ok() || fstat(fd.get(), &st) != 0) return ErrnoStatus(folder);
  HP_RETURN_IF_ERROR(OnlyRootWrites(st, folder));
  return fd;
}

}  // namespace

absl::Status CheckOwnerName(absl::string_view user) {
  const bool plain = std::all_of(user.begin(), user.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("._-@+$\\", static_cast<char>(c));
  });
  if (plain && !user.empty() && user.size() <= kNameMax && user[0] != '.') return absl::OkStatus();
  return absl::InvalidArgumentError("--user: a name of letters, digits and . _ - @ + $ \\ is wanted");
}

absl::StatusOr<std::string> ReadRootFile(const std::string& folder, const std::string& name, size_t max, bool hidden) {
  HP_ASSIGN_OR_RETURN(const UniqueFd in, OpenFolder(folder));
  const std::string path = absl::StrCat(folder, "/", name);
  const UniqueFd fd(openat(in.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat st {};
  if (!fd.ok() || fstat(fd.get(), &st) != 0) return ErrnoStatus(path);
  HP_RETURN_IF_ERROR(OnlyRootWrites(st, path));
  if (!S_ISREG(st.st_mode)) return absl::FailedPreconditionError(absl::StrCat(path, ": is no ordinary file"));
  if (hidden && (st.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": others than root could have read it"));
  }
  std::string bytes(max + 1, '\0');
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = read(fd.get(), bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(path);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > max) return absl::FailedPreconditionError(absl::StrCat(path, ": is larger than ", max, " bytes"));
  bytes.resize(size);
  return bytes;
}

absl::Status WriteRootFile(const std::string& folder, const std::string& name, absl::string_view bytes) {
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus(folder);
  HP_ASSIGN_OR_RETURN(const UniqueFd in, OpenFolder(folder));
  const std::string path = absl::StrCat(folder, "/", name), fresh = absl::StrCat(name, ".new");
  const UniqueFd fd(openat(in.get(), fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.ok()) return ErrnoStatus(path);
  while (!bytes.empty()) {
    const ssize_t written = write(fd.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (fsync(fd.get()) != 0 || renameat(in.get(), fresh.c_str(), in.get(), name.c_str()) != 0 || fsync(in.get()) != 0) {
    return ErrnoStatus(path);
  }
  return absl::OkStatus();
}

absl::Status RemoveRootFile(const std::string& folder, const std::string& name) {
  HP_ASSIGN_OR_RETURN(const UniqueFd in, OpenFolder(folder));
  if (unlinkat(in.get(), name.c_str(), 0) != 0 || fsync(in.get()) != 0) return ErrnoStatus(absl::StrCat(folder, "/", name));
  return absl::OkStatus();
}

}  // namespace holdpoint
