#include "agent/gate/marked_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

using Added = MarkedFiles::Added;

MarkedFiles::File Named(const std::string& credential) {
  MarkedFiles::File file;
  file.from.set_credential(credential);
  return file;
}

TEST(MarkedFilesTest, IsKnownUntilItIsGone) {
  MarkedFiles files;
  EXPECT_EQ(files.Add("a", Named("token"), {1}), Added::kYes);
  EXPECT_EQ(files.Add("b", Named("other"), {1}), Added::kYes);
  files.Gone("a");
  EXPECT_EQ(files.Find("a"), nullptr);
  ASSERT_NE(files.Find("b"), nullptr);
  EXPECT_EQ(files.Find("b")->from.credential(), "other");
}

TEST(MarkedFilesTest, WhatWasFoundOutlivesTheFile) {
  MarkedFiles files;
  files.Add("a", Named("token"), {1});
  const auto file = files.Find("a");
  files.Gone("a");
  EXPECT_EQ(file->from.credential(), "token");
}

TEST(MarkedFilesTest, IsAsItWasFoundLast) {
  MarkedFiles files(1);
  files.Add("a", Named("token"), {1});
  EXPECT_EQ(files.Add("a", Named("configured since"), {2}), Added::kYes);
  EXPECT_EQ(files.Find("a")->from.credential(), "configured since");
}

// An editor that saves by a new file and a rename, where something keeps the old ones alive.
TEST(MarkedFilesTest, WhatNoLookFindsAnyMoreMakesRoomForWhatIsThere) {
  MarkedFiles files(16);
  files.Add("kept", Named("kept"), {0});
  for (uint64_t save = 1; save <= 100; ++save) {
    files.Add("kept", Named("kept"), {save});
    EXPECT_EQ(files.Add(absl::StrCat("saved ", save), Named("edited"), {save}), save < 16 ? Added::kYes : Added::kForAnother);
    ASSERT_NE(files.Find(absl::StrCat("saved ", save)), nullptr);
  }
  EXPECT_EQ(files.files(), 16u);
  EXPECT_NE(files.Find("kept"), nullptr);
  EXPECT_EQ(files.Find("saved 1"), nullptr);
}

TEST(MarkedFilesTest, WhatTheSameLookFoundIsNotGivenUpForMore) {
  MarkedFiles files(2);
  files.Add("a", Named("a"), {1});
  files.Add("b", Named("b"), {1});
  EXPECT_EQ(files.Add("c", Named("c"), {1}), Added::kNoRoom);
  EXPECT_NE(files.Find("a"), nullptr);
  EXPECT_NE(files.Find("b"), nullptr);
  EXPECT_EQ(files.Find("c"), nullptr);
}

TEST(MarkedFilesTest, FoldersAreOfTheSessionsThatLookIntoThem) {
  MarkedFiles files(1, 2);
  EXPECT_TRUE(files.AddFolder("home", 1));
  EXPECT_TRUE(files.AddFolder("home", 2));
  EXPECT_TRUE(files.AddFolder("place", 1));
  EXPECT_FALSE(files.AddFolder("third", 3));
  EXPECT_THAT(files.Sessions("home"), testing::ElementsAre(1, 2));
  files.SessionEnded(1);
  EXPECT_THAT(files.Sessions("home"), testing::ElementsAre(2));
  EXPECT_THAT(files.Sessions("place"), testing::IsEmpty());
  EXPECT_TRUE(files.AddFolder("third", 3));
}

TEST(MarkedFilesTest, NothingIsLeftWhenItIsCleared) {
  MarkedFiles files;
  files.Add("a", Named("a"), {1});
  files.AddFolder("home", 1);
  EXPECT_FALSE(files.empty());
  files.Clear();
  EXPECT_TRUE(files.empty());
  EXPECT_EQ(files.Find("a"), nullptr);
  EXPECT_THAT(files.Sessions("home"), testing::IsEmpty());
}

}  // namespace
}  // namespace holdpoint
