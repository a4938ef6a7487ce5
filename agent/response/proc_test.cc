// What is read of a stopped process, also when somebody writes to its memory meanwhile.
#include "agent/response/proc.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "agent/response/stage.h"

namespace holdpoint {
namespace {

using stage::Stage;

std::string FirstByte() { return stage::Program("first_byte"); }

std::string Joined(const std::vector<std::string>& words) {
  std::string bytes;
  for (const std::string& word : words) bytes.append(word).push_back('\0');
  return bytes;
}

// Writes to another process's memory, as any process of the same user may.
void Poke(pid_t pid, uint64_t address, absl::string_view bytes) {
  UniqueFd mem(open(absl::StrCat("/proc/", pid, "/mem").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(pwrite(mem.get(), bytes.data(), bytes.size(), static_cast<off_t>(address)),
            static_cast<ssize_t>(bytes.size()));
}

TEST(ProcTest, ArgvIsEveryByteOfIt) {
  const std::vector<std::string> argv = {FirstByte(), "", "two words", std::string(100'000, 'x'), "\xff\n"};
  Stage stage({.argv = argv});
  auto read = ReadArgv(stage.task().id, 1 << 20);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->bytes, Joined(argv));
  EXPECT_FALSE(read->cut);
  auto dir = ProcDir::Open(stage.task().id);
  ASSERT_TRUE(dir.ok());
  EXPECT_TRUE(dir->CheckArgvPointers().ok()) << dir->CheckArgvPointers();
}

TEST(ProcTest, ArgvLongerThanTheBoundIsCutAndSaysSo) {
  const std::vector<std::string> argv = {FirstByte(), std::string(100'000, 'x')};
  Stage stage({.argv = argv});
  auto read = ReadArgv(stage.task().id, 4096);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->bytes, Joined(argv).substr(0, 4096));
  EXPECT_TRUE(read->cut);
}

TEST(ProcTest, EnvironIsReadToo) {
  Stage stage({.argv = {FirstByte()}, .before_exec = [] {
                 clearenv();
                 setenv("HP_ONE", "1", 1);
                 setenv("HP_TWO", "zwei", 1);
               }});
  auto read = ReadEnviron(stage.task().id, 1 << 20);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->bytes, Joined({"HP_ONE=1", "HP_TWO=zwei"}));
}

TEST(ProcTest, OverwrittenLastByteDoesNotHideTheRest) {
  Stage stage({.argv = {FirstByte(), "--force", "secret"}});
  auto dir = ProcDir::Open(stage.task().id);
  auto stat = dir->Stat();
  ASSERT_TRUE(stat.ok());
  // The kernel's own /proc/PID/cmdline shows something else from here on.
  Poke(stage.pid(), stat->argv_end - 1, "!");
  auto read = dir->Argv(1 << 20);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->bytes.size(), stat->argv_end - stat->argv_start);
  EXPECT_EQ(read->bytes.substr(read->bytes.size() - 7), "secret!");
  EXPECT_EQ(dir->CheckArgvPointers().code(), absl::StatusCode::kDataLoss);
}

TEST(ProcTest, RedirectedArgumentPointerIsSeen) {
  Stage stage({.argv = {FirstByte(), "harmless", "harmful"}});
  auto dir = ProcDir::Open(stage.task().id);
  auto stat = dir->Stat();
  ASSERT_TRUE(stat.ok());
  ASSERT_TRUE(dir->CheckArgvPointers().ok());
  const uint64_t harmful = stat->argv_end - sizeof("harmful");
  Poke(stage.pid(), stat->stack_start + 2 * sizeof(uint64_t),
       absl::string_view(reinterpret_cast<const char*>(&harmful), sizeof(harmful)));
  EXPECT_EQ(dir->Argv(4096)->bytes, Joined({FirstByte(), "harmless", "harmful"})) << "the texts are as they were";
  EXPECT_EQ(dir->CheckArgvPointers().code(), absl::StatusCode::kDataLoss);
}

TEST(ProcTest, ArgumentPointersOf32BitProgramsAreCheckedToo) {
  Stage stage({.argv = {stage::Program("first_byte_32"), "", "argument"}});
  auto dir = ProcDir::Open(stage.task().id);
  ASSERT_TRUE(dir.ok());
  EXPECT_TRUE(dir->CheckArgvPointers().ok()) << dir->CheckArgvPointers();
  const auto stat = dir->Stat();
  const auto first = static_cast<uint32_t>(stat->argv_start);
  Poke(stage.pid(), stat->stack_start + 3 * sizeof(uint32_t),
       absl::string_view(reinterpret_cast<const char*>(&first), sizeof(first)));
  EXPECT_EQ(dir->CheckArgvPointers().code(), absl::StatusCode::kDataLoss);
}

TEST(ProcTest, OneLookGivesEverythingThatAConsultNeeds) {
  Stage stage({.argv = {FirstByte(), "x"}, .before_exec = [] {
                 clearenv();
                 setenv("HP_ONE", "1", 1);
               }});
  auto process = OpenProcess(stage.task().id);
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(process->dir.Argv(4096)->bytes, Joined({FirstByte(), "x"}));
  EXPECT_EQ(process->dir.Environ(4096)->bytes, Joined({"HP_ONE=1"}));
  ASSERT_TRUE(KillProcess(stage.task().id).ok());
  EXPECT_TRUE(stage::AwaitEnd(process->pidfd.get()));
}

TEST(ProcTest, ReusedPidIsNotTheProcess) {
  Stage stage({.argv = {FirstByte()}});
  ProcessId other = stage.task().id;
  other.start_boot_ns += 20'000'000;
  EXPECT_EQ(OpenPidfd(other).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadArgv(other, 100).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(KillProcess(other).code(), absl::StatusCode::kNotFound);
  ProcessId exact = stage.task().id;
  exact.start_boot_ns += 9'999'999;  // what the kernel knows and /proc rounds down
  EXPECT_TRUE(OpenPidfd(exact).ok());
  EXPECT_TRUE(SameProcess(exact, stage.task().id));
  EXPECT_FALSE(SameProcess(other, stage.task().id));
}

TEST(ProcTest, ParentOfANamedProcess) {
  auto self = IdentifyPid(getpid());
  ASSERT_TRUE(self.ok());
  Stage stage({.argv = {FirstByte()}});
  auto parent = ParentOf(stage.task().id);
  ASSERT_TRUE(parent.ok()) << parent.status();
  auto grandparent = ParentOf(*parent);
  ASSERT_TRUE(grandparent.ok()) << grandparent.status();
  EXPECT_EQ(*grandparent, *self);
}

TEST(ProcTest, HostileNameDoesNotConfuseTheNumbers) {
  // The kernel takes the name from the file: brackets, spaces and a newline in it.
  const std::string evil = absl::StrCat(testing::TempDir(), "/a) R 1 (\n1");
  unlink(evil.c_str());
  ASSERT_EQ(link(FirstByte().c_str(), evil.c_str()) == 0 || symlink(FirstByte().c_str(), evil.c_str()) == 0, true);
  Stage stage({.argv = {evil}, .target = FirstByte()});
  auto dir = ProcDir::Open(stage.task().id);
  ASSERT_TRUE(dir.ok()) << dir.status();
  EXPECT_NE(dir->Stat()->parent, 1);
  EXPECT_EQ(*dir->RealUid(), getuid());
  unlink(evil.c_str());
}

TEST(ProcTest, EndedProcessIsNotFound) {
  Stage stage({.argv = {FirstByte()}});
  auto dir = ProcDir::Open(stage.task().id);
  ASSERT_TRUE(KillProcess(stage.task().id).ok());
  stage.AwaitParentStatus();
  EXPECT_EQ(OpenPidfd(stage.task().id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(dir->Argv(100).ok());
}

}  // namespace
}  // namespace holdpoint
