// Where the text for a refused task goes: files, pipes, terminals and sockets of real processes.
#include "agent/response/told_fd.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/response/blocked_signals.h"
#include "agent/response/desk.h"
#include "agent/response/stage.h"
#include "agent/response/stuck_file.h"
#include "agent/response/tell_pool.h"

namespace holdpoint {
namespace {

using stage::Desk;
using stage::Pipe;
using stage::ReadToEnd;
using stage::ReadUntil;
using stage::Stage;
using ::testing::HasSubstr;
using What = ResponseResult::What;

constexpr char kText[] = "holdpoint: REFUSED, this command did not run (126): first_byte\nholdpoint: why: a test\n";

std::string FirstByte() { return stage::Program("first_byte"); }

bool ExitedWith126(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 126; }

// An unnamed file that holds `content`, its offset behind it.
UniqueFd FileWith(absl::string_view content) {
  UniqueFd fd(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  EXPECT_EQ(write(fd.get(), content.data(), content.size()), static_cast<ssize_t>(content.size()));
  return fd;
}

std::string ContentOf(int fd) {
  std::string text(8192, '\0');
  const ssize_t got = pread(fd, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

void FillPipe(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  const std::string page(4096, 'f');
  while (write(fd, page.data(), page.size()) > 0) {
  }
  fcntl(fd, F_SETFL, flags);
}

TEST(ToldTest, FileKeepsWhatIsThereAndItsOffsetMovesOn) {
  Desk desk;
  UniqueFd file = FileWith("before\n");
  Stage stage({.argv = {FirstByte()}, .err = file.get()});
  ResponseResult result = desk.Refuse(stage.task(), kText);
  EXPECT_EQ(result.what, What::kRefused) << result.detail;
  EXPECT_TRUE(result.told) << result.detail;
  EXPECT_EQ(write(file.get(), "after\n", 6), 6);
  EXPECT_EQ(ContentOf(file.get()), absl::StrCat("before\n", kText, "after\n"));
}

TEST(ToldTest, Terminal) {
  Desk desk;
  int master, slave;
  ASSERT_EQ(openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
  UniqueFd reader(master), terminal(slave);
  Stage stage({.argv = {FirstByte()}, .err = slave});
  ResponseResult result = desk.Refuse(stage.task(), kText);
  EXPECT_TRUE(result.told) << result.detail;
  const std::string shown = absl::StrReplaceAll(kText, {{"\n", "\r\n"}});
  EXPECT_EQ(ReadUntil(reader.get(), shown.size()), shown);
}

class ToldSocketTest : public testing::TestWithParam<int> {};

TEST_P(ToldSocketTest, UnixSocket) {
  Desk desk;
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, GetParam() | SOCK_CLOEXEC, 0, pair), 0);
  UniqueFd reader(pair[0]), writer(pair[1]);
  Stage stage({.argv = {FirstByte()}, .err = writer.get()});
  ResponseResult result = desk.Refuse(stage.task(), kText);
  EXPECT_EQ(result.what, What::kRefused) << result.detail;
  EXPECT_TRUE(result.told) << result.detail;
  EXPECT_EQ(ReadUntil(reader.get(), sizeof(kText) - 1), kText);
}

INSTANTIATE_TEST_SUITE_P(Types, ToldSocketTest, testing::Values(SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET));

TEST(ToldTest, FullPipeDoesNotHoldTheRefusalUp) {
  Desk desk;
  Pipe err;
  FillPipe(err.write.get());
  Stage stage({.argv = {FirstByte()}, .err = err.write.get()});
  ResponseResult result = desk.Refuse(stage.task(), kText);
  EXPECT_EQ(result.what, What::kRefused) << result.detail;
  EXPECT_FALSE(result.told);
  EXPECT_THAT(result.detail, HasSubstr("full"));
  EXPECT_TRUE(ExitedWith126(stage.AwaitParentStatus()));
}

TEST(ToldTest, StoppedTerminalDoesNotHoldTheRefusalUp) {
  Desk desk;
  int master, slave;
  ASSERT_EQ(openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
  UniqueFd reader(master), terminal(slave);
  ASSERT_EQ(tcflow(slave, TCOOFF), 0);
  Stage stage({.argv = {FirstByte()}, .err = slave});
  ResponseResult result = desk.Refuse(stage.task(), kText);
  EXPECT_EQ(result.what, What::kRefused) << result.detail;
  EXPECT_FALSE(result.told);
  EXPECT_TRUE(ExitedWith126(stage.AwaitParentStatus()));
}

TEST(ToldTest, UnreadSocketDoesNotHoldTheRefusalUp) {
  Desk desk;
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  UniqueFd reader(pair[0]), writer(pair[1]);
  const std::string page(4096, 'f');
  while (send(writer.get(), page.data(), page.size(), MSG_DONTWAIT) > 0) {
  }
  Stage stage({.argv = {FirstByte()}, .err = writer.get()});
  ResponseResult result = desk.Refuse(stage.task(), kText);
  EXPECT_EQ(result.what, What::kRefused) << result.detail;
  EXPECT_FALSE(result.told);
}

TEST(ToldTest, PipeWithoutAReaderEndsNobody) {
  Desk desk;
  Pipe err;
  err.read.reset();
  Stage stage({.argv = {FirstByte()}, .err = err.write.get()});
  ResponseResult result = desk.Refuse(stage.task(), kText);
  EXPECT_EQ(result.what, What::kRefused) << result.detail;
  EXPECT_FALSE(result.told);
  EXPECT_TRUE(ExitedWith126(stage.AwaitParentStatus()));
}

// The parent's own stderr, as a tool's shell has it, and a program whose stderr says nothing to anybody.
struct Parent {
  Pipe err;
  std::function<void()> Set(bool new_session = false) {
    return [this, new_session] {
      dup2(err.write.get(), 2);
      if (new_session) setsid();
    };
  }
  std::string Read() {
    err.write.reset();
    return ReadToEnd(err.read.get());
  }
};

TEST(ToldTest, ClosedStderrIsToldToTheShellAbove) {
  Desk desk;
  Parent parent;
  Stage stage({.argv = {FirstByte()}, .close_err = true, .in_parent = parent.Set()});
  ResponseResult result = desk.Refuse(stage.task(), kText);
  EXPECT_EQ(result.what, What::kRefused) << result.detail;
  EXPECT_TRUE(result.told) << result.detail;
  EXPECT_THAT(result.detail, HasSubstr("its stderr is closed; told on the stderr of process"));
  stage.AwaitParentStatus();
  EXPECT_EQ(parent.Read(), kText);
}

TEST(ToldTest, DevNullIsToldToTheShellAbove) {
  Desk desk;
  Parent parent;
  Stage stage({.argv = {"/bin/sh", "-c", absl::StrCat("(", FirstByte(), "; echo rc=$? >&3) 3>&2 2>/dev/null; true")},
               .target = FirstByte(),
               .in_parent = parent.Set()});
  ResponseResult result = desk.Refuse(stage.task(), kText);
  EXPECT_TRUE(result.told) << result.detail;
  EXPECT_THAT(result.detail, HasSubstr("/dev/null"));
  stage.AwaitParentStatus();
  EXPECT_EQ(parent.Read(), absl::StrCat(kText, "rc=126\n"));
}

TEST(ToldTest, ParentInAnotherSessionIsNotWrittenTo) {
  Desk desk;
  Parent parent;
  Stage stage({.argv = {FirstByte()}, .close_err = true, .in_parent = parent.Set(), .before_exec = [] { setsid(); }});
  ResponseResult result = desk.Refuse(stage.task(), kText);
  EXPECT_EQ(result.what, What::kRefused) << result.detail;
  EXPECT_FALSE(result.told);
  stage.AwaitParentStatus();
  EXPECT_EQ(parent.Read(), "");
}

TEST(ToldTest, ParentOfAnotherUserIsNotWrittenTo) {
  Desk desk;
  Parent parent;
  Stage stage({.argv = {FirstByte()}, .close_err = true, .in_parent = parent.Set(), .before_exec = [] {
                 (void)!setresuid(65534, 65534, 65534);
               }});
  ResponseResult result = desk.Refuse(stage.task(), kText);
  EXPECT_EQ(result.what, What::kRefused) << result.detail;
  EXPECT_FALSE(result.told);
  stage.AwaitParentStatus();
  EXPECT_EQ(parent.Read(), "");
}

// A session may hand over any descriptor; root must not do with it what the text then means there.
TEST(ToldTest, KernelFilesDevicesAndReadOnlyDescriptorsAreNotWrittenTo) {
  struct Case {
    const char* path;
    int flags;
    const char* why;
  };
  for (const Case& one : {Case{"/proc/self/comm", O_RDWR, "kernel's own"}, Case{"/dev/zero", O_RDWR, "a device"},
                          Case{"/etc/passwd", O_RDONLY, "not open for writing"}}) {
    SCOPED_TRACE(one.path);
    Desk desk;
    UniqueFd fd(open(one.path, one.flags | O_CLOEXEC));
    ASSERT_TRUE(fd.ok());
    Stage stage({.argv = {FirstByte()}, .err = fd.get(), .in_parent = [] { close(2); }});
    ResponseResult result = desk.Refuse(stage.task(), kText);
    EXPECT_EQ(result.what, What::kRefused) << result.detail;
    EXPECT_FALSE(result.told);
    EXPECT_THAT(result.detail, HasSubstr(one.why));
  }
}

TEST(ToldTest, TextLargerThanATerminalPieceIsWhole) {
  BlockedSignals blocked;
  int master, slave;
  termios raw;
  ASSERT_EQ(openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
  UniqueFd reader(master), terminal(slave);
  tcgetattr(slave, &raw);
  cfmakeraw(&raw);
  tcsetattr(slave, TCSANOW, &raw);
  const std::string text(2500, 't');
  EXPECT_EQ(WriteAll(slave, text, absl::Seconds(10)), "");
  EXPECT_EQ(ReadUntil(reader.get(), text.size()), text);
}

TEST(TellPoolTest, WhenEveryThreadIsStuckTheNextTextIsGivenUpAtOnce) {
  Pipe full, results;
  FillPipe(full.write.get());
  Stage stage({.argv = {FirstByte()}, .err = full.write.get()});
  full.write.reset();
  TellPool pool(2);
  const auto tell = [&] {
    pool.Tell(stage.task().pidfd, stage.task().id, kText, absl::Hours(1),
              [&](const TellPool::Told& told) { (void)!write(results.write.get(), told.whole ? "y" : "n", 1); });
  };
  for (int i = 0; i < 2 + 8; ++i) tell();  // two at work, eight in the queue, or less while the threads start
  for (int i = 0; i < 2; ++i) tell();
  EXPECT_EQ(ReadUntil(results.read.get(), 1), "n");
  full.read.reset();  // frees them: no reader
}

TEST(TellPoolTest, MoreTextsThanThreadsAllArrive) {
  Pipe out, results;
  Stage stage({.argv = {FirstByte()}, .err = out.write.get()});
  TellPool pool(2);
  for (int i = 0; i < 8; ++i) {
    pool.Tell(stage.task().pidfd, stage.task().id, "text\n", absl::Seconds(10),
              [&](const TellPool::Told& told) { (void)!write(results.write.get(), told.whole ? "y" : "n", 1); });
  }
  EXPECT_EQ(ReadUntil(results.read.get(), 8), "yyyyyyyy");
  EXPECT_EQ(ReadUntil(out.read.get(), 40).size(), 40u);
}

TEST(TellPoolTest, LateTextIsNotWritten) {
  Pipe out, results;
  Stage stage({.argv = {FirstByte()}, .err = out.write.get()});
  out.write.reset();
  {
    TellPool pool(1);
    pool.Tell(stage.task().pidfd, stage.task().id, kText, absl::ZeroDuration(),
              [&](const TellPool::Told& told) { (void)!write(results.write.get(), told.whole ? "y" : "n", 1); });
    EXPECT_EQ(ReadUntil(results.read.get(), 1), "n");
  }
  kill(stage.pid(), SIGKILL);
  EXPECT_EQ(ReadToEnd(out.read.get()), "");
}

TEST(ToldTest, FileSystemThatNeverAnswersHoldsNobodyElseUp) {
  stage::StuckFile file;
  ASSERT_TRUE(file.fd() >= 0);
  Desk desk;
  Pipe err;
  Stage stuck({.argv = {FirstByte()}, .err = file.fd()});
  Stage other({.argv = {FirstByte()}, .err = err.write.get()});
  err.write.reset();
  file.StopAnswering();
  std::vector<ResponseResult> first, second;
  desk.responder().Refuse(stuck.task(), kText, [&](const ResponseResult& r) { first.push_back(r); });
  desk.responder().Refuse(other.task(), kText, [&](const ResponseResult& r) { second.push_back(r); });
  ASSERT_TRUE(desk.DispatchUntil([&] { return !second.empty(); }));
  EXPECT_TRUE(first.empty()) << "it waits for its text";
  EXPECT_EQ(second[0].what, What::kRefused) << second[0].detail;
  EXPECT_TRUE(second[0].told) << second[0].detail;
  EXPECT_EQ(ReadUntil(err.read.get(), sizeof(kText) - 1), kText);
  // Its exit closes the file, which does not answer that either; but it has been killed and runs nothing.
  ASSERT_TRUE(desk.DispatchUntil([&] { return !first.empty(); }));
  EXPECT_EQ(first[0].what, What::kKilled) << first[0].detail;
  EXPECT_FALSE(first[0].told);
  file.End();
}

}  // namespace
}  // namespace holdpoint
