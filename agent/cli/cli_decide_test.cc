// approve, deny and wait: who decides, how the password comes in, and the terminal before and after.
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/cli/test_cli.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdpoint {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST_F(CliTest, ApproveSendsWhoWhyAndThePasswordFromItsDescriptor) {
  ServeReply(0, "HP-4K7Q approved");
  const Ended ended =
      Run({"approve", "hp-4k7q", "--once", "--reason", "checked with lee", "--as", "dana", "--password-fd", "9"}, "",
          PasswordOn9("pass word\n"));
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "HP-4K7Q approved\n");
  ASSERT_EQ(requests_.size(), 1u);
  EXPECT_EQ(requests_[0].command, ControlCommand::kApprove);
  EXPECT_EQ(requests_[0].flags, kControlOnce);
  EXPECT_STREQ(requests_[0].ticket, "HP-4K7Q");
  EXPECT_STREQ(requests_[0].text1, "dana");
  EXPECT_STREQ(requests_[0].text2, "checked with lee");
  EXPECT_EQ(secrets_[0], "pass word");
}

TEST_F(CliTest, TheOwnerIsWhoCalledSudoUnlessSaidOtherwise) {
  ServeReply(0, "");
  const auto child = [] {
    PasswordOn9("x")();
    setenv("SUDO_USER", "dana", 1);
  };
  Run({"deny", "HP-1", "--password-fd", "9"}, "", child);
  Run({"deny", "HP-1", "--password-fd", "9", "--as", "lee"}, "", child);
  ASSERT_EQ(requests_.size(), 2u);
  if (geteuid() == 0) {
    EXPECT_STREQ(requests_[0].text1, "dana");
  }
  EXPECT_STREQ(requests_[1].text1, "lee");
  EXPECT_EQ(requests_[0].command, ControlCommand::kDeny);
}

TEST_F(CliTest, WithoutTerminalAndDescriptorNothingIsDecided) {
  ServeReply(0, "", HoldBodies({}));
  const Ended ended = Run({"approve", "HP-1", "--once", "--reason", "x"}, "secret-on-stdin\n");
  EXPECT_EQ(ended.code, 77);
  EXPECT_THAT(ended.err, HasSubstr("no terminal"));
  for (const ControlRequest& request : requests_) EXPECT_EQ(request.command, ControlCommand::kHolds);
}

TEST_F(CliTest, PasswordThatIsTooLongIsNotSent) {
  ServeReply(0, "");
  EXPECT_EQ(Run({"deny", "HP-1", "--password-fd", "9"}, "", PasswordOn9(std::string(128, 'x'))).code, 2);
  EXPECT_THAT(requests_, IsEmpty());
  EXPECT_EQ(Run({"deny", "HP-1", "--password-fd", "9"}, "", PasswordOn9(std::string(127, 'x'))).code, 0);
}

TEST_F(CliTest, ClosedPasswordDescriptorIsAnError) {
  ServeReply(0, "");
  EXPECT_NE(Run({"deny", "HP-1", "--password-fd", "77"}).code, 0);
  EXPECT_THAT(requests_, IsEmpty());
}

// At a terminal: what is decided on is shown, the password is asked for and not echoed.
TEST_F(CliTest, AsksOnTheTerminalWithoutEcho) {
  Serve([](std::shared_ptr<ControlCall> call) {
    if (call->request().command == ControlCommand::kHolds) return call->Reply(0, "", HoldBodies({TestHold()}));
    call->Reply(0, "approved");
  });
  int terminal = -1;
  const pid_t pid = forkpty(&terminal, nullptr, nullptr, nullptr);
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    execl(Binary().c_str(), "holdpoint", "--run", folder_.c_str(), "approve", "HP-4K7Q", "--once", "--reason", "x",
          "--as", "dana", nullptr);
    _exit(99);
  }
  const UniqueFd owned(terminal);
  std::string seen;
  bool typed = false;
  for (bool open = true; open;) {
    pollfd fds[2] = {{terminal, POLLIN, 0}, {server_->fd(), POLLIN, 0}};
    ASSERT_GT(poll(fds, 2, 60000), 0) << seen;
    server_->Dispatch();
    if (fds[0].revents) open = Take(terminal, seen);
    if (!typed && seen.find("Password or code of dana: ") != std::string::npos) {
      typed = true;
      ASSERT_EQ(write(terminal, "hidden words\n", 13), 13);
    }
  }
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0) << seen;
  EXPECT_THAT(seen, HasSubstr("curl POST \\x1b[2J volumeDelete"));
  EXPECT_THAT(seen, HasSubstr("rollback: lee"));
  EXPECT_THAT(seen, HasSubstr("approved"));
  EXPECT_THAT(seen, Not(HasSubstr("hidden words")));
  EXPECT_EQ(secrets_.back(), "hidden words");
}

TEST_F(CliTest, InterruptAtThePromptDecidesNothingAndRestoresTheTerminal) {
  ServeReply(0, "", HoldBodies({}));
  int terminal = -1;
  const pid_t pid = forkpty(&terminal, nullptr, nullptr, nullptr);
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    execl(Binary().c_str(), "holdpoint", "--run", folder_.c_str(), "deny", "HP-4K7Q", "--as", "dana", nullptr);
    _exit(99);
  }
  const UniqueFd owned(terminal);
  std::string seen;
  bool typed = false;
  for (bool open = true; open;) {
    pollfd fds[2] = {{terminal, POLLIN, 0}, {server_->fd(), POLLIN, 0}};
    ASSERT_GT(poll(fds, 2, 60000), 0) << seen;
    server_->Dispatch();
    if (fds[0].revents) open = Take(terminal, seen);
    if (!typed && seen.find("Password") != std::string::npos) {
      typed = true;
      termios modes{};
      ASSERT_EQ(tcgetattr(terminal, &modes), 0);
      EXPECT_FALSE(modes.c_lflag & ECHO);
      ASSERT_EQ(write(terminal, "\x03", 1), 1);
    }
  }
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) << status;
  for (const ControlRequest& request : requests_) EXPECT_EQ(request.command, ControlCommand::kHolds);
}

TEST_F(CliTest, WaitHasAnExitCodeForEachOutcome) {
  for (const int code : {0, 77, 75, 69}) {
    ServeReply(code, "said so");
    const Ended ended = Run({"wait", "HP-4K7Q", "--seconds", "3"});
    EXPECT_EQ(ended.code, code);
    EXPECT_EQ(code == 0 ? ended.out : ended.err, code == 0 ? "said so\n" : "holdpoint: said so\n");
    EXPECT_EQ(requests_.back().number, 3u);
    EXPECT_EQ(JsonLines(Run({"wait", "HP-4K7Q", "--json"}).out)[0]["exit_code"], code);
    EXPECT_EQ(requests_.back().number, 8u);
    server_.reset();
  }
}

}  // namespace
}  // namespace holdpoint
