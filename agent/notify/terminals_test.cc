// Writing to real pseudo terminals; which of them belong to logins is tests/e2e/notify_test.py's.
#include "agent/notify/terminals.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/fd.h"

namespace holdpoint {
namespace {

class Pty {
 public:
  Pty() {
    int ours = -1, theirs = -1;
    char name[128];
    EXPECT_EQ(openpty(&ours, &theirs, name, nullptr, nullptr), 0);
    ours_.reset(ours);
    theirs_.reset(theirs);
    terminal = {name, geteuid()};
    Open(true);
  }
  void Open(bool to_messages) { EXPECT_EQ(fchmod(theirs_.get(), to_messages ? 0620 : 0600), 0); }

  std::string Shown() {
    pollfd wait{.fd = ours_.get(), .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, 0) != 1) return "";
    char text[4096];
    const ssize_t size = read(ours_.get(), text, sizeof(text));
    return size > 0 ? std::string(text, static_cast<size_t>(size)) : "";
  }

  Terminal terminal;

 private:
  UniqueFd ours_, theirs_;
};

const auto kEverybody = [](uid_t) { return true; };

TEST(WriteToTerminalsTest, ReachesThoseThatAreWantedAndNoOther) {
  Pty pty;
  WriteCounts counts = WriteToTerminals({pty.terminal}, [](uid_t uid) { return uid == geteuid(); }, "news\r\n");
  EXPECT_EQ(counts.written, 1u);
  EXPECT_EQ(pty.Shown(), "news\r\r\n");  // as the terminal's output modes have it
  counts = WriteToTerminals({pty.terminal}, [](uid_t uid) { return uid != geteuid(); }, "news\r\n");
  EXPECT_EQ(counts.written + counts.failed, 0u);
  EXPECT_EQ(pty.Shown(), "");
}

TEST(WriteToTerminalsTest, LeavesOneThatIsClosedToMessagesAlone) {
  Pty pty;
  pty.Open(false);
  const WriteCounts counts = WriteToTerminals({pty.terminal}, kEverybody, "news\r\n");
  EXPECT_EQ(counts.failed, 1u);
  EXPECT_EQ(pty.Shown(), "");
}

TEST(WriteToTerminalsTest, ATerminalThatChangedHandsIsNotWrittenTo) {
  Pty pty;
  Terminal of_another = pty.terminal;
  of_another.uid = 4711;
  EXPECT_EQ(WriteToTerminals({of_another}, kEverybody, "news\r\n").failed, 1u);
  EXPECT_EQ(pty.Shown(), "");
}

TEST(WriteToTerminalsTest, NeverWaitsForOneThatIsNotRead) {
  Pty pty;
  const std::string text(512, 'x');
  uint32_t failed = 0;
  for (int i = 0; i < 10'000 && failed == 0; ++i) failed = WriteToTerminals({pty.terminal}, kEverybody, text).failed;
  EXPECT_EQ(failed, 1u);
}

TEST(WriteToTerminalsTest, AFileIsNoTerminal) {
  char name[] = "/tmp/hp-notify-XXXXXX";
  const UniqueFd file(mkstemp(name));
  ASSERT_EQ(fchmod(file.get(), 0620), 0);
  EXPECT_EQ(WriteToTerminals({{name, geteuid()}}, kEverybody, "x").failed, 1u);
  struct stat st {};
  EXPECT_EQ(fstat(file.get(), &st), 0);
  EXPECT_EQ(st.st_size, 0);
  unlink(name);
}

}  // namespace
}  // namespace holdpoint
