// holdpoint-judge as the gate starts it: a process of its own, with a socket pair's end as descriptor 3.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/judge/channel.h"
#include "agent/judge/test_world.h"

namespace holdpoint {
namespace {

using testing::HasSubstr;

std::string Program() {
  const char* build = getenv("HP_BUILD_DIR");
  return absl::StrCat(build == nullptr ? "." : build, "/bin/holdpoint-judge");
}

class JudgeProcessTest : public testing::Test {
 protected:
  void SetUp() override {
    auto ends = JudgeChannel::Pair();
    ASSERT_TRUE(ends.ok()) << ends.status();
    UniqueFd theirs = std::move(ends->second);
    channel_ = std::make_unique<JudgeChannel>(std::move(ends->first), JudgeChannel::Mode::kBlocking);
    const std::string program = Program();
    pid_ = fork();
    ASSERT_GE(pid_, 0);
    if (pid_ == 0) {
      if (dup2(theirs.get(), 3) < 0 || (theirs.get() == 3 && fcntl(3, F_SETFD, 0) != 0)) _exit(99);
      setenv("ASAN_OPTIONS", "detect_leaks=0", 1);  // The judge may not look into itself.
      execl(program.c_str(), "holdpoint-judge", "--memory-mib", "0", nullptr);
      _exit(98);
    }
  }

  void TearDown() override {
    channel_.reset();  // It sees the end and exits.
    if (pid_ > 0) {
      int status = 0;
      ASSERT_EQ(waitpid(pid_, &status, 0), pid_);
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "wait status " << status;
    }
  }

  v1::FromJudge Ask(const v1::ToJudge& message) {
    EXPECT_TRUE(channel_->Send(message).ok());
    v1::FromJudge answer;
    const auto got = channel_->Receive(&answer);
    EXPECT_TRUE(got.ok() && *got) << got.status();
    return answer;
  }

  std::string Status() {
    std::ifstream in(absl::StrCat("/proc/", pid_, "/status"));
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }

  pid_t pid_ = -1;
  std::unique_ptr<JudgeChannel> channel_;
};

TEST_F(JudgeProcessTest, JudgesTheReferenceIncident) {
  const v1::FromJudge configured = Ask(testworld::ConfigureMessage(1));
  ASSERT_TRUE(configured.configured().accepted()) << configured.configured().problem();
  v1::FromJudge answer = Ask(testworld::ExecMessage(2, "/usr/bin/curl", testworld::IncidentArgv()));
  if (answer.has_facts_wanted()) {  // ~/.curlrc
    v1::ToJudge facts;
    facts.set_id(2);
    facts.mutable_facts();
    answer = Ask(facts);
  }
  EXPECT_EQ(answer.exec().judgement().verdict(), v1::VERDICT_HOLD) << answer.ShortDebugString();
}

TEST_F(JudgeProcessTest, HasNoRightsLeftWhenItAnswers) {
  ASSERT_TRUE(Ask(testworld::ConfigureMessage(1)).configured().accepted());
  const std::string status = Status();
  EXPECT_THAT(status, HasSubstr("Seccomp:\t2"));
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(status, HasSubstr("CapEff:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("CapPrm:\t0000000000000000"));
  if (geteuid() != 0) {
    printf("not root: uid, root directory and network of the judge are not looked at\n");
    return;
  }
  EXPECT_THAT(status, HasSubstr("CapBnd:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("Uid:\t64711\t64711\t64711\t64711"));
  EXPECT_THAT(status, HasSubstr("Gid:\t64711\t64711\t64711\t64711"));
  struct stat judge_net, own_net;
  ASSERT_EQ(stat(absl::StrCat("/proc/", pid_, "/ns/net").c_str(), &judge_net), 0);
  ASSERT_EQ(stat("/proc/self/ns/net", &own_net), 0);
  EXPECT_NE(judge_net.st_ino, own_net.st_ino);
  EXPECT_NE(access(absl::StrCat("/proc/", pid_, "/root/etc").c_str(), F_OK), 0);
}

// More than a packet in both directions: the message goes over a memfd, which the sandbox must allow to make and read.
TEST_F(JudgeProcessTest, AnswersLongMessages) {
  ASSERT_TRUE(Ask(testworld::ConfigureMessage(1)).configured().accepted());
  v1::ToJudge message;
  message.set_id(5);
  for (int i = 0; i < 4000; ++i) message.mutable_describe()->add_raw_argv(std::string(400, 'x'));
  const v1::FromJudge answer = Ask(message);
  EXPECT_EQ(answer.described().argv_size(), 4000);
  EXPECT_GT(answer.ByteSizeLong(), JudgeChannel::kMaxPacket);
}

TEST_F(JudgeProcessTest, AnArgvOfTwoMegabytesIsJudged) {
  ASSERT_TRUE(Ask(testworld::ConfigureMessage(1)).configured().accepted());
  std::vector<std::string> argv = {"rm", "-rf"};
  for (int i = 0; i < 20000; ++i) argv.push_back(absl::StrCat("/srv/data/", std::string(90, 'a'), i));
  v1::FromJudge answer = Ask(testworld::ExecMessage(2, "/usr/bin/rm", argv));
  for (int i = 0; i < 4 && answer.has_facts_wanted(); ++i) {
    EXPECT_LE(answer.facts_wanted().paths_size(), 128);
    v1::ToJudge facts;
    facts.set_id(2);
    facts.mutable_facts();
    answer = Ask(facts);
  }
  EXPECT_EQ(answer.exec().judgement().verdict(), v1::VERDICT_HOLD) << answer.exec().judgement().ShortDebugString();
}

TEST(JudgeProcessAloneTest, WithoutAChannelItSaysSoAndExits) {
  const pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    close(3);
    execl(Program().c_str(), "holdpoint-judge", nullptr);
    _exit(98);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 69);
}

}  // namespace
}  // namespace holdpoint
