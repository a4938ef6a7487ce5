// approve, deny and wait: who decides, how the password comes in, and the terminal before and after.
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <utility>

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

class CliAtATerminalTest : public CliTest {
 protected:
  // Runs the program at a terminal and serves it until it has ended; its wait status, and all that the terminal showed.
  // Once it shows `prompt`, `answer` is called with the terminal.
  int RunAtATerminal(std::vector<std::string> args, absl::string_view prompt, std::function<void(int terminal)> answer,
                     std::string* seen) {
    args.insert(args.begin(), {Binary(), "--run", folder_});
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    int terminal = -1;
    const pid_t pid = forkpty(&terminal, nullptr, nullptr, nullptr);
    if (pid == 0) {
      execv(argv[0], argv.data());
      _exit(99);
    }
    EXPECT_GT(pid, 0);
    const UniqueFd owned(terminal);
    for (bool open = true; open;) {
      pollfd fds[2] = {{terminal, POLLIN, 0}, {server_->fd(), POLLIN, 0}};
      if (poll(fds, 2, 60000) <= 0) {
        ADD_FAILURE() << "the program does not end: " << *seen;
        kill(pid, SIGKILL);
        break;
      }
      server_->Dispatch();
      if (fds[0].revents) open = Take(terminal, *seen);
      if (answer && absl::StrContains(*seen, prompt)) std::exchange(answer, nullptr)(terminal);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return status;
  }
};

// What is decided on is shown, the password is asked for and not echoed.
TEST_F(CliAtATerminalTest, AsksWithoutEcho) {
  Serve([](std::shared_ptr<ControlCall> call) {
    if (call->request().command == ControlCommand::kHolds) return call->Reply(0, "", HoldBodies({TestHold()}));
    call->Reply(0, "approved");
  });
  std::string seen;
  const int status = RunAtATerminal({"approve", "HP-4K7Q", "--once", "--reason", "x", "--as", "dana"},
                                    "Password or code of dana: ",
                                    [](int terminal) { ASSERT_EQ(write(terminal, "hidden words\n", 13), 13); }, &seen);
  EXPECT_EQ(status, 0) << seen;
  EXPECT_THAT(seen, HasSubstr("curl POST \\x1b[2J volumeDelete"));
  EXPECT_THAT(seen, HasSubstr("rollback: lee"));
  EXPECT_THAT(seen, HasSubstr("approved"));
  EXPECT_THAT(seen, Not(HasSubstr("hidden words")));
  EXPECT_EQ(secrets_.back(), "hidden words");
}

TEST_F(CliAtATerminalTest, InterruptAtThePromptDecidesNothingAndRestoresTheTerminal) {
  ServeReply(0, "", HoldBodies({}));
  std::string seen;
  const auto interrupt = [](int terminal) {
    termios modes{};
    ASSERT_EQ(tcgetattr(terminal, &modes), 0);
    EXPECT_FALSE(modes.c_lflag & ECHO);
    ASSERT_EQ(write(terminal, "\x03", 1), 1);
  };
  const int status = RunAtATerminal({"deny", "HP-4K7Q", "--as", "dana"}, "Password", interrupt, &seen);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) << status << seen;
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
