#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "agent/reader/safe_file.h"
#include "holdpoint/v1/judge.pb.h"

struct git_repository;

// What git knows, by libgit2: no hook, filter program, credential helper or alias is ever run, nothing is written.
// Repositories of another owner are not read (safe.directory of the session's own configuration counts).
// The working tree is compared with HEAD's objects, never with the index alone: assume-unchanged and skip-worktree
// flags, which anybody can set, make nothing clean.
namespace holdpoint::reader {

// libgit2 for this process. `home` and `xdg` are the session's HOME and XDG_CONFIG_HOME, empty where it has none.
class GitFacts {
 public:
  GitFacts(const SafeFiles& files, const std::string& home, const std::string& xdg);
  ~GitFacts();
  GitFacts(const GitFacts&) = delete;
  GitFacts& operator=(const GitFacts&) = delete;

  // The repository around `folder`: what its own files say. Trouble is said in fact->problem.
  void Names(const std::string& folder, v1::GitFact* fact);
  // Its working tree, gone through once: with git_status how many files are not as in HEAD (up to 20,000), with
  // git_changes which (up to 256), and with since_unix_ns when those were born that git does not have.
  void Status(const std::string& folder, const v1::FactsWanted& wanted, v1::GitFact* fact);

  // Fills in repository, ignored, tracked_clean and contains_repository of a path that exists; `fact` has path,
  // resolved and kind. A folder is ignored or clean where everything below it is (up to 5,000 entries, 64 MiB a file);
  // a folder may be clean with ignored files in it.
  void Path(v1::PathFact* fact);

 private:
  struct Free {
    void operator()(git_repository* repository) const;
  };
  using RepositoryPtr = std::unique_ptr<git_repository, Free>;

  // The repository around `folder`, opened once; null with `problem` set where it cannot be, null and empty where
  // there is none.
  git_repository* Around(const std::string& folder, std::string* problem);

  const SafeFiles& files_;
  std::map<std::string, RepositoryPtr> open_;  // by the path of its .git
};

// URL without user and password: "https://token@host/x" is "https://host/x". scp-like "git@host:x" stays.
std::string WithoutCredentials(const std::string& url);

}  // namespace holdpoint::reader
