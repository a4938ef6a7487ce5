#include "agent/reader/git_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <git2.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"

namespace holdpoint::reader {
namespace {

constexpr int kMaxEntries = 5'000;
constexpr size_t kMaxFile = 64 << 20;
constexpr uint64_t kMaxTotal = 512 << 20;
constexpr int kMaxSearchDepth = 3;
constexpr int kMaxSearchFolders = 2'000;

template <typename T, void (*kFree)(T*)>
struct Freed {
  void operator()(T* object) const { kFree(object); }
};
using TreePtr = std::unique_ptr<git_tree, Freed<git_tree, git_tree_free>>;
using EntryPtr = std::unique_ptr<git_tree_entry, Freed<git_tree_entry, git_tree_entry_free>>;
using IndexPtr = std::unique_ptr<git_index, Freed<git_index, git_index_free>>;
using OdbPtr = std::unique_ptr<git_odb, Freed<git_odb, git_odb_free>>;

struct DirClose {
  void operator()(DIR* dir) const { closedir(dir); }
};
using DirPtr = std::unique_ptr<DIR, DirClose>;

DirPtr OpenFolder(int at, const std::string& path) {
  const int fd = openat(at, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return nullptr;
  DirPtr dir(fdopendir(fd));
  if (dir == nullptr) close(fd);
  return dir;
}

bool IsDots(const char* name) { return std::string_view(name) == "." || std::string_view(name) == ".."; }

TreePtr HeadTree(git_repository* repository) {
  git_object* object = nullptr;
  if (git_revparse_single(&object, repository, "HEAD^{tree}") != 0) return nullptr;
  return TreePtr(reinterpret_cast<git_tree*>(object));
}

// Walks one path of the working tree and stops at the first file that is neither ignored nor as in HEAD.
class Walk {
 public:
  Walk(git_repository* repository, const SafeFiles& files, const std::string& root)
      : repository_(repository), files_(files), root_(root), head_(HeadTree(repository)) {
    git_index* index = nullptr;
    if (git_repository_index(&index, repository) == 0) index_.reset(index);
    git_odb* odb = nullptr;
    if (git_repository_odb(&odb, repository) == 0) odb_.reset(odb);
  }

  TreeState Run(const std::string& below, bool is_folder) {
    if (index_ == nullptr || odb_ == nullptr) return {false, false, "git: the index or the objects cannot be read"};
    const bool good = is_folder ? Visit(below) : Leaf(below);
    TreeState state;
    state.ignored = good && ignored_ > 0 && tracked_ == 0;
    state.tracked_clean = good && tracked_ > 0;
    state.problem = problem_;
    return state;
  }

 private:
  bool IsTracked(const std::string& below, bool is_folder) const {
    size_t position = 0;
    const std::string prefix = is_folder ? below + "/" : below;
    if (is_folder ? git_index_find_prefix(&position, index_.get(), prefix.c_str()) == 0
                  : git_index_get_bypath(index_.get(), below.c_str(), 0) != nullptr) {
      return true;
    }
    git_tree_entry* entry = nullptr;
    if (head_ == nullptr || git_tree_entry_bypath(&entry, head_.get(), below.c_str()) != 0) return false;
    git_tree_entry_free(entry);
    return true;
  }

  bool IsIgnored(const std::string& below, bool is_folder) const {
    int ignored = 0;
    const std::string path = is_folder ? below + "/" : below;
    return git_ignore_path_is_ignored(&ignored, repository_, path.c_str()) == 0 && ignored == 1;
  }

  // False: something here is neither ignored nor safe in HEAD, or it is not known.
  bool Visit(const std::string& below) {
    if (!IsTracked(below, true) && IsIgnored(below, true)) {
      ++ignored_;
      return true;
    }
    const DirPtr dir = OpenFolder(AT_FDCWD, root_ + "/" + below);
    if (dir == nullptr) return Fail("a folder cannot be read");
    std::vector<std::pair<std::string, bool>> entries;
    for (errno = 0; const dirent* entry = readdir(dir.get()); errno = 0) {
      if (IsDots(entry->d_name)) continue;
      if (std::string_view(entry->d_name) == ".git") return false;  // Another repository.
      if (++seen_ > kMaxEntries) return Fail(absl::StrCat("more than ", kMaxEntries, " entries"));
      struct stat st;
      if (fstatat(dirfd(dir.get()), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) return Fail("an entry went away");
      entries.emplace_back(absl::StrCat(below, "/", entry->d_name), S_ISDIR(st.st_mode));
    }
    if (errno != 0) return Fail("a folder cannot be read");
    for (const auto& [path, is_folder] : entries) {
      if (!(is_folder ? Visit(path) : Leaf(path))) return false;
    }
    return true;
  }

  bool Leaf(const std::string& below) {
    if (!IsTracked(below, false)) {
      if (!IsIgnored(below, false)) return false;
      ++ignored_;
      return true;
    }
    git_tree_entry* raw = nullptr;
    if (head_ == nullptr || git_tree_entry_bypath(&raw, head_.get(), below.c_str()) != 0) return false;
    const EntryPtr entry(raw);
    std::string bytes;
    if (!ReadLeaf(below, git_tree_entry_filemode(entry.get()) == GIT_FILEMODE_LINK, &bytes)) return false;
    git_oid id;
    if (git_odb_hash(&id, bytes.data(), bytes.size(), GIT_OBJECT_BLOB) != 0) return Fail("hashing");
    if (git_oid_equal(&id, git_tree_entry_id(entry.get())) == 0 || git_odb_exists(odb_.get(), &id) != 1) return false;
    ++tracked_;
    return true;
  }

  bool ReadLeaf(const std::string& below, bool link, std::string* bytes) {
    const std::string path = root_ + "/" + below;
    if (link) {
      bytes->resize(4096);
      const ssize_t size = readlink(path.c_str(), bytes->data(), bytes->size());
      if (size < 0) return false;
      bytes->resize(static_cast<size_t>(size));
      return true;
    }
    struct stat st;
    absl::StatusOr<UniqueFd> fd = files_.OpenRegular(AT_FDCWD, path, /*nofollow=*/true, &st);
    if (!fd.ok()) return false;
    read_ += static_cast<uint64_t>(st.st_size);
    if (static_cast<uint64_t>(st.st_size) > kMaxFile || read_ > kMaxTotal) return Fail("too large to compare");
    absl::StatusOr<Content> content = ReadBounded(fd->get(), kMaxFile);
    if (!content.ok() || content->cut) return false;
    *bytes = std::move(content->bytes);
    return true;
  }

  bool Fail(const std::string& why) {
    problem_ = absl::StrCat("git: not compared: ", why);
    return false;
  }

  git_repository* const repository_;
  const SafeFiles& files_;
  const std::string root_;
  const TreePtr head_;
  IndexPtr index_;
  OdbPtr odb_;
  int seen_ = 0;
  int ignored_ = 0;
  int tracked_ = 0;
  uint64_t read_ = 0;
  std::string problem_;
};

bool Search(int at, const std::string& name, int depth, int* folders) {
  const DirPtr dir = OpenFolder(at, name);
  if (dir == nullptr) return false;
  std::vector<std::string> below;
  while (const dirent* entry = readdir(dir.get())) {
    if (IsDots(entry->d_name)) continue;
    if (std::string_view(entry->d_name) == ".git") {
      if (depth > 0) return true;
      continue;
    }
    if (entry->d_type == DT_DIR && static_cast<int>(below.size()) < kMaxSearchFolders) below.push_back(entry->d_name);
  }
  if (depth >= kMaxSearchDepth) return false;
  for (const std::string& folder : below) {
    if (++*folders > kMaxSearchFolders) return false;
    if (Search(dirfd(dir.get()), folder, depth + 1, folders)) return true;
  }
  return false;
}

}  // namespace

TreeState CompareWithHead(git_repository* repository, const SafeFiles& files, const std::string& root,
                          const std::string& below, bool is_folder) {
  return Walk(repository, files, root == "/" ? "" : root).Run(below, is_folder);
}

bool ContainsRepository(const std::string& folder) {
  int folders = 0;
  return Search(AT_FDCWD, folder, 0, &folders);
}

bool HasHiddenChanges(git_repository* repository) {
  git_index* raw = nullptr;
  if (git_repository_index(&raw, repository) != 0) return true;
  const IndexPtr index(raw);
  const size_t count = git_index_entrycount(index.get());
  for (size_t i = 0; i < count; ++i) {
    const git_index_entry* const entry = git_index_get_byindex(index.get(), i);
    if ((entry->flags & GIT_INDEX_ENTRY_VALID) != 0 || (entry->flags_extended & GIT_INDEX_ENTRY_SKIP_WORKTREE) != 0) {
      return true;
    }
  }
  return false;
}

}  // namespace holdpoint::reader
