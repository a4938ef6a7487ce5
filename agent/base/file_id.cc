#include "agent/base/file_id.h"

#include <sys/sysmacros.h>

namespace holdpoint {

FileId FileIdFromStat(const struct stat& st) {
  return FileId{
      .dev = (static_cast<uint64_t>(major(st.st_dev)) << 20) | minor(st.st_dev),
      .ino = st.st_ino,
      .ctime_ns = static_cast<uint64_t>(st.st_ctim.tv_sec) * 1'000'000'000ull + static_cast<uint64_t>(st.st_ctim.tv_nsec),
  };
}

}  // namespace holdpoint
