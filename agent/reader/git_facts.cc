#include "agent/reader/git_facts.h"

#include <git2.h>
#include <sys/resource.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/base/escape.h"
#include "agent/base/utf8.h"
#include "agent/reader/births.h"
#include "agent/reader/git_tree.h"

namespace holdpoint::reader {
namespace {

constexpr int kMaxStatusEntries = 20'000;
constexpr int kMaxNames = 256;
constexpr int kMaxChanges = 256;
constexpr size_t kMaxText = 4096;

template <typename T, void (*kFree)(T*)>
struct Freed {
  void operator()(T* object) const { kFree(object); }
};
using ReferencePtr = std::unique_ptr<git_reference, Freed<git_reference, git_reference_free>>;
using ConfigPtr = std::unique_ptr<git_config, Freed<git_config, git_config_free>>;
using IteratorPtr = std::unique_ptr<git_config_iterator, Freed<git_config_iterator, git_config_iterator_free>>;
using RemotePtr = std::unique_ptr<git_remote, Freed<git_remote, git_remote_free>>;
using OdbPtr = std::unique_ptr<git_odb, Freed<git_odb, git_odb_free>>;

std::string LastError() {
  const git_error* const error = git_error_last();
  return absl::StrCat("git: ", error == nullptr ? "failed" : EscapeAndClip(error->message, 200));
}

// What a repository says, fit for a message: bounded, and without the one bad byte that makes all of it unreadable.
std::string Text(absl::string_view text) { return ToValidUtf8(text.substr(0, kMaxText)); }

std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string Folder(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

// `folder` where its file can be read, else empty: libgit2 gives up on a home that is somebody else's, git does not.
std::string Readable(const std::string& folder, const std::string& file) {
  return !folder.empty() && access((folder + file).c_str(), R_OK) == 0 ? folder : "";
}

// Without a descriptor to spare: libgit2 would read every certificate authority of the session's file system, for servers
// that nobody here speaks to. That takes longer than all the rest, and is one more parser for what a session wrote.
void InitialiseLibrary() {
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  git_libgit2_init();
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Where HEAD points to, also before the first commit.
void SetBranch(git_repository* repository, v1::GitFact* fact) {
  git_reference* raw = nullptr;
  if (git_reference_lookup(&raw, repository, "HEAD") != 0) return;
  const ReferencePtr head(raw);
  const char* const target = git_reference_symbolic_target(head.get());
  if (target != nullptr) fact->set_branch(Text(absl::StripPrefix(target, "refs/heads/")));
}

void SetDefaultBranch(git_repository* repository, v1::GitFact* fact) {
  git_reference* raw = nullptr;
  if (git_reference_lookup(&raw, repository, "refs/remotes/origin/HEAD") != 0) return;
  const ReferencePtr head(raw);
  const char* const target = git_reference_symbolic_target(head.get());
  if (target != nullptr) fact->set_default_branch(Text(absl::StripPrefix(target, "refs/remotes/origin/")));
}

// The branch's remote-tracking reference has its commit here: what a forced push overwrites still exists.
bool UpstreamIsHere(git_repository* repository, const std::string& branch) {
  if (branch.empty()) return false;
  git_buf name = GIT_BUF_INIT;
  if (git_branch_upstream_name(&name, repository, absl::StrCat("refs/heads/", branch).c_str()) != 0) return false;
  const std::string upstream(name.ptr, name.size);
  git_buf_dispose(&name);
  git_oid id;
  if (git_reference_name_to_id(&id, repository, upstream.c_str()) != 0) return false;
  git_odb* raw = nullptr;
  if (git_repository_odb(&raw, repository) != 0) return false;
  const OdbPtr odb(raw);
  return git_odb_exists(odb.get(), &id) == 1;
}

void SetRemotes(git_repository* repository, v1::GitFact* fact) {
  git_strarray names = {};
  if (git_remote_list(&names, repository) != 0) return;
  for (size_t i = 0; i < names.count && fact->remotes_size() < kMaxNames; ++i) {
    git_remote* raw = nullptr;
    if (git_remote_lookup(&raw, repository, names.strings[i]) != 0) continue;
    const RemotePtr remote(raw);
    const std::string name = Text(names.strings[i]);
    if (const char* const url = git_remote_url(remote.get()); url != nullptr) {
      (*fact->mutable_remotes())[name] = Text(WithoutCredentials(url));
    }
    if (const char* const url = git_remote_pushurl(remote.get()); url != nullptr) {
      (*fact->mutable_remotes())[absl::StrCat(name, " (push)")] = Text(WithoutCredentials(url));
    }
  }
  git_strarray_dispose(&names);
}

void SetAliases(git_repository* repository, v1::GitFact* fact) {
  git_config* raw = nullptr;
  if (git_repository_config(&raw, repository) != 0) return;
  const ConfigPtr config(raw);
  git_config_iterator* raw_iterator = nullptr;
  if (git_config_iterator_glob_new(&raw_iterator, config.get(), "^alias\\..*") != 0) return;
  const IteratorPtr iterator(raw_iterator);
  git_config_entry* entry = nullptr;
  while (fact->aliases_size() < kMaxNames && git_config_next(&entry, iterator.get()) == 0) {
    (*fact->mutable_aliases())[Text(absl::StripPrefix(entry->name, "alias."))] =
        entry->value == nullptr ? "" : Text(entry->value);
  }
}

bool IsTrackedChange(unsigned int flags) {
  return (flags & (GIT_STATUS_INDEX_NEW | GIT_STATUS_INDEX_MODIFIED | GIT_STATUS_INDEX_DELETED |
                   GIT_STATUS_INDEX_RENAMED | GIT_STATUS_INDEX_TYPECHANGE | GIT_STATUS_WT_MODIFIED |
                   GIT_STATUS_WT_DELETED | GIT_STATUS_WT_TYPECHANGE | GIT_STATUS_WT_RENAMED)) != 0;
}

// What one walk through a working tree fills in.
struct StatusWalk {
  v1::GitFact* fact;
  std::string root;  // with a slash at its end
  int64_t since = 0;
  bool counts = false;
  bool names = false;  // until there is one that cannot be named, or too many
};

void Count(unsigned int flags, v1::GitFact* fact) {
  if ((flags & GIT_STATUS_IGNORED) != 0) return;
  if ((flags & GIT_STATUS_WT_NEW) != 0) {
    fact->set_untracked_files(fact->untracked_files() + 1);
  } else {
    fact->set_dirty(true);
    fact->set_dirty_files(fact->dirty_files() + 1);
  }
}

bool Name(const char* path, unsigned int flags, const StatusWalk& walk) {
  const bool unreadable = (flags & (GIT_STATUS_WT_UNREADABLE | GIT_STATUS_CONFLICTED)) != 0;
  if (unreadable || !IsValidUtf8(path) || walk.fact->changes_size() >= kMaxChanges) return false;
  v1::GitChange* const change = walk.fact->add_changes();
  change->set_path(path);
  change->set_state(IsTrackedChange(flags) ? "changed" : (flags & GIT_STATUS_IGNORED) != 0 ? "ignored" : "untracked");
  if (change->state() == "changed" || walk.since <= 0) return true;
  const Births births = BirthsIn(WithoutSlash(walk.root + path), geteuid(), walk.since);
  change->set_born_unix_ns(births.oldest_unix_ns);
  change->set_own(births.own);
  return true;
}

int NoteEntry(const char* path, unsigned int flags, void* payload) {
  auto* const walk = static_cast<StatusWalk*>(payload);
  if (walk->names) walk->names = Name(path, flags, *walk);
  if (walk->counts) {
    Count(flags, walk->fact);
    walk->counts = walk->fact->untracked_files() + walk->fact->dirty_files() < kMaxStatusEntries;
  }
  return walk->names || walk->counts ? 0 : 1;
}

}  // namespace

std::string WithoutCredentials(const std::string& url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  const size_t begin = scheme + 3;
  const size_t end = std::min(url.find('/', begin), url.size());
  const size_t at = url.substr(begin, end - begin).rfind('@');
  return at == std::string::npos ? url : url.substr(0, begin) + url.substr(begin + at + 1);
}

void GitFacts::Free::operator()(git_repository* repository) const { git_repository_free(repository); }

GitFacts::GitFacts(const SafeFiles& files, const std::string& home, const std::string& xdg) : files_(files) {
  InitialiseLibrary();
  git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 1);
  git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, size_t{32} << 20);
  git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, size_t{256} << 20);
  git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_SYSTEM, "/etc");
  git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_PROGRAMDATA, "");
  git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_GLOBAL, Readable(home, "/.gitconfig").c_str());
  const std::string config = !xdg.empty() ? xdg + "/git" : home.empty() ? "" : home + "/.config/git";
  git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_XDG, Readable(config, "/config").c_str());
}

GitFacts::~GitFacts() {
  open_.clear();
  git_libgit2_shutdown();
}

git_repository* GitFacts::Around(const std::string& folder, std::string* problem) {
  problem->clear();
  git_buf found = GIT_BUF_INIT;
  const int discovered = git_repository_discover(&found, folder.c_str(), /*across_fs=*/0, nullptr);
  if (discovered == GIT_ENOTFOUND) return nullptr;
  if (discovered != 0) {
    *problem = LastError();
    return nullptr;
  }
  const std::string place(found.ptr, found.size);
  git_buf_dispose(&found);
  if (const auto known = open_.find(place); known != open_.end()) return known->second.get();
  git_repository* raw = nullptr;
  if (git_repository_open_ext(&raw, place.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr) != 0) {
    *problem = LastError();
    return nullptr;
  }
  return open_.emplace(place, RepositoryPtr(raw)).first->second.get();
}

void GitFacts::Names(const std::string& folder, v1::GitFact* fact) {
  std::string problem;
  git_repository* const repository = Around(folder, &problem);
  fact->set_problem(problem);
  if (repository == nullptr) return;
  const char* const root = git_repository_workdir(repository);
  if (root != nullptr) fact->set_root(Text(WithoutSlash(root)));
  SetBranch(repository, fact);
  SetDefaultBranch(repository, fact);
  fact->set_upstream_in_local_objects(UpstreamIsHere(repository, fact->branch()));
  SetRemotes(repository, fact);
  SetAliases(repository, fact);
}

void GitFacts::Status(const std::string& folder, const v1::FactsWanted& wanted, v1::GitFact* fact) {
  std::string problem;
  git_repository* const repository = Around(folder, &problem);
  if (repository == nullptr || git_repository_workdir(repository) == nullptr) return;
  git_status_options options = GIT_STATUS_OPTIONS_INIT;
  options.show = GIT_STATUS_SHOW_INDEX_AND_WORKDIR;
  options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_EXCLUDE_SUBMODULES |
                  (wanted.git_changes() ? GIT_STATUS_OPT_INCLUDE_IGNORED : 0);
  StatusWalk walk{.fact = fact,
                  .root = git_repository_workdir(repository),
                  .since = wanted.since_unix_ns(),
                  .counts = wanted.git_status(),
                  .names = wanted.git_changes()};
  fact->set_status_known(wanted.git_status());
  if (git_status_foreach_ext(repository, &options, NoteEntry, &walk) < 0) {
    fact->set_problem(LastError());
    fact->set_dirty(true);  // Not known to be clean.
    fact->clear_changes();
    return;
  }
  // Flags that hide a change from status: a tree that has them is not known to be clean, nor any list of it whole.
  const bool hides = HasHiddenChanges(repository);
  if (wanted.git_status() && hides && !fact->dirty()) {
    fact->set_dirty(true);
    fact->set_problem("git: files are marked assume-unchanged or skip-worktree");
  }
  fact->set_changes_whole(walk.names && !hides);
  if (!fact->changes_whole()) fact->clear_changes();
}

void GitFacts::Path(v1::PathFact* fact) {
  const bool is_folder = fact->kind() == "directory";
  const std::string place = fact->resolved().empty() ? fact->path() : fact->resolved();
  std::string problem;
  git_repository* const repository = Around(is_folder ? place : Folder(place), &problem);
  if (!problem.empty()) fact->set_problem(problem);
  if (is_folder) fact->set_contains_repository(ContainsRepository(place));
  if (repository == nullptr || git_repository_workdir(repository) == nullptr) return;
  const std::string root = WithoutSlash(git_repository_workdir(repository));
  fact->set_repository(Text(root));
  // The root itself and .git are never clean or ignored.
  if (!absl::StartsWith(place, root == "/" ? root : root + "/")) return;
  const std::string below = place.substr(root == "/" ? 1 : root.size() + 1);
  if (below.empty() || below == ".git" || absl::StartsWith(below, ".git/")) return;
  const TreeState state = CompareWithHead(repository, files_, root, below, is_folder);
  fact->set_ignored(state.ignored);
  fact->set_tracked_clean(state.tracked_clean);
  if (!state.problem.empty()) fact->set_problem(state.problem);
}

}  // namespace holdpoint::reader
