#include "agent/reader/births.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace holdpoint::reader {
namespace {

namespace fs = std::filesystem;

class BirthsTest : public testing::Test {
 protected:
  BirthsTest() {
    std::string name = fs::canonical(testing::TempDir()) / "holdpoint-births-XXXXXX";
    root_ = mkdtemp(name.data());
  }
  ~BirthsTest() override { fs::remove_all(root_); }

  std::string Make(const std::string& name) {
    const std::string path = root_ + "/" + name;
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << "x";
    return path;
  }
  static int64_t Born(const std::string& path) { return BirthsIn(path, geteuid()).oldest_unix_ns; }
  // Files made from here on are born later than `path`: the clock of file systems goes in steps.
  void UntilLaterThan(const std::string& path) {
    for (int64_t later = 0; later <= Born(path);) {
      fs::remove(root_ + "/tick");
      later = Born(Make("tick"));
    }
  }

  std::string root_;
};

TEST_F(BirthsTest, NothingThatIsCheapMakesAFileYounger) {
  const std::string old = Make("old");
  const int64_t born = Born(old);
  ASSERT_GT(born, 0);
  UntilLaterThan(old);
  const timespec times[2] = {{4'000'000'000, 0}, {4'000'000'000, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, old.c_str(), times, 0), 0);
  std::ofstream(old, std::ios::trunc) << "other content";
  EXPECT_EQ(Born(old), born);
  fs::create_directories(root_ + "/new");
  fs::rename(old, root_ + "/new/moved");
  EXPECT_EQ(Born(root_ + "/new/moved"), born);
  EXPECT_EQ(Born(root_ + "/new"), born) << "a folder is as old as the oldest in it";
  fs::create_hard_link(root_ + "/new/moved", root_ + "/linked");
  EXPECT_EQ(Born(root_ + "/linked"), born);
  fs::copy_file(root_ + "/linked", root_ + "/copied");
  EXPECT_GT(Born(root_ + "/copied"), born);
}

TEST_F(BirthsTest, TheFirstOldEntryIsEnough) {
  const std::string old = Make("folder/old");
  UntilLaterThan(old);
  for (int i = 0; i < kMaxTreeEntries + 1; ++i) {
    close(open((root_ + "/folder/" + std::to_string(i)).c_str(), O_CREAT | O_WRONLY, 0600));
  }
  EXPECT_EQ(Born(root_ + "/folder"), 0) << "too many to look at each";
  const Births births = BirthsIn(root_ + "/folder", geteuid(), Born(old));
  EXPECT_GT(births.oldest_unix_ns, 0);
  EXPECT_LE(births.oldest_unix_ns, Born(old));
}

TEST_F(BirthsTest, AFolderIsOwnWhereAllOfItIs) {
  Make("folder/a/b");
  EXPECT_TRUE(BirthsIn(root_ + "/folder", geteuid()).own);
  EXPECT_FALSE(BirthsIn(root_ + "/folder", geteuid() + 1).own);
}

TEST_F(BirthsTest, WhatCannotBeKnownIsNotKnown) {
  EXPECT_EQ(Born(root_ + "/none"), 0);
  EXPECT_EQ(Born("/proc/self/status"), 0) << "a file system whose births mean nothing";
  EXPECT_EQ(Born("/sys/kernel"), 0);
  EXPECT_EQ(Born("/dev"), 0) << "other file systems are mounted below it";
  for (int i = 0; i < kMaxTreeEntries + 1; ++i) close(open((root_ + "/" + std::to_string(i)).c_str(), O_CREAT | O_WRONLY, 0600));
  EXPECT_EQ(Born(root_), 0);
}

TEST_F(BirthsTest, ALinkIsNotFollowed) {
  const std::string old = Make("old");
  UntilLaterThan(old);
  fs::create_directories(root_ + "/new");
  fs::create_symlink(root_ + "/old", root_ + "/new/link");
  EXPECT_GT(Born(root_ + "/new"), Born(old));
  EXPECT_GT(Born(root_ + "/new/link"), Born(old));
}

TEST_F(BirthsTest, ATreeSaysWhenAnythingInItChanged) {
  const std::string file = Make("tree/a");
  v1::TreeFact before, after, none;
  DescribeTree(root_ + "/tree", &before);
  EXPECT_TRUE(before.exists());
  EXPECT_EQ(before.problem(), "");
  EXPECT_EQ(before.only_root_writes(), geteuid() == 0);
  UntilLaterThan(file);
  const timespec times[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, file.c_str(), times, 0), 0);  // sets the others back, and is a change
  chmod(file.c_str(), 0666);
  DescribeTree(root_ + "/tree", &after);
  EXPECT_GT(after.changed_unix_ns(), before.changed_unix_ns());
  EXPECT_FALSE(after.only_root_writes());
  DescribeTree(root_ + "/none", &none);
  EXPECT_FALSE(none.exists());
  EXPECT_EQ(none.problem(), "");
}

}  // namespace
}  // namespace holdpoint::reader
