#include "agent/base/file_id.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include "agent/base/status.h"

namespace holdpoint {

FileId FileIdFromStat(const struct stat& st) {
  return FileId{
      .dev = (static_cast<uint64_t>(major(st.st_dev)) << 20) | minor(st.st_dev),
      .ino = st.st_ino,
      .ctime_ns = static_cast<uint64_t>(st.st_ctim.tv_sec) * 1'000'000'000ull + static_cast<uint64_t>(st.st_ctim.tv_nsec),
  };
}

absl::StatusOr<struct stat> CachedStat(int at, const char* path, int flags) {
  struct statx seen {};
  if (statx(at, path, flags | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &seen) != 0) {
    return ErrnoStatus("statx");
  }
  struct stat st {};
  st.st_dev = makedev(seen.stx_dev_major, seen.stx_dev_minor);
  st.st_ino = seen.stx_ino;
  st.st_mode = seen.stx_mode;
  st.st_uid = seen.stx_uid;
  st.st_gid = seen.stx_gid;
  st.st_nlink = seen.stx_nlink;
  st.st_rdev = makedev(seen.stx_rdev_major, seen.stx_rdev_minor);
  st.st_size = static_cast<off_t>(seen.stx_size);
  st.st_ctim = {.tv_sec = seen.stx_ctime.tv_sec, .tv_nsec = seen.stx_ctime.tv_nsec};
  return st;
}

}  // namespace holdpoint
