// The program itself against the real control server, with answers that a test makes up.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/base/clock.h"
#include "agent/base/fd.h"
#include "agent/control/server.h"
#include "agent/control/views.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace holdpoint {

using nlohmann::json;

inline constexpr absl::Duration kLong = absl::Seconds(60);

struct Ended {
  int code = -1;
  std::string out, err;
};

class CliTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/hp-cli-XXXXXX";
    folder_ = mkdtemp(name);
    for (const char* variable :
         {"HOLDPOINT_RUN", "HOLDPOINT_STATE", "HOLDPOINT_INSTANCE", "SUDO_USER", "NO_COLOR", "CLICOLOR_FORCE"}) {
      unsetenv(variable);
    }
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Serve(ControlServer::Handler handler) {
    auto server = ControlServer::Listen({.path = folder_ + "/control.sock"}, [this, handler](auto call) {
      requests_.push_back(call->request());
      secrets_.push_back(call->TakeSecret());
      handler(std::move(call));
    });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void ServeReply(int code, const std::string& message, std::vector<std::string> bodies = {}) {
    Serve([=](std::shared_ptr<ControlCall> call) { call->Reply(code, message, bodies); });
  }

  static std::string Binary() { return absl::StrCat(getenv("HP_BUILD_DIR"), "/bin/holdpoint"); }

  // Runs the program with this test's folder as its run folder and serves it until it has ended. `child` runs in the
  // new process before the program does.
  Ended Run(
      std::vector<std::string> args, const std::string& input = "", std::function<void()> child = [] {}) {
    int in[2], out[2], err[2];
    EXPECT_EQ(pipe2(in, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(err, O_CLOEXEC), 0);
    args.insert(args.begin(), {Binary(), "--run", folder_});
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    const pid_t pid = fork();
    if (pid == 0) {
      setsid();  // no terminal
      dup2(in[0], 0);
      dup2(out[1], 1);
      dup2(err[1], 2);
      child();
      execv(argv[0], argv.data());
      _exit(99);
    }
    child_ = pid;
    close(in[0]);
    close(out[1]);
    close(err[1]);
    EXPECT_EQ(write(in[1], input.data(), input.size()), static_cast<ssize_t>(input.size()));
    close(in[1]);
    Ended ended;
    const UniqueFd out_fd(out[0]), err_fd(err[0]);
    bool out_open = true, err_open = true;
    const BootTime end = Clock::Real().Boot() + kLong;
    while (out_open || err_open) {
      if (Clock::Real().Boot() > end) {
        ADD_FAILURE() << "the program does not end";
        kill(pid, SIGKILL);
        break;
      }
      pollfd fds[3] = {{out_open ? out_fd.get() : -1, POLLIN, 0},
                       {err_open ? err_fd.get() : -1, POLLIN, 0},
                       {server_ ? server_->fd() : -1, POLLIN, 0}};
      poll(fds, 3, 1000);
      if (server_) server_->Dispatch();
      if (fds[0].revents) out_open = Take(out_fd.get(), ended.out);
      if (fds[1].revents) err_open = Take(err_fd.get(), ended.err);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return ended;
  }
  static bool Take(int fd, std::string& text) {
    char part[65536];
    const ssize_t got = read(fd, part, sizeof(part));
    if (got > 0) text.append(part, static_cast<size_t>(got));
    return got > 0;
  }
  // A descriptor 9 with `password` in it, in the child.
  static std::function<void()> PasswordOn9(const std::string& password) {
    return [password] {
      int ends[2];
      if (pipe(ends) != 0 || write(ends[1], password.data(), password.size()) < 0) _exit(98);
      close(ends[1]);
      dup2(ends[0], 9);
    };
  }
  static std::vector<json> JsonLines(const std::string& text) {
    std::vector<json> rows;
    for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
      rows.push_back(json::parse(std::string(line)));
    }
    return rows;
  }

  std::string folder_;
  pid_t child_ = 0;
  std::unique_ptr<ControlServer> server_;
  std::vector<ControlRequest> requests_;
  std::vector<std::string> secrets_;
};

inline HoldView TestHold() {
  return {.ticket = "HP-4K7Q",
          .session = "s1",
          .state = "held",
          .summary = "curl POST \x1b[2J volumeDelete",
          .reason = "deletes a volume for good",
          .environment = "production",
          .owners = {"dana", "%sudo"},
          .rollback = {"lee"},
          .pid = 7,
          .deadline_unix = time(nullptr) + 10,
          .rule = "railway-volume-delete",
          .verdict = "hold"};
}

}  // namespace holdpoint
