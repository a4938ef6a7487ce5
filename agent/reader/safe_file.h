#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/fd.h"

// Reading files whose owner is hostile: nothing but regular files is ever opened for reading, so no FIFO blocks, no
// device does something, and what was looked at is what is read.
namespace holdpoint::reader {

// "file", "directory", "link", "FIFO", "socket", "device".
const char* KindOf(mode_t mode);

class SafeFiles {
 public:
  // `own_fds` is our own /proc/self/fd, opened O_PATH before the session's namespace was entered. Borrowed.
  explicit SafeFiles(int own_fds) : own_fds_(own_fds) {}

  // Opens a regular file for reading; links on the way are followed unless `nofollow`. `st` may be null.
  // kFailedPrecondition "is a FIFO" for anything else, else as open(2): kNotFound, kPermissionDenied.
  absl::StatusOr<UniqueFd> OpenRegular(int at, const std::string& path, bool nofollow, struct stat* st) const;

 private:
  int own_fds_;
};

struct Content {
  std::string bytes;
  bool cut = false;  // the file has more
};

// At most `max` bytes from the start.
absl::StatusOr<Content> ReadBounded(int fd, size_t max);

// SHA-256 in hexadecimal of the whole file. kResourceExhausted past `max` bytes.
absl::StatusOr<std::string> Sha256OfFile(int fd, uint64_t max);

}  // namespace holdpoint::reader
