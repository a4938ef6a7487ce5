#include <fcntl.h>
#include <git2.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>

#include "agent/reader/answer_request.h"
#include "agent/reader/enter.h"
#include "agent/reader/git_facts.h"
#include "agent/reader/path_facts.h"
#include "agent/reader/safe_file.h"

namespace holdpoint::reader {
namespace {

namespace fs = std::filesystem;

class ReaderTest : public testing::Test {
 protected:
  ReaderTest() {
    std::string name = fs::canonical(testing::TempDir()) / "holdpoint-reader-XXXXXX";
    root_ = mkdtemp(name.data());
    own_fds_.reset(open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  ~ReaderTest() override { fs::remove_all(root_); }

  std::string At(const std::string& path) const { return root_ + "/" + path; }
  void Write(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(At(path)).parent_path());
    std::ofstream(At(path)) << text;
  }

  std::string root_;
  UniqueFd own_fds_;
};

// A context file that somebody rewrites: what was read of it is neither the one nor the other.
TEST_F(ReaderTest, AFileThatChangesWhileItIsReadIsUnsteady) {
  const SafeFiles files(own_fds_.get());
  Write("config", std::string(kMaxContentBytes, 'x'));
  const auto unsteady = [&] {
    v1::ContentFact fact;
    ReadContent(files, At("config"), kMaxContentBytes, &fact);
    EXPECT_EQ(fact.problem(), "");
    return fact.unsteady();
  };
  EXPECT_FALSE(unsteady());
  std::atomic<bool> ends = false;
  std::thread writer([&] {
    const UniqueFd file(open(At("config").c_str(), O_WRONLY | O_CLOEXEC));
    for (off_t size = 0; !ends; ++size) {
      if (ftruncate(file.get(), static_cast<off_t>(kMaxContentBytes) - size % 2) != 0) break;
    }
  });
  int tries = 0;
  while (!unsteady() && ++tries < 100'000) sched_yield();
  ends = true;
  writer.join();
  EXPECT_LT(tries, 100'000);
  EXPECT_FALSE(unsteady()) << "at rest again";
}

TEST_F(ReaderTest, OnlyRegularFilesAreEverOpened) {
  const SafeFiles files(own_fds_.get());
  Write("file", "text");
  ASSERT_EQ(mkfifo(At("fifo").c_str(), 0600), 0);
  ASSERT_EQ(symlink("loop", At("loop").c_str()), 0);
  ASSERT_EQ(symlink("fifo", At("to-fifo").c_str()), 0);
  ASSERT_EQ(symlink("file", At("to-file").c_str()), 0);
  const auto problem = [&](const std::string& path) {
    v1::ContentFact fact;
    ReadContent(files, path, 100, &fact);
    return fact.problem();
  };
  EXPECT_EQ(problem(At("file")), "");
  EXPECT_EQ(problem(At("to-file")), "");
  EXPECT_EQ(problem(At("fifo")), "is a FIFO");
  EXPECT_EQ(problem(At("to-fifo")), "is a FIFO");
  EXPECT_EQ(problem(root_), "is a directory");
  EXPECT_EQ(problem("/dev/zero"), "is a device");
  EXPECT_NE(problem(At("loop")), "");
  EXPECT_NE(problem(At("none")), "");
  EXPECT_EQ(problem("relative"), "not an absolute path");
  EXPECT_FALSE(files.OpenRegular(AT_FDCWD, At("to-file"), /*nofollow=*/true, nullptr).ok());
}

TEST_F(ReaderTest, ContentIsBoundedAndSaysSo) {
  Write("file", std::string(100, 'x'));
  v1::ContentFact fact;
  ReadContent(SafeFiles(own_fds_.get()), At("file"), 100, &fact);
  EXPECT_FALSE(fact.cut());
  EXPECT_EQ(fact.content().size(), 100u);
  ReadContent(SafeFiles(own_fds_.get()), At("file"), 99, &fact);
  EXPECT_TRUE(fact.cut());
  EXPECT_EQ(fact.content().size(), 99u);
}

TEST_F(ReaderTest, PathFactsResolveLinksUpToTheParent) {
  Write("real/file", "12345");
  ASSERT_EQ(symlink("real", At("link").c_str()), 0);
  ASSERT_EQ(symlink("file", At("real/last").c_str()), 0);
  const auto describe = [](const std::string& path) {
    v1::PathFact fact;
    DescribePath(path, &fact);
    return fact;
  };
  v1::PathFact fact = describe(At("link/last"));
  EXPECT_EQ(fact.kind(), "link");
  EXPECT_EQ(fact.resolved(), At("real/last"));
  EXPECT_EQ(fact.target(), At("real/file"));
  EXPECT_EQ(describe(At("link/file")).size(), 5u);
  EXPECT_EQ(describe(At("link")).kind(), "link");
  fact = describe(At("link/"));
  EXPECT_EQ(fact.kind(), "directory");
  EXPECT_EQ(fact.resolved(), At("real"));
  EXPECT_EQ(describe(At("real/.")).resolved(), At("real"));
  EXPECT_EQ(describe(At("real/..")).resolved(), root_);
  EXPECT_EQ(describe("/").resolved(), "/");
  EXPECT_EQ(describe("//").kind(), "directory");
  fact = describe(At("none/x"));
  EXPECT_FALSE(fact.exists());
  EXPECT_EQ(fact.problem(), "");
  EXPECT_EQ(describe("x").problem(), "not an absolute path");
  EXPECT_EQ(describe("/" + std::string(5000, 'x')).problem(), "path too long");
}

TEST_F(ReaderTest, Sha256OfAFile) {
  Write("file", "abc");
  UniqueFd fd(open(At("file").c_str(), O_RDONLY));
  EXPECT_EQ(*Sha256OfFile(fd.get(), 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256OfFile(fd.get(), 2).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(ParseStatusTest, RealIdsAndGroups) {
  const auto credentials = ParseStatus("Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t100\t0\t0\t0\nGroups:\t4 27 100 \n");
  ASSERT_TRUE(credentials.ok());
  EXPECT_EQ(credentials->uid, 1000u);
  EXPECT_EQ(credentials->gid, 100u);
  EXPECT_EQ(credentials->groups, (std::vector<gid_t>{4, 27, 100}));
  EXPECT_TRUE(ParseStatus("Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\nGroups:\t\n").ok());
  EXPECT_FALSE(ParseStatus("Uid:\t1\t1\t1\nGid:\t1\t1\t1\t1\nGroups:\n").ok());
  EXPECT_FALSE(ParseStatus("Gid:\t1\t1\t1\t1\nGroups:\n").ok());
}

TEST(PathVariableTest, OnlyAbsolutePaths) {
  const std::string block("AHOME=/x\0HOME=/home/u\0XDG=rel", 30);
  EXPECT_EQ(PathVariable(block, "HOME"), "/home/u");
  EXPECT_EQ(PathVariable(block, "XDG"), "");
  EXPECT_EQ(PathVariable("HOME=/" + std::string(5000, 'x'), "HOME"), "");
}

TEST(WithoutCredentialsTest, Table) {
  EXPECT_EQ(WithoutCredentials("https://user:pass@h.example/x@y"), "https://h.example/x@y");
  EXPECT_EQ(WithoutCredentials("https://token@h.example"), "https://h.example");
  EXPECT_EQ(WithoutCredentials("git@h.example:x/y"), "git@h.example:x/y");
  EXPECT_EQ(WithoutCredentials("/srv/a@b"), "/srv/a@b");
}

class GitTest : public ReaderTest {
 protected:
  GitTest() {
    git_libgit2_init();
    EXPECT_EQ(git_repository_init(&repository_, At("repo").c_str(), 0), 0);
    Write("repo/src/a.txt", "one\n");
    Write("repo/src/b.txt", "two\n");
    Write("repo/.gitignore", "build/\n*.log\n");
    Commit();
    Write("repo/build/out.o", "object");
    Write("repo/src/x.log", "log");
  }
  ~GitTest() override {
    git_repository_free(repository_);
    git_libgit2_shutdown();
  }

  void Commit() {
    git_index* index = nullptr;
    ASSERT_EQ(git_repository_index(&index, repository_), 0);
    git_strarray all = {};
    ASSERT_EQ(git_index_add_all(index, &all, 0, nullptr, nullptr), 0);
    git_oid tree_id, commit_id;
    ASSERT_EQ(git_index_write(index), 0);
    ASSERT_EQ(git_index_write_tree(&tree_id, index), 0);
    git_tree* tree = nullptr;
    ASSERT_EQ(git_tree_lookup(&tree, repository_, &tree_id), 0);
    git_signature* who = nullptr;
    ASSERT_EQ(git_signature_new(&who, "t", "t@example", 1, 0), 0);
    ASSERT_EQ(git_commit_create(&commit_id, repository_, "HEAD", who, who, nullptr, "m", tree, 0, nullptr), 0);
    git_signature_free(who);
    git_tree_free(tree);
    git_index_free(index);
  }

  v1::PathFact Look(const std::string& path) {
    const SafeFiles files(own_fds_.get());
    GitFacts git(files, At("home"), "");
    v1::PathFact fact;
    DescribePath(At(path), &fact);
    git.Path(&fact);
    return fact;
  }
  static v1::FactsWanted StatusWanted() {
    v1::FactsWanted wanted;
    wanted.set_git_status(true);
    return wanted;
  }
  v1::GitFact State(const std::string& folder, const v1::FactsWanted& wanted = StatusWanted()) {
    const SafeFiles files(own_fds_.get());
    GitFacts git(files, At("home"), "");
    v1::GitFact fact;
    git.Names(At(folder), &fact);
    git.Status(At(folder), wanted, &fact);
    return fact;
  }

  git_repository* repository_ = nullptr;
};

TEST_F(GitTest, WhatIsIgnoredAndWhatIsClean) {
  EXPECT_EQ(Look("repo/src").repository(), At("repo"));
  EXPECT_TRUE(Look("repo/build").ignored());
  EXPECT_TRUE(Look("repo/build/out.o").ignored());
  EXPECT_FALSE(Look("repo/build").tracked_clean());
  EXPECT_TRUE(Look("repo/src/a.txt").tracked_clean());
  EXPECT_TRUE(Look("repo/src").tracked_clean()) << "the log in it is ignored";
  EXPECT_FALSE(Look("repo/src").ignored());
  Write("repo/src/new.txt", "x");
  EXPECT_FALSE(Look("repo/src").tracked_clean());
  EXPECT_FALSE(Look("repo/src/new.txt").ignored());
  EXPECT_TRUE(Look("repo/src/a.txt").tracked_clean());
}

TEST_F(GitTest, ChangedFileOfTheSameSizeAndTimeIsNotClean) {
  struct stat st;
  ASSERT_EQ(stat(At("repo/src/a.txt").c_str(), &st), 0);
  Write("repo/src/a.txt", "ONE\n");
  const timespec times[2] = {st.st_atim, st.st_mtim};
  ASSERT_EQ(utimensat(AT_FDCWD, At("repo/src/a.txt").c_str(), times, 0), 0);
  EXPECT_FALSE(Look("repo/src/a.txt").tracked_clean());
  EXPECT_FALSE(Look("repo/src").tracked_clean());
}

// Both contents are among the repository's objects, but neither is that file's.
TEST_F(GitTest, ContentOfAnotherFileIsNotClean) {
  Write("repo/src/a.txt", "two\n");
  EXPECT_FALSE(Look("repo/src/a.txt").tracked_clean());
}

// The flags that hide a change from `git status` are anybody's to set.
TEST_F(GitTest, AssumeUnchangedMakesNothingClean) {
  git_index* index = nullptr;
  ASSERT_EQ(git_repository_index(&index, repository_), 0);
  git_index_entry entry = *git_index_get_bypath(index, "src/a.txt", 0);
  entry.flags |= GIT_INDEX_ENTRY_VALID;
  ASSERT_EQ(git_index_add(index, &entry), 0);
  ASSERT_EQ(git_index_write(index), 0);
  git_index_free(index);
  Write("repo/src/a.txt", "changed and longer\n");
  EXPECT_FALSE(Look("repo/src/a.txt").tracked_clean());
  EXPECT_TRUE(State("repo").dirty());
}

TEST_F(GitTest, ChangesAreNamedOnlyWhereTheyAreAllOfThem) {
  v1::FactsWanted wanted;
  wanted.set_git_changes(true);
  wanted.set_since_unix_ns(1);
  Write("repo/src/a.txt", "changed\n");
  Write("repo/notes/one", "x");
  fs::remove(At("repo/src/b.txt"));
  const v1::GitFact fact = State("repo/src", wanted);
  ASSERT_TRUE(fact.changes_whole());
  std::map<std::string, std::string> states;
  for (const v1::GitChange& change : fact.changes()) {
    states[change.path()] = change.state();
    if (change.state() == "changed") continue;
    EXPECT_GT(change.born_unix_ns(), 1) << change.path();
    EXPECT_TRUE(change.own()) << change.path();
  }
  EXPECT_EQ(states, (std::map<std::string, std::string>{{"src/a.txt", "changed"}, {"src/b.txt", "changed"},
                                                         {"notes/", "untracked"}, {"build/", "ignored"},
                                                         {"src/x.log", "ignored"}}));
  EXPECT_FALSE(fact.status_known()) << "nobody asked";
  EXPECT_EQ(State("repo").changes_size(), 0) << "nobody asked";
  wanted.set_git_status(true);
  const v1::GitFact both = State("repo", wanted);
  EXPECT_TRUE(both.status_known());
  EXPECT_EQ(both.changes_size(), fact.changes_size());
  EXPECT_EQ(both.dirty_files(), 2u);
  EXPECT_EQ(both.untracked_files(), 1u);
  for (int i = 0; i < 300; ++i) Write("repo/n" + std::to_string(i), "x");
  EXPECT_FALSE(State("repo", wanted).changes_whole());
  EXPECT_EQ(State("repo", wanted).changes_size(), 0);
  EXPECT_EQ(State("repo", wanted).untracked_files(), 301u) << "how many is said also where they are too many to name";
}

TEST_F(GitTest, TrackedFileUnderAnIgnoredFolderIsNotIgnored) {
  git_index* index = nullptr;
  ASSERT_EQ(git_repository_index(&index, repository_), 0);
  ASSERT_EQ(git_index_add_bypath(index, "build/out.o"), 0);
  ASSERT_EQ(git_index_write(index), 0);
  git_index_free(index);
  EXPECT_FALSE(Look("repo/build").ignored());
}

TEST_F(GitTest, RootGitFolderAndNestedRepositoriesAreNeverRegenerable) {
  for (const char* path : {"repo", "repo/.git", "repo/.git/HEAD"}) {
    EXPECT_FALSE(Look(path).ignored()) << path;
    EXPECT_FALSE(Look(path).tracked_clean()) << path;
  }
  git_repository* nested = nullptr;
  ASSERT_EQ(git_repository_init(&nested, At("repo/build/worktree").c_str(), 0), 0);
  git_repository_free(nested);
  EXPECT_TRUE(Look("repo/build").contains_repository());
  EXPECT_FALSE(Look("repo/src").contains_repository());
  EXPECT_EQ(Look("repo/build/worktree").repository(), At("repo/build/worktree"));
  EXPECT_FALSE(Look("repo/build/worktree").ignored());
}

TEST_F(GitTest, PathOutsideAnyRepository) {
  Write("plain/x", "x");
  const v1::PathFact fact = Look("plain/x");
  EXPECT_EQ(fact.repository(), "");
  EXPECT_EQ(fact.problem(), "");
}

TEST_F(GitTest, StateOfTheRepository) {
  v1::GitFact fact = State("repo/src");
  EXPECT_EQ(fact.root(), At("repo"));
  EXPECT_EQ(fact.branch(), "master");
  EXPECT_FALSE(fact.dirty());
  EXPECT_FALSE(fact.upstream_in_local_objects());
  EXPECT_EQ(fact.problem(), "");

  git_remote* remote = nullptr;
  ASSERT_EQ(git_remote_create(&remote, repository_, "origin", "https://user:secret@h.example/x.git"), 0);
  git_remote_free(remote);
  git_reference *tip = nullptr, *origin = nullptr, *head = nullptr;
  git_oid id;
  ASSERT_EQ(git_reference_name_to_id(&id, repository_, "HEAD"), 0);
  ASSERT_EQ(git_reference_create(&tip, repository_, "refs/remotes/origin/master", &id, 0, nullptr), 0);
  ASSERT_EQ(git_reference_symbolic_create(&origin, repository_, "refs/remotes/origin/HEAD",
                                          "refs/remotes/origin/master", 0, nullptr),
            0);
  ASSERT_EQ(git_branch_lookup(&head, repository_, "master", GIT_BRANCH_LOCAL), 0);
  ASSERT_EQ(git_branch_set_upstream(head, "origin/master"), 0);
  for (git_reference* reference : {tip, origin, head}) git_reference_free(reference);
  git_config* config = nullptr;
  ASSERT_EQ(git_repository_config(&config, repository_), 0);
  ASSERT_EQ(git_config_set_string(config, "alias.nuke", "!rm -rf ."), 0);
  git_config_free(config);
  Write("home/.gitconfig", "[alias]\n\tst = status\n");
  Write("repo/src/a.txt", "changed\n");
  Write("repo/new", "x");

  fact = State("repo");
  EXPECT_TRUE(fact.dirty());
  EXPECT_EQ(fact.dirty_files(), 1u);
  EXPECT_EQ(fact.untracked_files(), 1u);
  EXPECT_EQ(fact.default_branch(), "master");
  EXPECT_TRUE(fact.upstream_in_local_objects());
  EXPECT_EQ(fact.remotes().at("origin"), "https://h.example/x.git");
  EXPECT_EQ(fact.aliases().at("nuke"), "!rm -rf .");
  EXPECT_EQ(fact.aliases().at("st"), "status");
}

// One bad byte would make the whole answer unreadable.
TEST_F(GitTest, BytesThatAreNoUtf8DoNotSpoilTheAnswer) {
  Write("repo/.git/config", "[alias]\n\tx = \xff\n");
  Write("repo/.git/HEAD", "ref: refs/heads/a\xff\n");
  v1::Facts facts;
  *facts.mutable_git() = State("repo");
  Write("bad\xff/x", "x");
  ASSERT_EQ(symlink("bad\xff", At("link").c_str()), 0);
  *facts.add_paths() = Look("link/x");
  EXPECT_EQ(facts.paths(0).problem(), "leads to a name that is not UTF-8");
  EXPECT_TRUE(v1::Facts().ParseFromString(facts.SerializeAsString()));
}

TEST_F(GitTest, RepositoryWithoutACommit) {
  git_repository* empty = nullptr;
  ASSERT_EQ(git_repository_init(&empty, At("empty").c_str(), 0), 0);
  git_repository_free(empty);
  Write("empty/x", "x");
  EXPECT_EQ(State("empty").branch(), "master");
  EXPECT_FALSE(Look("empty/x").tracked_clean());
  EXPECT_EQ(State("empty").untracked_files(), 1u);
}

TEST_F(GitTest, BrokenRepositoryIsAProblemAndNotAnAnswer) {
  Write("repo/.git/config", "[core\n");
  EXPECT_NE(State("repo").problem(), "");
  const v1::PathFact fact = Look("repo/src/a.txt");
  EXPECT_NE(fact.problem(), "");
  EXPECT_FALSE(fact.tracked_clean());
}

}  // namespace
}  // namespace holdpoint::reader
