#include "agent/reader/safe_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "absl/strings/str_cat.h"
#include "agent/base/sha256.h"
#include "agent/base/status.h"

namespace holdpoint::reader {
namespace {

ssize_t ReadSome(int fd, char* to, size_t size, off_t at) {
  ssize_t n;
  do {
    n = pread(fd, to, size, at);
  } while (n < 0 && errno == EINTR);
  return n;
}

}  // namespace

const char* KindOf(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "link";
    case S_IFIFO:
      return "FIFO";
    case S_IFSOCK:
      return "socket";
    default:
      return "device";
  }
}

absl::StatusOr<UniqueFd> SafeFiles::OpenRegular(int at, const std::string& path, bool nofollow, struct stat* st) const {
  // O_PATH opens nothing: no driver, no FIFO, no lease notices it.
  const UniqueFd place(openat(at, path.c_str(), O_PATH | O_CLOEXEC | (nofollow ? O_NOFOLLOW : 0)));
  if (!place.ok()) return ErrnoStatus("open");
  struct stat own;
  if (st == nullptr) st = &own;
  if (fstat(place.get(), st) != 0) return ErrnoStatus("fstat");
  if (!S_ISREG(st->st_mode)) return absl::FailedPreconditionError(absl::StrCat("is a ", KindOf(st->st_mode)));
  UniqueFd fd(openat(own_fds_, absl::StrCat(place.get()).c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.ok()) return ErrnoStatus("open");
  return fd;
}

absl::StatusOr<Content> ReadBounded(int fd, size_t max) {
  Content content;
  content.bytes.resize(max + 1);
  size_t size = 0;
  while (size <= max) {
    const ssize_t n = ReadSome(fd, content.bytes.data() + size, max + 1 - size, static_cast<off_t>(size));
    if (n < 0) return ErrnoStatus("read");
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  content.cut = size > max;
  content.bytes.resize(std::min(size, max));
  return content;
}

absl::StatusOr<std::string> Sha256OfFile(int fd, uint64_t max) {
  Sha256Stream stream;
  constexpr size_t kBlock = 256 * 1024;
  const auto block = std::make_unique<char[]>(kBlock);
  uint64_t done = 0;
  while (true) {
    const ssize_t n = ReadSome(fd, block.get(), kBlock, static_cast<off_t>(done));
    if (n < 0) return ErrnoStatus("read");
    if (n == 0) break;
    done += static_cast<uint64_t>(n);
    if (done > max) return absl::ResourceExhaustedError(absl::StrCat("has more than ", max, " bytes"));
    stream.Add({block.get(), static_cast<size_t>(n)});
  }
  return Hex(stream.Finish());
}

}  // namespace holdpoint::reader
