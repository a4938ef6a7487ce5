#include "agent/base/file_id.h"

#include <fcntl.h>

#include "gtest/gtest.h"

namespace holdpoint {
namespace {

// What the kernel has in memory of a local file is what stat(2) says of it.
TEST(CachedStatTest, SaysWhatStatSays) {
  for (const char* path : {"/", "/proc/self/exe", "/dev/null", "/dev/tty"}) {
    struct stat wanted {};
    ASSERT_EQ(stat(path, &wanted), 0) << path;
    const absl::StatusOr<struct stat> got = CachedStat(AT_FDCWD, path);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->st_dev, wanted.st_dev) << path;
    EXPECT_EQ(got->st_ino, wanted.st_ino) << path;
    EXPECT_EQ(got->st_mode, wanted.st_mode) << path;
    EXPECT_EQ(got->st_nlink, wanted.st_nlink) << path;
    EXPECT_EQ(got->st_uid, wanted.st_uid) << path;
    EXPECT_EQ(got->st_gid, wanted.st_gid) << path;
    EXPECT_EQ(got->st_rdev, wanted.st_rdev) << path;
    EXPECT_EQ(got->st_size, wanted.st_size) << path;
    EXPECT_EQ(FileIdFromStat(*got), FileIdFromStat(wanted)) << path;
  }
}

TEST(CachedStatTest, WhatIsNotThereIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(CachedStat(AT_FDCWD, "/proc/self/none").status()));
}

}  // namespace
}  // namespace holdpoint
