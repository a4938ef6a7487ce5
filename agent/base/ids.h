#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace holdpoint {

// A process for as long as it lives: thread group id and the boot time at which its leader started. A bare pid is
// reused and is never a key. `start_boot_ns` is task_struct::start_boottime of the group leader.
struct ProcessId {
  pid_t tgid = 0;
  uint64_t start_boot_ns = 0;

  friend auto operator<=>(const ProcessId&, const ProcessId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const ProcessId& id) {
    return H::combine(std::move(h), id.tgid, id.start_boot_ns);
  }
};

// A file's identity. `dev` is in the kernel's own encoding (major << 20 | minor), as super_block::s_dev; stat(2)
// gives another one: convert with FileIdFromStat. A changed ctime means that the content may have changed.
struct FileId {
  uint64_t dev = 0;
  uint64_t ino = 0;
  uint64_t ctime_ns = 0;

  friend auto operator<=>(const FileId&, const FileId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const FileId& id) {
    return H::combine(std::move(h), id.dev, id.ino, id.ctime_ns);
  }
};

// The label that the kernel keeps: unique within one boot, 0 is "no session".
using SessionNumber = uint64_t;

}  // namespace holdpoint
