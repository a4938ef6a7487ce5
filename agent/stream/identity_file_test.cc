#include "agent/stream/identity_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace holdpoint {
namespace {

using ::testing::HasSubstr;

class IdentityFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/holdpoint-identity-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
    path_ = folder_ + "/key";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(size_t bytes, mode_t mode) {
    std::ofstream(path_) << std::string(bytes, 'k');
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
  }

  std::string folder_, path_;
};

TEST_F(IdentityFileTest, IsReadWholeUpToItsBound) {
  Write(1024 * 1024, 0600);
  const auto bytes = ReadIdentityFile(path_, true);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_EQ(bytes->size(), 1024u * 1024);
  Write(1024 * 1024 + 1, 0600);
  EXPECT_THAT(ReadIdentityFile(path_, true).status().message(), HasSubstr("larger than 1 MiB"));
  Write(0, 0600);
  EXPECT_THAT(ReadIdentityFile(path_, true).status().message(), HasSubstr("empty"));
}

TEST_F(IdentityFileTest, OnlyASecretOneIsItsOwnersAlone) {
  for (const mode_t mode : {0640, 0604, 0620, 0601}) {
    Write(1, mode);
    EXPECT_EQ(ReadIdentityFile(path_, true).status().code(), absl::StatusCode::kFailedPrecondition) << mode;
    EXPECT_TRUE(ReadIdentityFile(path_, false).ok()) << mode;
  }
}

TEST_F(IdentityFileTest, WhatIsNoFileIsNotWaitedFor) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(ReadIdentityFile(path_, true).status().message(), HasSubstr("not a file"));
  EXPECT_THAT(ReadIdentityFile("/dev/zero", false).status().message(), HasSubstr("not a file"));
  EXPECT_THAT(ReadIdentityFile(folder_, false).status().message(), HasSubstr("not a file"));
  EXPECT_EQ(ReadIdentityFile(folder_ + "/gone", true).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace holdpoint
