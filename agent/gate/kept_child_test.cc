#include "agent/gate/kept_child.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <csignal>
#include <functional>

namespace holdpoint {
namespace {

// Programs are shells that write into a folder of the test.
class KeptChildTest : public testing::Test {
 protected:
  KeptChildTest() {
    char name[] = "/tmp/holdpoint-kept-XXXXXX";
    folder_ = mkdtemp(name);
    loop_ = *EventLoop::Create(Clock::Real());
  }
  ~KeptChildTest() override { std::filesystem::remove_all(folder_); }

  // Runs the loop until `done`, looking at it now and then.
  void Until(const std::function<bool()>& done) {
    std::function<void()> look = [&] {
      if (done()) return loop_->Stop();
      loop_->At(Clock::Real().Boot() + absl::Milliseconds(5), look);
    };
    look();
    if (!done()) {
      EXPECT_TRUE(loop_->Run().ok());
    }
  }

  size_t Lines(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name);
    std::string line;
    size_t lines = 0;
    while (std::getline(file, line)) ++lines;
    return lines;
  }

  static std::vector<std::string> Shell(const std::string& script) { return {"-c", script}; }

  std::string folder_;
  std::unique_ptr<EventLoop> loop_;
};

TEST_F(KeptChildTest, WhatEndsIsStartedAgain) {
  KeptChild child(*loop_, Clock::Real(), "/bin/sh", "the shell");
  EXPECT_FALSE(child.wanted());
  ASSERT_TRUE(child.Run(Shell("echo x >> " + folder_ + "/runs")).ok());
  Until([&] { return Lines("runs") >= 2; });
  EXPECT_GE(child.restarts(), 1u);
}

TEST_F(KeptChildTest, OtherArgumentsEndItAndStartItWithThese) {
  KeptChild child(*loop_, Clock::Real(), "/bin/sh", "the shell");
  const std::string first = "echo x >> " + folder_ + "/first; exec sleep 1000";
  ASSERT_TRUE(child.Run(Shell(first)).ok());
  Until([&] { return Lines("first") == 1; });
  const pid_t pid = child.pid();
  ASSERT_TRUE(child.Run(Shell(first)).ok());
  EXPECT_EQ(child.pid(), pid) << "nothing has changed";
  ASSERT_TRUE(child.Run(Shell("echo x >> " + folder_ + "/second; exec sleep 1000")).ok());
  Until([&] { return Lines("second") == 1; });
  EXPECT_NE(child.pid(), pid);
  EXPECT_EQ(child.restarts(), 0u) << "that was wanted";
  ASSERT_TRUE(child.Run({}).ok());
  Until([&] { return !child.alive(); });
  EXPECT_FALSE(child.wanted());
  EXPECT_EQ(Lines("first"), 1u);
}

TEST_F(KeptChildTest, ItEndsWithWhoeverKeepsIt) {
  pid_t pid = -1;
  {
    KeptChild child(*loop_, Clock::Real(), "/bin/sh", "the shell");
    ASSERT_TRUE(child.Run(Shell("echo x >> " + folder_ + "/runs; exec sleep 1000")).ok());
    Until([&] { return Lines("runs") == 1; });
    pid = child.pid();
  }
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST_F(KeptChildTest, OneThatIsStoppedEndsAllTheSame) {
  pid_t pid = -1;
  {
    KeptChild child(*loop_, Clock::Real(), "/bin/sh", "the shell", absl::Milliseconds(1));
    ASSERT_TRUE(child.Run(Shell("echo x >> " + folder_ + "/runs; exec sleep 1000")).ok());
    Until([&] { return Lines("runs") == 1; });
    pid = child.pid();
    ASSERT_EQ(kill(pid, SIGSTOP), 0);
  }
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST_F(KeptChildTest, OneThatIsToldToEndHasItsTimeForThat) {
  {
    KeptChild child(*loop_, Clock::Real(), "/bin/sh", "the shell", absl::Minutes(10));
    const std::string waits = "trap 'echo x >> " + folder_ + "/end; exit' TERM; echo x >> " + folder_ + "/runs";
    ASSERT_TRUE(child.Run(Shell(waits + "; while :; do sleep 0.01; done")).ok());
    Until([&] { return Lines("runs") == 1; });
  }
  EXPECT_EQ(Lines("end"), 1u);
}

TEST_F(KeptChildTest, AProgramThatIsNotThereIsAnErrorAndTriedAgain) {
  KeptChild child(*loop_, Clock::Real(), folder_ + "/late", "the late one");
  EXPECT_FALSE(child.Run({"x"}).ok());
  std::ofstream(folder_ + "/late.new") << "#!/bin/sh\necho x >> " + folder_ + "/runs; exec sleep 1000\n";
  chmod((folder_ + "/late.new").c_str(), 0755);
  std::filesystem::rename(folder_ + "/late.new", folder_ + "/late");
  Until([&] { return Lines("runs") == 1; });
  EXPECT_TRUE(child.alive());
}

}  // namespace
}  // namespace holdpoint
