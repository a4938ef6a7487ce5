// events, export, sinks and verify: what the record on disk says.
#include <fstream>

#include "agent/cli/test_cli.h"
#include "agent/event/recorder.h"
#include "agent/spool/spool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdpoint {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CliRecordTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    v1::StreamId stream;
    stream.set_host("h");
    stream.set_run_id("run-1");
    auto spool = Spool::Open(folder_ + "/spool", "run-1", {});
    ASSERT_TRUE(spool.ok()) << spool.status();
    spool_ = *std::move(spool);
    recorder_ = std::make_unique<Recorder>(stream, Clock::Real(), *spool_);
  }
  void Record(const std::string& session, const std::string& program) {
    v1::Envelope event;
    event.set_session(session);
    event.mutable_exec()->mutable_process()->add_argv(program);
    ASSERT_TRUE(recorder_->Record(std::move(event)).ok());
    ASSERT_TRUE(spool_->Sync().ok());
  }
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<Recorder> recorder_;
};

TEST_F(CliRecordTest, EventsAreFilteredAndCounted) {
  Record("s1", "make");
  Record("s2", "curl\x1b");
  Record("s1", "git");
  const Ended all = Run({"events", "--state", folder_});
  EXPECT_EQ(all.code, 0) << all.err;
  EXPECT_THAT(all.out, HasSubstr("make"));
  EXPECT_THAT(all.out, Not(HasSubstr("\x1b")));
  EXPECT_EQ(JsonLines(Run({"events", "--json", "--state", folder_, "--session", "s1"}).out).size(), 2u);
  EXPECT_EQ(JsonLines(Run({"events", "--json", "--state", folder_, "-n", "1"}).out).size(), 1u);
  EXPECT_EQ(JsonLines(Run({"events", "--json", "--state", folder_, "--kind", "connect"}).out).size(), 0u);
  EXPECT_EQ(JsonLines(Run({"events", "--json", "--state", folder_, "--kind", "exec"}).out).size(), 3u);
}

TEST_F(CliRecordTest, EventsAreExportedAsASiemReadsThem) {
  Record("s1", "make=|");
  EXPECT_THAT(Run({"events", "--format", "cef", "--state", folder_}).out, HasSubstr("CEF:0|Holdpoint|Holdpoint|"));
  const auto ocsf = JsonLines(Run({"events", "--format", "ocsf", "--state", folder_}).out);
  ASSERT_EQ(ocsf.size(), 1u);
  EXPECT_EQ(ocsf[0]["class_uid"], 1007);
  EXPECT_EQ(JsonLines(Run({"events", "--format", "ecs", "--state", folder_}).out)[0]["process"]["args"][0], "make=|");
  EXPECT_EQ(Run({"events", "--format", "json", "--state", folder_}).out, Run({"events", "--json", "--state", folder_}).out);
  EXPECT_EQ(Run({"events", "--format", "leef", "--state", folder_}).code, 2);
}

TEST_F(CliRecordTest, SinksSayHowFarTheyAre) {
  EXPECT_THAT(Run({"sinks", "--state", folder_}).out, HasSubstr("no sinks"));
  std::filesystem::create_directories(folder_ + "/stream/sinks/siem");
  std::ofstream(folder_ + "/stream/sinks/siem/counters")
      << R"({"target": "tcp://h:601\u001b", "format": "cef", "delivered": 12, "missing": 3, "failures": 1,
             "last_failure": "h: Connection refused", "last_failure_unix_ns": 5})";
  const Ended people = Run({"sinks", "--state", folder_});
  EXPECT_EQ(people.code, 0) << people.err;
  EXPECT_THAT(people.out, HasSubstr("away: h: Connection refused"));
  EXPECT_THAT(people.out, Not(HasSubstr("\x1b")));
  const auto rows = JsonLines(Run({"sinks", "--json", "--state", folder_}).out);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["name"], "siem");
  EXPECT_EQ(rows[0]["missing"], 3);
}

TEST_F(CliRecordTest, TheDaemonSaysWhereItsRecordIs) {
  Record("s1", "make");
  ServeReply(0, "", StatusBodies({.state = folder_}));
  const Ended ended = Run({"events", "--json"});
  EXPECT_EQ(JsonLines(ended.out).size(), 1u) << ended.err;
}

TEST_F(CliRecordTest, FollowGoesOnWithWhatHappensNext) {
  Record("s1", "first");
  int out[2];
  ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
  const UniqueFd out_fd(out[0]);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(out[1], 1);
    execl(Binary().c_str(), "holdpoint", "--state", folder_.c_str(), "events", "-f", "--json", nullptr);
    _exit(99);
  }
  close(out[1]);
  std::string seen;
  const auto wait_for = [&](const std::string& text) {
    while (seen.find(text) == std::string::npos) {
      pollfd ready{out_fd.get(), POLLIN, 0};
      ASSERT_EQ(poll(&ready, 1, 60000), 1) << seen;
      ASSERT_TRUE(Take(out_fd.get(), seen)) << seen;
    }
  };
  wait_for("first");
  Record("s1", "second");
  wait_for("second");
  kill(pid, SIGTERM);
  waitpid(pid, nullptr, 0);
}

TEST_F(CliRecordTest, VerifyFindsAChangedByte) {
  Record("s1", "make");
  Record("s1", "git");
  recorder_.reset();
  spool_.reset();
  const Ended whole = Run({"verify", "--state", folder_});
  EXPECT_EQ(whole.code, 0) << whole.out << whole.err;
  EXPECT_THAT(whole.out, HasSubstr("the record is whole"));
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder_ + "/spool")) {
    if (file.path().extension() != ".seg") continue;
    std::fstream segment(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    segment.seekg(0, std::ios::end);
    const std::streamoff middle = segment.tellg() / 2;
    segment.seekg(middle);
    const char byte = static_cast<char>(segment.get() ^ 1);
    segment.seekp(middle);
    segment.put(byte);
  }
  EXPECT_EQ(Run({"verify", "--state", folder_}).code, 1);
  EXPECT_EQ(JsonLines(Run({"verify", "--json", "--state", folder_}).out)[0]["ok"], false);
}

TEST_F(CliTest, NoRecordIs69) {
  EXPECT_EQ(Run({"events", "--state", folder_ + "/none"}).code, 69);
  EXPECT_EQ(Run({"verify", "--state", folder_ + "/none"}).code, 69);
}

}  // namespace
}  // namespace holdpoint
