#include "agent/reader/watch_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>

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
constexpr uint64_t kOfFiles = FAN_OPEN | FAN_ACCESS | FAN_CLOSE;
constexpr uint64_t kOfFolders = FAN_CREATE | FAN_MOVED_TO;

class Watcher {
 public:
  Watcher(int group, int own_fds, absl::FunctionRef<void(const WatchedFile&)> tell)
      : group_(group), own_fds_(own_fds), tell_(tell) {}

  void Look(uint32_t pattern, const std::string& text) {
    const size_t slash = text.rfind('/');
    if (slash == std::string::npos || text[0] != '/') return;
    const std::string folder = slash == 0 ? "/" : text.substr(0, slash), name = text.substr(slash + 1);
    const UniqueFd at(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC));
    if (!at.ok()) return;
    Mark(WatchedFile::kFolder, pattern, at.get(), folder);
    for (const std::string& match : Matches(at.get(), name)) {
      const UniqueFd file(openat(at.get(), match.c_str(), O_PATH | O_CLOEXEC));
      if (file.ok()) Mark(WatchedFile::kFile, pattern, file.get(), absl::StrCat(folder == "/" ? "" : folder, "/", match));
    }
  }

 private:
  static std::vector<std::string> Matches(int folder, const std::string& name) {
    if (name.find_first_of("*?[") == std::string::npos) return {name};
    std::vector<std::string> matches;
    DIR* const dir = fdopendir(dup(folder));
    if (dir == nullptr) return matches;
    int entries = 0;
    while (const dirent* entry = readdir(dir)) {
      if (++entries > kMaxEntries || matches.size() == kMaxWatched) break;
      if (fnmatch(name.c_str(), entry->d_name, 0) == 0) matches.push_back(entry->d_name);
    }
    closedir(dir);
    std::sort(matches.begin(), matches.end());
    return matches;
  }

  void Mark(uint32_t kind, uint32_t pattern, int fd, const std::string& path) {
    struct stat st {};
    struct statfs fs {};
    if (told_ == kMaxWatched || fstat(fd, &st) != 0 || (kind == WatchedFile::kFile && !S_ISREG(st.st_mode))) return;
    if (!seen_.emplace(st.st_dev, st.st_ino).second) return;
    WatchedFile out;
    out.kind = kind;
    out.pattern = pattern;
    const FileId id = FileIdFromStat(st);
    out.device = id.dev;
    out.inode = id.ino;
    path.copy(out.path, sizeof(out.path) - 1);
    if (!Name(fd, fs, &out) || fanotify_mark(group_, FAN_MARK_ADD, kind == WatchedFile::kFile ? kOfFiles : kOfFolders,
                                             own_fds_, absl::StrCat(fd).c_str()) != 0) {
      out.problem = errno;
      out.kind = WatchedFile::kUnwatched;
      if (kind == WatchedFile::kFolder) return;
    }
    ++told_;
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

  const int group_, own_fds_;
  absl::FunctionRef<void(const WatchedFile&)> tell_;
  std::set<std::pair<dev_t, ino_t>> seen_;
  size_t told_ = 0;
};

}  // namespace

std::string HomeIn(const std::string& environment) {
  constexpr absl::string_view kName = "HOME=/";
  for (const absl::string_view word : absl::StrSplit(environment, '\0')) {
    if (absl::StartsWith(word, kName)) return std::string(word.substr(kName.size() - 1));
  }
  return "";
}

void WatchFiles(const std::vector<std::string>& patterns, const std::string& home, int group, int own_fds,
                absl::FunctionRef<void(const WatchedFile&)> tell) {
  Watcher watcher(group, own_fds, tell);
  for (size_t i = 0; i < patterns.size(); ++i) {
    std::string text = patterns[i];
    if (absl::StartsWith(text, "~/")) text = home.empty() ? "" : absl::StrCat(home == "/" ? "" : home, text.substr(1));
    watcher.Look(static_cast<uint32_t>(i), text);
  }
}

}  // namespace holdpoint::reader
