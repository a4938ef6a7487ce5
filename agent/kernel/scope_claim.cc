#include "agent/kernel/scope_claim.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <mntent.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

absl::StatusOr<uint64_t> CgroupId(const std::string& directory) {
  struct stat st;
  if (stat(directory.c_str(), &st) != 0) return ErrnoStatus(absl::StrCat("stat ", directory));
  return st.st_ino;  // The inode number of a cgroup's directory is its id.
}

std::string ReadAll(int fd) {
  std::string text;
  char buffer[4096];
  ssize_t n;
  while ((n = pread(fd, buffer, sizeof(buffer), static_cast<off_t>(text.size()))) > 0) {
    text.append(buffer, static_cast<size_t>(n));
    if (text.size() > 64 * 1024) break;
  }
  return text;
}

bool Overlap(const std::vector<uint64_t>& a, const std::vector<uint64_t>& b) {
  const size_t shorter = std::min(a.size(), b.size());
  return std::equal(a.begin(), a.begin() + static_cast<ptrdiff_t>(shorter), b.begin());
}

// Line 1: pid. Line 2: lineage. Line 3: directory.
struct Claim {
  std::string pid;
  std::vector<uint64_t> lineage;
  std::string directory;
};

Claim ParseClaim(const std::string& text) {
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  Claim claim;
  if (lines.size() < 3) return claim;
  claim.pid = lines[0];
  for (absl::string_view number : absl::StrSplit(lines[1], ' ', absl::SkipEmpty())) {
    uint64_t id = 0;
    if (absl::SimpleAtoi(number, &id)) claim.lineage.push_back(id);
  }
  claim.directory = lines[2];
  return claim;
}

}  // namespace

absl::StatusOr<std::string> CgroupRoot() {
  std::unique_ptr<FILE, int (*)(FILE*)> mounts(setmntent("/proc/self/mounts", "re"), endmntent);
  if (mounts == nullptr) return ErrnoStatus("/proc/self/mounts");
  while (const mntent* entry = getmntent(mounts.get())) {
    if (std::string(entry->mnt_type) == "cgroup2") return std::string(entry->mnt_dir);
  }
  return absl::FailedPreconditionError(
      "no cgroup v2 is mounted: Holdpoint needs one to know its scope. Mount it: mount -t cgroup2 none /sys/fs/cgroup");
}

absl::StatusOr<Scope> ResolveScope(const std::string& directory) {
  HP_ASSIGN_OR_RETURN(const std::string root, CgroupRoot());
  Scope scope;
  char resolved[PATH_MAX];
  if (realpath(directory.empty() ? root.c_str() : directory.c_str(), resolved) == nullptr) {
    return ErrnoStatus(absl::StrCat("scope ", directory));
  }
  scope.directory = resolved;
  scope.host = scope.directory == root;
  scope.fd = UniqueFd(open(resolved, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct statfs fs;
  if (!scope.fd.ok() || fstatfs(scope.fd.get(), &fs) != 0) return ErrnoStatus(absl::StrCat("scope ", resolved));
  if (fs.f_type != CGROUP2_SUPER_MAGIC || !absl::StartsWith(scope.directory, root)) {
    return absl::InvalidArgumentError(
        absl::StrCat("scope ", resolved, " is not a directory of the cgroup v2 that is mounted at ", root));
  }
  for (std::string at = scope.directory;; at = at.substr(0, at.rfind('/'))) {
    HP_ASSIGN_OR_RETURN(const uint64_t id, CgroupId(at));
    scope.lineage.insert(scope.lineage.begin(), id);
    if (at == root) break;
  }
  return scope;
}

absl::StatusOr<UniqueFd> ClaimScope(const Scope& scope, const std::string& registry) {
  if (mkdir(registry.c_str(), 0755) != 0 && errno != EEXIST) return ErrnoStatus(absl::StrCat("mkdir ", registry));
  UniqueFd lock(open(registry.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.ok() || flock(lock.get(), LOCK_EX) != 0) return ErrnoStatus(absl::StrCat("lock ", registry));
  std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(registry.c_str()), closedir);
  if (entries == nullptr) return ErrnoStatus(absl::StrCat("read ", registry));
  while (const dirent* entry = readdir(entries.get())) {
    if (entry->d_name[0] == '.') continue;
    const std::string path = absl::StrCat(registry, "/", entry->d_name);
    UniqueFd other(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!other.ok()) continue;
    if (flock(other.get(), LOCK_EX | LOCK_NB) == 0) {
      unlink(path.c_str());  // Nobody holds it: its daemon is gone.
      continue;
    }
    const Claim claim = ParseClaim(ReadAll(other.get()));
    if (Overlap(claim.lineage, scope.lineage)) {
      return absl::AlreadyExistsError(absl::StrCat("scope ", scope.directory, " overlaps ", claim.directory,
                                                   ", which the daemon with pid ", claim.pid,
                                                   " watches: stop it first"));
    }
  }
  const std::string path = absl::StrCat(registry, "/", getpid(), "-", scope.lineage.back());
  UniqueFd mine(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const std::string text = absl::StrCat(getpid(), "\n", absl::StrJoin(scope.lineage, " "), "\n", scope.directory, "\n");
  if (!mine.ok() || flock(mine.get(), LOCK_EX | LOCK_NB) != 0 ||
      write(mine.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return ErrnoStatus(absl::StrCat("claim ", path));
  }
  return mine;
}

}  // namespace holdpoint
