#include "agent/gate/rollout_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace holdpoint {
namespace {

using testing::HasSubstr;

class RolloutStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/rollout_store_test.XXXXXX";
    folder_ = mkdtemp(name);
    path_ = RolloutPath(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static RolloutStore Filled() {
    RolloutStore store;
    store.Set({"environment", "staging"}, "observe", {"dana", 1'700'000'000});
    store.Set({"rule", "files.rm"}, "off", {"a name with blanks", 7});
    v1::Rollout::Promoted rule;
    rule.set_rule("git.push");
    rule.set_hash("00ff");
    rule.set_effect(v1::EFFECT_DESTROY);
    rule.set_verdict(v1::VERDICT_KILL);
    rule.set_resource("0123456789abcdef");
    rule.add_replaces("git.a");
    rule.add_replaces("git.b");
    store.Promote(rule, {"", 8});
    return store;
  }

  std::string folder_, path_;
};

TEST_F(RolloutStoreTest, WhatIsWrittenIsRead) {
  ASSERT_TRUE(Filled().Write(path_).ok());
  const absl::StatusOr<RolloutStore> read = RolloutStore::Read(path_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->Render(), Filled().Render());
  EXPECT_EQ(read->ForJudge().SerializeAsString(), Filled().ForJudge().SerializeAsString());
  ASSERT_NE(read->Find({"environment", "staging"}), nullptr);
  EXPECT_EQ(read->Find({"environment", "staging"})->stamp.by, "dana");
  EXPECT_EQ(read->Find({"rule", "staging"}), nullptr);
  struct stat st {};
  ASSERT_EQ(stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
}

TEST_F(RolloutStoreTest, NoneIsTheFirstStartAndNoDamage) {
  EXPECT_TRUE(absl::IsNotFound(RolloutStore::Read(path_).status()));
}

TEST_F(RolloutStoreTest, AnythingElseThanWhatWasWrittenIsDamage) {
  const std::string good = Filled().Render();
  ASSERT_TRUE(RolloutStore::Parse("f", good).ok());
  for (size_t size = 0; size + 1 < good.size(); ++size) {
    EXPECT_TRUE(absl::IsDataLoss(RolloutStore::Parse("f", good.substr(0, size)).status())) << size;
  }
  EXPECT_THAT(RolloutStore::Parse("f", absl::StrReplaceAll(good, {{"observe", "obsess"}})).status().message(),
              HasSubstr("f:2:"));
  EXPECT_FALSE(RolloutStore::Parse("f", absl::StrReplaceAll(good, {{" 00ff 6 ", " 00ff 600 "}})).ok());
}

TEST_F(RolloutStoreTest, AWriteThatFailsLeavesTheOneBefore) {
  ASSERT_TRUE(Filled().Write(path_).ok());
  std::filesystem::create_directory(path_ + ".new");
  EXPECT_FALSE(RolloutStore().Write(path_).ok());
  EXPECT_EQ(RolloutStore::Read(path_)->Render(), Filled().Render());
}

TEST_F(RolloutStoreTest, UnsetTakesBackExactlyOne) {
  RolloutStore store = Filled();
  EXPECT_TRUE(store.Unset({"rule", "files.rm"}));
  EXPECT_FALSE(store.Unset({"rule", "files.rm"}));
  EXPECT_EQ(store.ForJudge().overrides_size(), 1);
}

}  // namespace
}  // namespace holdpoint
