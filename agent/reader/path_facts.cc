#include "agent/reader/path_facts.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "agent/base/file_id.h"
#include "agent/base/sha256.h"
#include "agent/base/utf8.h"

namespace holdpoint::reader {
namespace {

constexpr size_t kMaxPath = PATH_MAX - 1;

struct FreeText {
  void operator()(char* text) const { free(text); }
};

std::string RealPath(const std::string& path) {
  const std::unique_ptr<char, FreeText> real(realpath(path.c_str(), nullptr));
  return real == nullptr ? "" : real.get();
}

// "/a/link/b/" is the real path of "/a/link", and "b". Names that stand for folders go whole.
std::string ResolveUpToParent(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const size_t slash = path.rfind('/');
  const std::string name = path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") return RealPath(path);
  const std::string parent = RealPath(slash == 0 ? "/" : path.substr(0, slash));
  return parent.empty() ? "" : absl::StrCat(parent, parent == "/" ? "" : "/", name);
}

std::string Unusable(const std::string& path) {
  if (path.empty() || path[0] != '/') return "not an absolute path";
  if (path.size() > kMaxPath) return "path too long";
  if (path.find('\0') != std::string::npos) return "a NUL in the path";
  return "";
}

int64_t Nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

// Nobody but a process says what is there.
bool IsServed(int fd) {
  struct statfs fs;
  return fstatfs(fd, &fs) != 0 || fs.f_type == FUSE_SUPER_MAGIC;
}

}  // namespace

bool OnlyRootWrites(const std::string& resolved, const struct stat& st) {
  if (st.st_uid != 0 || (st.st_mode & 022) != 0 || resolved.empty() || resolved[0] != '/') return false;
  for (size_t slash = resolved.rfind('/'); slash != std::string::npos; slash = resolved.rfind('/', slash - 1)) {
    struct stat above;
    if (stat(slash == 0 ? "/" : resolved.substr(0, slash).c_str(), &above) != 0) return false;
    if (above.st_uid != 0 || (above.st_mode & 022) != 0) return false;
    if (slash == 0) return true;
  }
  return false;
}

void DescribePath(const std::string& path, v1::PathFact* fact) {
  fact->set_path(path);
  if (std::string unusable = Unusable(path); !unusable.empty()) {
    fact->set_problem(std::move(unusable));
    return;
  }
  struct stat st;
  // A trailing slash follows a last link, as it does for the program that is asked about.
  if (fstatat(AT_FDCWD, path.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) fact->set_problem(strerror(errno));
    return;
  }
  fact->set_exists(true);
  fact->set_resolved(path.back() == '/' && path.size() > 1 ? RealPath(path) : ResolveUpToParent(path));
  fact->set_target(RealPath(path));
  for (std::string* const text : {fact->mutable_resolved(), fact->mutable_target()}) {
    if (IsValidUtf8(*text)) continue;
    fact->set_problem("leads to a name that is not UTF-8");
    text->clear();
  }
  const std::string kind = KindOf(st.st_mode);
  fact->set_kind(kind == "file" || kind == "directory" || kind == "link" ? kind : "other");
  fact->set_size(static_cast<uint64_t>(st.st_size));
  fact->set_hard_links(st.st_nlink);
  fact->set_writable(access(path.c_str(), W_OK) == 0);
  const FileId id = FileIdFromStat(st);
  fact->set_device(id.dev);
  fact->set_inode(id.ino);
  fact->set_changed_unix_ns(static_cast<int64_t>(id.ctime_ns));
  fact->set_only_root_writes(OnlyRootWrites(fact->resolved(), st));
}

void ReadContent(const SafeFiles& files, const std::string& path, size_t max_bytes, v1::ContentFact* fact) {
  fact->set_path(path);
  if (std::string unusable = Unusable(path); !unusable.empty()) {
    fact->set_problem(std::move(unusable));
    return;
  }
  struct stat before;
  const absl::StatusOr<UniqueFd> fd = files.OpenRegular(AT_FDCWD, path, /*nofollow=*/false, &before);
  if (!fd.ok()) {
    fact->set_missing(absl::IsNotFound(fd.status()));
    fact->set_problem(std::string(fd.status().message()));
    return;
  }
  absl::StatusOr<Content> content = ReadBounded(fd->get(), max_bytes);
  if (!content.ok()) {
    fact->set_problem(std::string(content.status().message()));
    return;
  }
  fact->set_sha256(Hex(Sha256(content->bytes)));
  fact->set_content(std::move(content->bytes));
  fact->set_cut(content->cut);
  struct stat after;
  const bool steady = fstat(fd->get(), &after) == 0 && after.st_size == before.st_size &&
                      Nanoseconds(after.st_ctim) == Nanoseconds(before.st_ctim) && !IsServed(fd->get());
  fact->set_unsteady(!steady);
  fact->set_changed_unix_ns(Nanoseconds(before.st_ctim));
}

}  // namespace holdpoint::reader
