// What the kernel itself says of marked files, with marks as the reader makes them.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "agent/gate/open_watch.h"
#include "agent/reader/watch_files.h"

namespace holdpoint {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class OpenWatchRootTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/holdpoint-watch-XXXXXX";
    folder_ = mkdtemp(name);
    absl::StatusOr<std::unique_ptr<OpenWatch>> watch = OpenWatch::Create();
    ASSERT_TRUE(watch.ok()) << watch.status();
    watch_ = *std::move(watch);
    folders_ = *OpenWatch::Create();
    own_fds_.reset(open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
    Write("token");
  }
  ~OpenWatchRootTest() override { fs::remove_all(folder_); }

  std::string At(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name) const { std::ofstream(At(name)) << "secret"; }

  // What became known of these patterns below the folder, without those that were only looked for.
  std::vector<WatchedFile> Look(std::vector<std::string> patterns) {
    for (std::string& pattern : patterns) {
      if (pattern[0] != '~' && pattern[0] != '/') pattern = At(pattern);
    }
    std::vector<WatchedFile> found;
    reader::WatchFiles(patterns, folder_, {.files = watch_->fd(), .folders = folders_->fd()}, own_fds_.get(), [&found](const WatchedFile& file) {
      if (file.kind != WatchedFile::kLooks) found.push_back(file);
    });
    return found;
  }
  std::vector<std::string> Names(const std::vector<WatchedFile>& found, uint32_t kind = WatchedFile::kFile) const {
    std::vector<std::string> names;
    for (const WatchedFile& file : found) {
      if (file.kind == kind) names.push_back(fs::path(file.path).filename());
    }
    return names;
  }
  void Mark(const std::string& name) {
    for (const WatchedFile& file : Look({name})) {
      if (file.kind == WatchedFile::kFile) key_ = OpenWatch::KeyOf(file);
    }
    ASSERT_NE(key_, "");
  }

  // The sum of all that is said of the file of Mark().
  OpenWatch::Event Seen() {
    OpenWatch::Event sum;
    watch_->Drain(1000, [&](OpenWatch::Event event) {
      if (event.key != key_) return;
      sum.opened |= event.opened;
      sum.read |= event.read;
      sum.closed |= event.closed;
      sum.gone |= event.gone;
      sum.tgid = event.tgid;
      if (event.pidfd.ok()) sum.pidfd = std::move(event.pidfd);
    });
    return sum;
  }
  // In a process of its own, which has ended when this returns.
  static pid_t Elsewhere(const std::function<void()>& act) {
    const pid_t pid = fork();
    if (pid == 0) {
      act();
      _exit(0);
    }
    waitpid(pid, nullptr, 0);
    return pid;
  }
  static void ReadOf(int fd) {
    char byte;
    if (pread(fd, &byte, 1, 0) != 1) _exit(1);
  }

  std::string folder_;
  std::unique_ptr<OpenWatch> watch_, folders_;
  UniqueFd own_fds_;
  std::string key_;
};

TEST_F(OpenWatchRootTest, ReadingIsToldWithWhoDidIt) {
  Mark("token");
  const UniqueFd fd(open(At("token").c_str(), O_RDONLY));
  ReadOf(fd.get());
  EXPECT_TRUE(watch_->Waiting());
  OpenWatch::Event seen = Seen();
  EXPECT_TRUE(seen.opened && seen.read);
  EXPECT_FALSE(seen.closed || seen.gone);
  EXPECT_EQ(seen.tgid, getpid());
  EXPECT_TRUE(seen.pidfd.ok());
  EXPECT_FALSE(watch_->Waiting());
  const pid_t gone = Elsewhere([&] { ReadOf(open(At("token").c_str(), O_RDONLY)); });
  seen = Seen();
  EXPECT_TRUE(seen.read && seen.closed);
  EXPECT_EQ(seen.tgid, gone);
  EXPECT_FALSE(seen.pidfd.ok());
}

TEST_F(OpenWatchRootTest, AFileBesideItIsNotTold) {
  Mark("token");
  Write("notes");
  Elsewhere([&] { ReadOf(open(At("notes").c_str(), O_RDONLY)); });
  EXPECT_FALSE(Seen().opened);
}

TEST_F(OpenWatchRootTest, EveryOtherWayToReadIsAReading) {
  Mark("token");
  const UniqueFd before(open(At("token").c_str(), O_RDONLY));
  fs::create_hard_link(At("token"), At("innocent"));
  fs::create_symlink(At("token"), At("link"));
  ASSERT_TRUE(Seen().opened);
  const std::map<std::string, std::function<void()>> ways = {
      {"a descriptor that was opened before", [&] { ReadOf(before.get()); }},
      {"a hard link", [&] { ReadOf(open(At("innocent").c_str(), O_RDONLY)); }},
      {"a link", [&] { ReadOf(open(At("link").c_str(), O_RDONLY)); }},
      {"a descriptor opened again", [&] { ReadOf(open(("/proc/self/fd/" + std::to_string(before.get())).c_str(), O_RDONLY)); }},
      {"by its handle",
       [&] {
         alignas(file_handle) char space[sizeof(file_handle) + 128] = {};
         auto* handle = reinterpret_cast<file_handle*>(space);
         handle->handle_bytes = 128;
         int mount = 0;
         const UniqueFd at(open(folder_.c_str(), O_RDONLY | O_DIRECTORY));
         if (name_to_handle_at(AT_FDCWD, At("token").c_str(), handle, &mount, 0) != 0) _exit(1);
         ReadOf(open_by_handle_at(at.get(), handle, O_RDONLY));
       }},
      {"copy_file_range",
       [&] {
         const UniqueFd to(open(At("copy").c_str(), O_RDWR | O_CREAT, 0600));
         loff_t from = 0;
         if (copy_file_range(before.get(), &from, to.get(), nullptr, 6, 0) != 6) _exit(1);
       }},
  };
  for (const auto& [name, act] : ways) {
    Elsewhere(act);
    EXPECT_TRUE(Seen().read) << name;
  }
}

TEST_F(OpenWatchRootTest, AMappingIsAnOpening) {
  Mark("token");
  Elsewhere([&] {
    const int fd = open(At("token").c_str(), O_RDONLY);
    const auto* bytes = static_cast<const char*>(mmap(nullptr, 6, PROT_READ, MAP_PRIVATE, fd, 0));
    if (bytes == MAP_FAILED || bytes[0] != 's') _exit(1);
  });
  const OpenWatch::Event seen = Seen();
  EXPECT_TRUE(seen.opened);
  EXPECT_FALSE(seen.read);
}

TEST_F(OpenWatchRootTest, IsGoneWithItsLastNameAndItsLastDescriptor) {
  Mark("token");
  fs::create_hard_link(At("token"), At("innocent"));
  Write("new");
  fs::rename(At("new"), At("token"));
  EXPECT_FALSE(Seen().gone) << "it has another name";
  {
    const UniqueFd fd(open(At("innocent").c_str(), O_RDONLY));
    fs::remove(At("innocent"));
    EXPECT_FALSE(Seen().gone) << "it is open";
  }
  EXPECT_TRUE(Seen().gone);
}

TEST_F(OpenWatchRootTest, WhatIsPutIntoItsFolderIsTold) {
  Look({"token"});
  std::vector<std::string> put;
  Write("made");
  fs::rename(At("made"), At("moved"));
  fs::create_hard_link(At("moved"), At("linked"));
  folders_->Drain(100, [&](OpenWatch::Event event) {
    if (event.put) put.push_back(event.name);
  });
  EXPECT_THAT(put, ElementsAre("made", "moved", "linked"));
}

TEST_F(OpenWatchRootTest, ForgetTakesEveryMarkAway) {
  Mark("token");
  watch_->Forget();
  Elsewhere([&] { ReadOf(open(At("token").c_str(), O_RDONLY)); });
  EXPECT_FALSE(watch_->Waiting());
}

TEST_F(OpenWatchRootTest, FindsWhatIsNamedAndWhatAGlobNames) {
  fs::create_directory(At(".aws"));
  for (const char* name : {".env", ".env.production", "env", ".aws/credentials"}) Write(name);
  EXPECT_THAT(Names(Look({".env*", "~/.aws/credentials", "none/at/all", "token"})),
              ElementsAre("credentials", "token", ".env", ".env.production"));
  EXPECT_THAT(Names(Look({"relative", "~/"}), WatchedFile::kUnwatched), IsEmpty());
}

TEST_F(OpenWatchRootTest, EachFileIsToldOnceByTheFirstThatNamesIt) {
  Write(".env.production");
  const std::vector<WatchedFile> found = Look({".env*", ".env.production"});
  ASSERT_EQ(Names(found), std::vector<std::string>{".env.production"});
  for (const WatchedFile& file : found) {
    if (file.kind == WatchedFile::kFile) {
      EXPECT_EQ(file.pattern, 1u);
    }
  }
}

TEST_F(OpenWatchRootTest, WhatIsNoFileIsLeftAlone) {
  ASSERT_EQ(mkfifo(At("fifo").c_str(), 0600), 0);
  fs::create_symlink(At("loop"), At("loop"));
  fs::create_symlink("/dev/zero", At("device"));
  fs::create_symlink(At("none"), At("dangling"));
  fs::create_directory(At("folder"));
  EXPECT_THAT(Names(Look({"fifo", "loop", "device", "dangling", "folder"})), IsEmpty());
  fs::create_symlink(At("token"), At("link"));
  EXPECT_THAT(Names(Look({"link"})), ElementsAre("link"));
}

// A session that has .env lead to the C library would have the gate told of every exec of the host.
TEST_F(OpenWatchRootTest, WhatALinkLeadsToIsMarkedWhereItIsASecretOrTheUsersOwn) {
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
  Write("own");
  ASSERT_EQ(chown(At("own").c_str(), 65534, 65534), 0);
  ASSERT_EQ(chmod(At("token").c_str(), 0644), 0);
  fs::create_symlink(At("token"), At("to-anybodys"));
  fs::create_symlink(At("own"), At("to-own"));
  const pid_t pid = fork();
  if (pid == 0) {
    own_fds_.reset(open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0) _exit(2);
    if (Names(Look({"to-anybodys"})) != std::vector<std::string>{}) _exit(3);
    if (Names(Look({"to-own"})) != std::vector<std::string>{"to-own"}) _exit(4);
    _exit(Names(Look({"token"})) == std::vector<std::string>{"token"} ? 0 : 1);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(OpenWatchRootTest, WhatTheUserMayNotReadGetsNoMarkAndIsNamed) {
  chmod(At("token").c_str(), 0);
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    own_fds_.reset(open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0) _exit(2);
    const std::vector<WatchedFile> found = Look({"token"});
    _exit(Names(found).empty() && Names(found, WatchedFile::kUnwatched) == std::vector<std::string>{"token"} ? 0 : 1);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
}

// A session fills the folder: what is named is found all the same, and that there is more is said.
TEST_F(OpenWatchRootTest, ThousandsThatMatchHideNothingThatIsNamed) {
  Write(".npmrc");
  for (int i = 0; i < 5000; ++i) {
    fs::create_symlink("none", At(".env" + std::to_string(i)));
  }
  const std::vector<WatchedFile> found = Look({".env*", "token", ".npmrc"});
  EXPECT_THAT(Names(found), ElementsAre("token", ".npmrc"));
  ASSERT_THAT(Names(found, WatchedFile::kUnwatched), ElementsAre(".env*"));
  EXPECT_EQ(found.back().problem, E2BIG);
}

TEST_F(OpenWatchRootTest, MoreFilesThanAreWatchedAreSaidOnce) {
  for (size_t i = 0; i < reader::kMaxWatched + 10; ++i) Write(".env" + std::to_string(i));
  const std::vector<WatchedFile> found = Look({".env*", "token"});
  EXPECT_EQ(Names(found).front(), "token");
  EXPECT_EQ(found.size(), reader::kMaxWatched + 1);
  EXPECT_EQ(found.back().problem, E2BIG);
}

}  // namespace
}  // namespace holdpoint
