#pragma once

#include <cstdint>
#include <type_traits>

namespace holdpoint {

// What `holdpoint-reader --watch` tells the gate of each file and folder that it has put a mark on: records of this size,
// one behind the other.
struct WatchedFile {
  static constexpr uint32_t kFile = 1;
  static constexpr uint32_t kFolder = 2;   // something may be put into it that is asked about
  // A file that is there and got no mark; `problem` says why. E2BIG: a folder in which more was found than is looked at.
  static constexpr uint32_t kUnwatched = 3;
  static constexpr uint32_t kLooks = 4;  // `pattern` is next: where this is the last record, a file system did not answer

  uint32_t kind = 0;
  uint32_t pattern = 0;  // which of those asked for
  uint64_t device = 0;   // kernel encoding
  uint64_t inode = 0;
  // How fanotify(7) will name it.
  uint8_t fsid[8] = {};
  int32_t handle_type = 0;
  uint32_t handle_size = 0;
  uint8_t handle[128] = {};
  int32_t problem = 0;    // errno
  char path[1020] = {};   // zero-padded; cut where it is longer
};
static_assert(std::is_trivially_copyable_v<WatchedFile> && sizeof(WatchedFile) == 1192);

}  // namespace holdpoint
