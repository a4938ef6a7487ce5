#pragma once

#include <string.h>
#include <sys/mman.h>

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

// A password, a code or a signature, for as long as the question lasts: kept out of swap, wiped at the end.
class Secret {
 public:
  static constexpr size_t kMax = 127;

  Secret() { (void)mlock(bytes_, sizeof(bytes_)); }
  ~Secret() { explicit_bzero(bytes_, sizeof(bytes_)); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  // Reads `fd` to its end. kPermissionDenied for nothing, for more than kMax bytes and for a NUL among them.
  absl::Status ReadFrom(int fd);

  const char* c_str() const { return bytes_; }
  absl::string_view view() const { return {bytes_, size_}; }

 private:
  char bytes_[kMax + 2] = {};  // one more than may come, so that too long is seen, and a NUL
  size_t size_ = 0;
};

}  // namespace holdpoint
