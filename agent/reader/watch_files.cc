#include "agent/reader/watch_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/base/fd.h"
#include "agent/base/file_id.h"

namespace holdpoint::reader {
namespace {

constexpr int kMaxEntries = 4096;  // of a folder that a glob is looked for in
constexpr long kFuse = 0x65735546;
constexpr uint64_t kOfFiles = FAN_OPEN | FAN_ACCESS | FAN_CLOSE | FAN_DELETE_SELF;
constexpr uint64_t kOfFolders = FAN_CREATE | FAN_MOVED_TO;

bool IsGlob(const std::string& text) { return text.find_first_of("*?[") != std::string::npos; }

class Watcher {
 public:
  Watcher(MarkGroups groups, int own_fds, absl::FunctionRef<void(const WatchedFile&)> tell)
      : groups_(groups), own_fds_(own_fds), tell_(tell) {}

  void Look(uint32_t pattern, const std::string& text) {
    const size_t slash = text.rfind('/');
    if (slash == std::string::npos || text[0] != '/') return;
    const std::string folder = slash == 0 ? "/" : text.substr(0, slash), name = text.substr(slash + 1);
    tell_({.kind = WatchedFile::kLooks, .pattern = pattern});
    const UniqueFd at(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC));
    if (!at.ok()) return;
    Mark(WatchedFile::kFolder, pattern, at.get(), folder);
    bool all = true;
    for (const std::string& match : Matches(at.get(), name, &all)) {
      struct stat st {};
      UniqueFd file(openat(at.get(), match.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
      if (!file.ok() || fstat(file.get(), &st) != 0) continue;
      if (S_ISLNK(st.st_mode)) {
        file.reset(openat(at.get(), match.c_str(), O_PATH | O_CLOEXEC));
        if (!file.ok() || fstat(file.get(), &st) != 0 || IsNoSecret(st)) continue;
      }
      Mark(WatchedFile::kFile, pattern, file.get(), absl::StrCat(folder == "/" ? "" : folder, "/", match));
    }
    if (!all) TellTooMany(pattern, text);
  }

 private:
  static bool IsNoSecret(const struct stat& st) { return (st.st_mode & S_IROTH) != 0 && st.st_uid != geteuid(); }

  static std::vector<std::string> Matches(int folder, const std::string& name, bool* all) {
    if (!IsGlob(name)) return {name};
    std::vector<std::string> matches;
    DIR* const dir = fdopendir(dup(folder));
    if (dir == nullptr) return matches;
    int entries = 0;
    while (const dirent* entry = readdir(dir)) {
      *all = ++entries <= kMaxEntries && matches.size() < kMaxWatched;
      if (!*all) break;
      if (fnmatch(name.c_str(), entry->d_name, 0) == 0) matches.push_back(entry->d_name);
    }
    closedir(dir);
    std::sort(matches.begin(), matches.end());
    return matches;
  }

  void Mark(uint32_t kind, uint32_t pattern, int fd, const std::string& path) {
    struct stat st {};
    struct statfs fs {};
    if (fstat(fd, &st) != 0 || (kind == WatchedFile::kFile && !S_ISREG(st.st_mode))) return;
    if (!seen_.emplace(st.st_dev, st.st_ino).second) return;
    if (told_ == kMaxWatched) return TellTooMany(pattern, path);
    WatchedFile out;
    out.kind = kind;
    out.pattern = pattern;
    const FileId id = FileIdFromStat(st);
    out.device = id.dev;
    out.inode = id.ino;
    path.copy(out.path, sizeof(out.path) - 1);
    if (!Name(fd, fs, &out) || MarkIt(kind == WatchedFile::kFile, fd) != 0) {
      out.problem = errno;
      out.kind = WatchedFile::kUnwatched;
      if (kind == WatchedFile::kFolder) return;
    }
    ++told_;
    tell_(out);
  }

  int MarkIt(bool file, int fd) const {
    return fanotify_mark(file ? groups_.files : groups_.folders, FAN_MARK_ADD, file ? kOfFiles : kOfFolders, own_fds_,
                         absl::StrCat(fd).c_str());
  }

  // Once: by then nobody can say what else there is.
  void TellTooMany(uint32_t pattern, const std::string& path) {
    if (std::exchange(too_many_, true)) return;
    WatchedFile out{.kind = WatchedFile::kUnwatched, .pattern = pattern, .problem = E2BIG};
    path.copy(out.path, sizeof(out.path) - 1);
    tell_(out);
  }

  static bool Name(int fd, struct statfs& fs, WatchedFile* out) {
    alignas(file_handle) char space[sizeof(file_handle) + sizeof(out->handle)] = {};
    auto* handle = reinterpret_cast<file_handle*>(space);
    handle->handle_bytes = sizeof(out->handle);
    int mount = 0;
    if (fstatfs(fd, &fs) != 0) return false;
    if (fs.f_type == kFuse) return errno = EOPNOTSUPP, false;
    if (name_to_handle_at(fd, "", handle, &mount, AT_EMPTY_PATH) != 0) return false;
    static_assert(sizeof(fs.f_fsid) == sizeof(out->fsid));
    std::memcpy(out->fsid, &fs.f_fsid, sizeof(out->fsid));
    out->handle_type = handle->handle_type;
    out->handle_size = handle->handle_bytes;
    std::memcpy(out->handle, handle->f_handle, handle->handle_bytes);
    return true;
  }

  const MarkGroups groups_;
  const int own_fds_;
  absl::FunctionRef<void(const WatchedFile&)> tell_;
  std::set<std::pair<dev_t, ino_t>> seen_;
  size_t told_ = 0;
  bool too_many_ = false;
};

}  // namespace

std::string HomeIn(const std::string& environment) {
  constexpr absl::string_view kName = "HOME=/";
  for (const absl::string_view word : absl::StrSplit(environment, '\0')) {
    if (absl::StartsWith(word, kName)) return std::string(word.substr(kName.size() - 1));
  }
  return "";
}

void WatchFiles(const std::vector<std::string>& patterns, const std::string& home, MarkGroups groups, int own_fds,
                absl::FunctionRef<void(const WatchedFile&)> tell) {
  Watcher watcher(groups, own_fds, tell);
  // What is named comes before what a session can make more of.
  for (const bool globs : {false, true}) {
    for (size_t i = 0; i < patterns.size(); ++i) {
      std::string text = patterns[i];
      if (absl::StartsWith(text, "~/")) text = home.empty() ? "" : absl::StrCat(home == "/" ? "" : home, text.substr(1));
      if (IsGlob(text.substr(text.rfind('/') + 1)) == globs) watcher.Look(static_cast<uint32_t>(i), text);
    }
  }
}

}  // namespace holdpoint::reader
