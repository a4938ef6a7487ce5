// What came since the session began: with it each milder judgement has a neighbour that stays.
#include "agent/policy/since_start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace holdpoint {
namespace {

constexpr int64_t kStart = 1'000;
constexpr char kRoot[] = "/home/dev/shop";

class SinceStartTest : public testing::Test {
 protected:
  SinceStartTest() {
    session_.set_environment("staging");
    session_.set_workspace(kRoot);
    session_.set_home("/home/dev");
    session_.set_uid(1000);
    session_.set_started_unix_ns(kStart);
    act_.cwd = kRoot;
    act_.home = "/home/dev";
    act_.uid = 1000;
    Git().set_changes_whole(true);
    Start({});
  }

  v1::GitFact& Git() {
    v1::GitFact& git = *facts_.mutable_git();
    git.set_root(kRoot);
    git.set_status_known(true);
    return git;
  }
  void Change(const std::string& path, const std::string& state, int64_t born = 0) {
    v1::GitChange* change = Git().add_changes();
    change->set_path(path);
    change->set_state(state);
    change->set_born_unix_ns(born);
    change->set_own(true);
    if (state == "untracked") Git().set_untracked_files(Git().untracked_files() + 1);
    if (state == "changed") Git().set_dirty(true);
  }
  // What was not in HEAD when the session began, and is there still.
  void Start(const std::vector<std::pair<std::string, std::string>>& entries, bool whole = true) {
    v1::GitFact git;
    git.set_root(kRoot);
    git.set_changes_whole(whole);
    for (const auto& [path, state] : entries) {
      v1::GitChange* change = git.add_changes();
      change->set_path(path);
      change->set_state(state);
    }
    *session_.mutable_start() = StartStateOf(git);
  }
  v1::PathFact& There(const std::string& name, const std::string& kind, int64_t born) {
    const std::string path = name[0] == '/' ? name : std::string(kRoot) + (name.empty() ? "" : "/" + name);
    v1::PathFact& fact = paths_[path];
    fact.set_path(path);
    fact.set_resolved(path);
    fact.set_exists(true);
    fact.set_kind(kind);
    fact.set_born_unix_ns(born);
    fact.set_own(true);
    if (name[0] != '/') fact.set_repository(kRoot);
    return fact;
  }
  v1::Facts Facts() const {
    v1::Facts facts = facts_;
    for (const auto& [path, fact] : paths_) *facts.add_paths() = fact;
    return facts;
  }
  Assessment Path(const std::string& word) {
    const v1::Facts facts = Facts();
    FactBook book(&facts);
    return AssessPath(word, {act_, session_, call_, &book});
  }
  v1::Recoverability Loss(Assessment (*assess)(const AssessmentInput&)) {
    const v1::Facts facts = Facts();
    FactBook book(&facts);
    return assess({act_, session_, call_, &book}).recoverability;
  }
  v1::Recoverability GitPath(const std::string& word) {
    const v1::Facts facts = Facts();
    FactBook book(&facts);
    return AssessGitPath(word, {act_, session_, call_, &book}).recoverability;
  }

  ExecAct act_;
  ToolCall call_;
  v1::SessionContext session_;
  v1::Facts facts_;
  std::map<std::string, v1::PathFact> paths_;
};

constexpr auto kAgain = v1::RECOVERABILITY_REGENERABLE;
constexpr auto kForGood = v1::RECOVERABILITY_IRREVERSIBLE;

TEST_F(SinceStartTest, AFileThatTheSessionMadeCanBeMadeAgain) {
  There("new.txt", "file", kStart + 1);
  EXPECT_EQ(Path("new.txt").recoverability, kAgain);
  EXPECT_TRUE(Path("new.txt").rests_on_start);
  There("out", "directory", kStart + 1);
  EXPECT_EQ(Path("out").recoverability, kAgain);
}

TEST_F(SinceStartTest, WhatWasThereBeforeStays) {
  There("old.txt", "file", kStart);
  EXPECT_EQ(Path("old.txt").recoverability, kForGood);
  There("out", "directory", kStart - 1);  // something in it is older
  EXPECT_EQ(Path("out").recoverability, kForGood);
  There("unknown.txt", "file", 0);
  EXPECT_EQ(Path("unknown.txt").recoverability, kForGood);
  There("other-users", "file", kStart + 1).set_own(false);
  EXPECT_EQ(Path("other-users").recoverability, kForGood);
  There("data", "directory", kStart + 1);  // looks like data
  EXPECT_EQ(Path("data").recoverability, kForGood);
  There("clone", "directory", kStart + 1).set_repository("/home/dev/shop/clone");
  EXPECT_EQ(Path("clone").recoverability, kForGood);
  There("holds", "directory", kStart + 1).set_contains_repository(true);
  EXPECT_EQ(Path("holds").recoverability, kForGood);
  session_.clear_started_unix_ns();
  There("new.txt", "file", kStart + 1);
  EXPECT_EQ(Path("new.txt").recoverability, kForGood) << "nobody knows when the session began";
}

TEST_F(SinceStartTest, AnOldFileThatWasReplacedHasANewBirthAndIsOnTheList) {
  Start({{"notes.txt", "untracked"}, {"drafts/", "untracked"}, {".config/x", "ignored"}});
  There("notes.txt", "file", kStart + 1);
  EXPECT_EQ(Path("notes.txt").recoverability, kForGood);
  There("drafts/one", "file", kStart + 1);
  EXPECT_EQ(Path("drafts/one").recoverability, kForGood);
  There(".config", "directory", kStart + 1);
  EXPECT_EQ(Path(".config").recoverability, kForGood);
  There("new.txt", "file", kStart + 1);
  EXPECT_EQ(Path("new.txt").recoverability, kAgain);
}

TEST_F(SinceStartTest, WithoutAListOnlyANewFolderTells) {
  Start({}, false);
  There("new.txt", "file", kStart + 1);
  There("", "directory", kStart - 1);
  EXPECT_EQ(Path("new.txt").recoverability, kForGood);
  EXPECT_TRUE(Path("new.txt").born_since);
  There("made", "directory", kStart + 1);
  EXPECT_EQ(Path("made").recoverability, kAgain);
  There("made/in", "file", kStart + 1);
  EXPECT_EQ(Path("made/in").recoverability, kAgain);
}

TEST_F(SinceStartTest, OutsideTheWorkspaceANewFolderIsTheSessionsAndNotLocal) {
  There("/srv/made", "directory", kStart + 1);
  EXPECT_EQ(Path("/srv/made").recoverability, kAgain);
  EXPECT_EQ(Path("/srv/made").place, Assessment::Place::kUnknown);
  There("/srv/old", "directory", kStart - 1);
  EXPECT_EQ(Path("/srv/old").recoverability, kForGood);
  There("/srv", "directory", kStart - 1);
  There("/srv/file", "file", kStart + 1);
  EXPECT_EQ(Path("/srv/file").recoverability, kForGood) << "an editor may have replaced an old one";
}

TEST_F(SinceStartTest, UncommittedChangesOfTheSessionAreNoLoss) {
  Change("src/app.c", "changed");
  There("src/app.c", "file", kStart - 1);
  EXPECT_EQ(GitPath("src/app.c"), kAgain);
  EXPECT_EQ(Loss(&AssessWorktree), kAgain);
  Start({{"src/other.c", "changed"}});
  There("src/other.c", "file", kStart - 1);
  EXPECT_EQ(GitPath("src/app.c"), kAgain);
  Change("src/other.c", "changed");
  EXPECT_EQ(GitPath("src/app.c"), kAgain);
  EXPECT_EQ(GitPath("src/other.c"), kForGood);
  EXPECT_EQ(Loss(&AssessWorktree), kForGood);
}

TEST_F(SinceStartTest, ChangesStayWhereTheStartIsNotKnownWhole) {
  Change("src/app.c", "changed");
  There("src/app.c", "file", kStart - 1);
  Start({}, false);
  EXPECT_EQ(GitPath("src/app.c"), kForGood);
  EXPECT_EQ(Loss(&AssessWorktree), kForGood);
  Start({});
  Git().set_changes_whole(false);
  EXPECT_EQ(Loss(&AssessWorktree), kForGood);
  Git().set_changes_whole(true);
  session_.mutable_start()->set_root("/home/dev/other");
  EXPECT_EQ(Loss(&AssessWorktree), kForGood);
}

TEST_F(SinceStartTest, WhatWasUncommittedAndIsGoneMayHaveBeenMovedOverSomething) {
  Start({{"notes.txt", "untracked"}});
  Change("README.md", "changed");
  There("README.md", "file", kStart - 1);
  EXPECT_EQ(GitPath("README.md"), kForGood);
  There("notes.txt", "file", kStart - 1);
  EXPECT_EQ(GitPath("README.md"), kAgain);
}

TEST_F(SinceStartTest, CleaningIsJudgedByWhatItWouldTake) {
  Change("new.txt", "untracked", kStart + 1);
  Change("build/", "ignored", kStart + 1);
  EXPECT_EQ(Loss(&AssessUntracked), kAgain);
  call_.options.push_back({"x", std::nullopt});
  EXPECT_EQ(Loss(&AssessUntracked), kAgain);
  Change(".env", "ignored", kStart - 1);
  EXPECT_EQ(Loss(&AssessUntracked), kForGood);
  call_.options.clear();
  EXPECT_EQ(Loss(&AssessUntracked), kAgain);
  Change("moved/", "untracked", kStart - 1);  // something older was moved into it
  EXPECT_EQ(Loss(&AssessUntracked), kForGood);
}

TEST_F(SinceStartTest, AFolderOfTheSessionsEditsIsStillInGit) {
  There("src", "directory", kStart - 1);
  Change("src/app.c", "changed");
  Change("src/new.c", "untracked", kStart + 1);
  EXPECT_EQ(Path("src").recoverability, v1::RECOVERABILITY_RECOVERABLE);
  Change("src/old.c", "untracked", kStart - 1);
  EXPECT_EQ(Path("src").recoverability, kForGood);
}

}  // namespace
}  // namespace holdpoint
