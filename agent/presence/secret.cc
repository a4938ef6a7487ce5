#include "agent/presence/secret.h"

#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace holdpoint {

absl::Status Secret::ReadFrom(int fd) {
  size_ = 0;
  while (size_ < kMax + 1) {
    const ssize_t got = read(fd, bytes_ + size_, kMax + 1 - size_);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return absl::UnavailableError(absl::StrCat("reading the secret from descriptor ", fd, ": ", strerror(errno)));
    if (got == 0) break;
    size_ += static_cast<size_t>(got);
  }
  if (size_ == 0 || size_ > kMax || memchr(bytes_, 0, size_) != nullptr) {
    return absl::PermissionDeniedError(absl::StrCat("a password, code or signature of 1 to ", kMax, " bytes is wanted"));
  }
  return absl::OkStatus();
}

}  // namespace holdpoint
