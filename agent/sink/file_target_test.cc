#include "agent/sink/file_target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace holdpoint {
namespace {

namespace fs = std::filesystem;

class FileTargetTest : public testing::Test {
 protected:
  FileTargetTest() {
    char name[] = "/tmp/holdpoint-file-XXXXXX";
    dir_ = mkdtemp(name);
    path_ = dir_ + "/events";
  }
  ~FileTargetTest() override { fs::remove_all(dir_); }

  std::unique_ptr<FileTarget> Open() {
    auto target = FileTarget::Open(path_, getuid());
    EXPECT_TRUE(target.ok()) << target.status();
    return target.ok() ? *std::move(target) : nullptr;
  }
  static std::string Slurp(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string dir_, path_;
};

TEST_F(FileTargetTest, AppendsALineForEach) {
  size_t taken = 0;
  ASSERT_TRUE(Open()->Write({{.text = "one"}, {.text = "two"}}, &taken).ok());
  EXPECT_EQ(taken, 2u);
  const auto again = Open();
  ASSERT_TRUE(again->Write({{.text = "three"}}, &taken).ok());
  ASSERT_TRUE(again->Sync().ok());
  EXPECT_EQ(Slurp(path_), "one\ntwo\nthree\n");
  struct stat st {};
  ASSERT_EQ(stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0137, 0u) << "others may read it";
}

TEST_F(FileTargetTest, WhatACrashLeftIsEndedFirst) {
  std::ofstream(path_) << "one\nha";
  size_t taken = 0;
  ASSERT_TRUE(Open()->Write({{.text = "two"}}, &taken).ok());
  EXPECT_EQ(Slurp(path_), "one\nha\ntwo\n");
}

TEST_F(FileTargetTest, FollowsARotatedFile) {
  const auto target = Open();
  size_t taken = 0;
  ASSERT_TRUE(target->Write({{.text = "one"}}, &taken).ok());
  fs::rename(path_, path_ + ".1");
  ASSERT_TRUE(target->Write({{.text = "two"}}, &taken).ok());
  EXPECT_EQ(Slurp(path_ + ".1"), "one\n");
  EXPECT_EQ(Slurp(path_), "two\n");
}

TEST_F(FileTargetTest, NoHalfLineStaysWhereTheDiskIsFull) {
  const auto target = Open();
  size_t taken = 0;
  ASSERT_TRUE(target->Write({{.text = "one"}}, &taken).ok());
  struct sigaction ignore {}, before {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &ignore, &before);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{10, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const absl::Status full = target->Write({{.text = "two"}, {.text = "three"}}, &taken);
  setrlimit(RLIMIT_FSIZE, &old);
  sigaction(SIGXFSZ, &before, nullptr);
  EXPECT_FALSE(full.ok());
  EXPECT_EQ(taken, 1u);
  EXPECT_EQ(Slurp(path_), "one\ntwo\n");
  ASSERT_TRUE(target->Write({{.text = "three"}}, &taken).ok());
  EXPECT_EQ(Slurp(path_), "one\ntwo\nthree\n");
}

TEST_F(FileTargetTest, NeverThroughALinkAndNeverIntoAFifo) {
  ASSERT_EQ(symlink("/etc/passwd", path_.c_str()), 0);
  EXPECT_FALSE(FileTarget::Open(path_, getuid()).ok());
  fs::remove(path_);
  std::ofstream(dir_ + "/other") << "theirs";
  fs::create_hard_link(dir_ + "/other", path_);
  EXPECT_EQ(FileTarget::Open(path_, getuid()).status().code(), absl::StatusCode::kFailedPrecondition);
  fs::remove(path_);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  const auto fifo = FileTarget::Open(path_, getuid());
  EXPECT_EQ(fifo.status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace holdpoint
