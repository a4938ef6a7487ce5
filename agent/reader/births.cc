#include "agent/reader/births.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"

namespace holdpoint::reader {
namespace {

constexpr unsigned int kMask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;
constexpr long kXfs = 0x58465342;

struct DirClose {
  void operator()(DIR* dir) const { closedir(dir); }
};

int64_t Nanoseconds(const struct statx_timestamp& t) { return t.tv_sec * 1'000'000'000 + t.tv_nsec; }

int64_t Now() {
  struct timespec now {};
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

bool BirthsMeanSomething(int fd) {
  struct statfs fs {};
  if (fstatfs(fd, &fs) != 0) return false;
  for (const long type : {long{EXT4_SUPER_MAGIC}, kXfs, long{BTRFS_SUPER_MAGIC}, long{F2FS_SUPER_MAGIC}, long{TMPFS_MAGIC}}) {
    if (fs.f_type == type) return true;
  }
  return false;
}

// Calls `see` with each entry, the top one first, and stops where it says false or something can't be looked at. `fd` is
// the entry itself, opened O_PATH.
class Walk {
 public:
  explicit Walk(std::function<bool(const struct statx&, int fd)> see) : see_(std::move(see)) {}

  bool Visit(int at, const std::string& name) {
    if (++seen_ > kMaxTreeEntries) return Fail(absl::StrCat("more than ", kMaxTreeEntries, " entries"));
    const UniqueFd entry(openat(at, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct statx st {};
    if (!entry.ok() || statx(entry.get(), "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, kMask, &st) != 0) {
      return Fail(strerror(errno));
    }
    if (seen_ == 1) {
      mount_ = st.stx_mnt_id;
    } else if (st.stx_mnt_id != mount_ || (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) {
      return Fail("another file system is mounted in it");
    }
    if (!see_(st, entry.get())) return false;
    if (!S_ISDIR(st.stx_mode)) return true;
    const int fd = openat(entry.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return Fail(strerror(errno));
    const std::unique_ptr<DIR, DirClose> dir(fdopendir(fd));
    if (dir == nullptr) return Fail("not enough memory");
    std::vector<std::string> names;
    for (errno = 0; const dirent* each = readdir(dir.get()); errno = 0) {
      const std::string_view below = each->d_name;
      if (below == "." || below == "..") continue;
      if (names.size() > kMaxTreeEntries) return Fail(absl::StrCat("more than ", kMaxTreeEntries, " entries"));
      names.emplace_back(below);
    }
    if (errno != 0) return Fail(strerror(errno));
    return std::all_of(names.begin(), names.end(), [&](const std::string& below) { return Visit(entry.get(), below); });
  }

  const std::string& problem() const { return problem_; }

 private:
  bool Fail(std::string why) {
    problem_ = std::move(why);
    return false;
  }

  const std::function<bool(const struct statx&, int fd)> see_;
  std::string problem_;
  uint64_t mount_ = 0;
  int seen_ = 0;
};

}  // namespace

Births BirthsIn(const std::string& path, uid_t uid, int64_t since) {
  const int64_t now = Now();
  Births births{.oldest_unix_ns = now, .own = true};
  bool first = true, old = false;
  Walk walk([&](const struct statx& st, int fd) {
    if (first && !BirthsMeanSomething(fd)) return false;
    first = false;
    const int64_t born = Nanoseconds(st.stx_btime);
    if ((st.stx_mask & STATX_BTIME) == 0 || born <= 0 || born > now) return false;
    births.oldest_unix_ns = std::min(births.oldest_unix_ns, born);
    births.own = births.own && st.stx_uid == uid;
    old = born <= since;
    return !old;
  });
  return walk.Visit(AT_FDCWD, path) || old ? births : Births{};
}

void DescribeTree(const std::string& path, v1::TreeFact* fact) {
  fact->set_path(path);
  bool only_root = true;
  int64_t newest = 0;
  Walk walk([&](const struct statx& st, int) {
    fact->set_exists(true);
    newest = std::max(newest, Nanoseconds(st.stx_ctime));
    only_root = only_root && st.stx_uid == 0 && (S_ISLNK(st.stx_mode) || (st.stx_mode & 022) == 0);
    return true;
  });
  const bool whole = walk.Visit(AT_FDCWD, path);
  if (!whole && fact->exists()) fact->set_problem(walk.problem());
  if (!whole && !fact->exists() && access(path.c_str(), F_OK) == 0) fact->set_problem(walk.problem());
  fact->set_changed_unix_ns(newest);
  fact->set_only_root_writes(whole && only_root);
}

}  // namespace holdpoint::reader
