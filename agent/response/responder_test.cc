// The Responder on real processes: needs root and the real kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "agent/response/desk.h"
#include "agent/response/proc.h"
#include "agent/response/response.h"
#include "agent/response/stage.h"

namespace holdpoint {
namespace {

using stage::Desk;
using stage::Options;
using stage::Pipe;
using stage::ReadToEnd;
using stage::Stage;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using What = ResponseResult::What;

constexpr char kText[] = "holdpoint: REFUSED, this command did not run (126): first_byte\nholdpoint: why: a test\n";

std::string FirstByte() { return stage::Program("first_byte"); }

bool ExitedWith(int status, int code) { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
bool KilledBy(int status, int signal) { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }

TEST(ResponderTest, RefusedTaskEndsWith126AndItsParentReadsWhy) {
  Desk desk;
  Pipe out, err;
  Stage stage({.argv = {FirstByte()}, .out = out.write.get(), .err = err.write.get()});
  out.write.reset();
  err.write.reset();
  ResponseResult result = desk.Refuse(stage.task(), kText);
  EXPECT_EQ(result.what, What::kRefused) << result.detail;
  EXPECT_TRUE(result.told) << result.detail;
  EXPECT_EQ(result.detail, "");
  EXPECT_TRUE(ExitedWith(stage.AwaitParentStatus(), 126));
  EXPECT_EQ(ReadToEnd(err.read.get()), kText);
  EXPECT_EQ(ReadToEnd(out.read.get()), "");
  EXPECT_THAT(desk.States(stage.task()), ElementsAre(HP_TASK_OWNED, HP_TASK_REFUSED));
}

TEST(ResponderTest, ReleasedTaskRunsItsProgram) {
  Desk desk;
  Pipe out;
  Stage stage({.argv = {FirstByte()}, .out = out.write.get()});
  out.write.reset();
  ASSERT_TRUE(desk.responder().ReleaseNow(stage.task()).ok());
  EXPECT_TRUE(ExitedWith(stage.AwaitParentStatus(), 0));
  EXPECT_EQ(ReadToEnd(out.read.get()), "X");
  EXPECT_THAT(desk.States(stage.task()), ElementsAre(HP_TASK_PASSED));
}

TEST(ResponderTest, OwnedTaskRunsAfterRelease) {
  Desk desk;
  Pipe out;
  Stage stage({.argv = {FirstByte()}, .out = out.write.get()});
  out.write.reset();
  EXPECT_EQ(desk.Own(stage.task()).what, What::kOwned);
  EXPECT_EQ(desk.Release(stage.task()).what, What::kReleased);
  EXPECT_TRUE(ExitedWith(stage.AwaitParentStatus(), 0));
  EXPECT_EQ(ReadToEnd(out.read.get()), "X");
  EXPECT_THAT(desk.States(stage.task()), ElementsAre(HP_TASK_OWNED, HP_TASK_PASSED));
}

TEST(ResponderTest, KilledTaskIsToldFirst) {
  Desk desk;
  Pipe out, err;
  Stage stage({.argv = {FirstByte()}, .out = out.write.get(), .err = err.write.get()});
  out.write.reset();
  err.write.reset();
  stage.AwaitStopped();
  ResponseResult result = desk.Kill(stage.task(), kText);
  EXPECT_EQ(result.what, What::kKilled) << result.detail;
  EXPECT_TRUE(result.told) << result.detail;
  EXPECT_TRUE(KilledBy(stage.AwaitParentStatus(), SIGKILL));
  EXPECT_EQ(ReadToEnd(err.read.get()), kText);
  EXPECT_EQ(ReadToEnd(out.read.get()), "");
}

TEST(ResponderTest, EndedTaskExitsAsAShellSaysOfAKilledOne) {
  Desk desk;
  Pipe out, err;
  Stage stage({.argv = {FirstByte()}, .out = out.write.get(), .err = err.write.get()});
  out.write.reset();
  err.write.reset();
  const ResponseResult result = desk.End(stage.task(), kText);
  EXPECT_EQ(result.what, What::kKilled) << result.detail;
  EXPECT_TRUE(result.told) << result.detail;
  EXPECT_TRUE(ExitedWith(stage.AwaitParentStatus(), 137));
  EXPECT_EQ(ReadToEnd(err.read.get()), kText);
  EXPECT_EQ(ReadToEnd(out.read.get()), "");
  EXPECT_THAT(desk.States(stage.task()), ElementsAre(HP_TASK_OWNED, HP_TASK_REFUSED));
}

TEST(ResponderTest, ShellReads126) {
  Desk desk;
  Pipe out;
  Stage stage({.argv = {"/bin/sh", "-c", absl::StrCat(FirstByte(), "; echo rc=$?")},
               .target = FirstByte(),
               .out = out.write.get(),
               .err = out.write.get()});
  out.write.reset();
  EXPECT_EQ(desk.Refuse(stage.task(), kText).what, What::kRefused);
  EXPECT_EQ(ReadToEnd(out.read.get()), absl::StrCat(kText, "rc=126\n"));
}

TEST(ResponderTest, CommandForAnEndedTaskIsGone) {
  Desk desk;
  Stage stage({.argv = {FirstByte()}});
  kill(stage.pid(), SIGKILL);
  EXPECT_TRUE(KilledBy(stage.AwaitParentStatus(), SIGKILL));
  EXPECT_EQ(desk.Own(stage.task()).what, What::kGone);
  EXPECT_EQ(desk.Refuse(stage.task(), kText).what, What::kGone);
  EXPECT_EQ(desk.Kill(stage.task(), kText).what, What::kGone);
  EXPECT_EQ(desk.Release(stage.task()).what, What::kGone);
  EXPECT_TRUE(absl::IsNotFound(desk.responder().ReleaseNow(stage.task())));
}

class StarterTest : public testing::TestWithParam<Options::How> {};

TEST_P(StarterTest, HoldsReleasesAndRefuses) {
  for (bool pass : {true, false}) {
    Pipe out;
    Stage stage({.argv = {FirstByte()}, .out = out.write.get(), .how = GetParam()});
    out.write.reset();
    Desk desk;  // After the fork: that parent starts threads, which ThreadSanitizer allows only where there were none.
    ASSERT_EQ(desk.Own(stage.task()).what, What::kOwned);
    if (pass) {
      EXPECT_EQ(desk.Release(stage.task()).what, What::kReleased);
    } else {
      EXPECT_EQ(desk.Refuse(stage.task(), "").what, What::kRefused);
    }
    EXPECT_TRUE(ExitedWith(stage.AwaitParentStatus(), pass ? 0 : 126));
    EXPECT_EQ(ReadToEnd(out.read.get()), pass ? "X" : "");
  }
}

INSTANTIATE_TEST_SUITE_P(All, StarterTest,
                         testing::Values(Options::How::kFork, Options::How::kVfork, Options::How::kPosixSpawn,
                                         Options::How::kForkInThread));

TEST(ResponderTest, DynamicProgramsOutputIsWholeAfterAHold) {
  Desk desk;
  Pipe out;
  Stage stage({.argv = {"/usr/bin/seq", "20000"}, .out = out.write.get()});
  out.write.reset();
  ASSERT_EQ(desk.Own(stage.task()).what, What::kOwned);
  ASSERT_EQ(desk.Release(stage.task()).what, What::kReleased);
  const std::string text = ReadToEnd(out.read.get());
  EXPECT_EQ(text.size(), 108'894u);
  EXPECT_EQ(text.substr(text.size() - 6), "20000\n");
  EXPECT_TRUE(ExitedWith(stage.AwaitParentStatus(), 0));
}

TEST(ResponderTest, HeldTaskIsToldAndStaysHeld) {
  Desk desk;
  Pipe out, err;
  Stage stage({.argv = {FirstByte()}, .out = out.write.get(), .err = err.write.get()});
  out.write.reset();
  err.write.reset();
  EXPECT_EQ(desk.Tell(stage.task(), "early\n").what, What::kGone) << "not owned";
  ASSERT_EQ(desk.Own(stage.task()).what, What::kOwned);
  ResponseResult told = desk.Tell(stage.task(), "held\n");
  EXPECT_EQ(told.what, What::kOwned);
  EXPECT_TRUE(told.told) << told.detail;
  EXPECT_EQ(desk.Release(stage.task()).what, What::kReleased);
  EXPECT_EQ(ReadToEnd(out.read.get()), "X");
  EXPECT_EQ(ReadToEnd(err.read.get()), "held\n");
}

TEST(ResponderTest, CommandsForOneStopAreCarriedOutInOrder) {
  Desk desk;
  Pipe out;
  Stage stage({.argv = {FirstByte()}, .out = out.write.get()});
  out.write.reset();
  std::vector<What> results;
  const auto note = [&](const ResponseResult& result) { results.push_back(result.what); };
  desk.responder().Own(stage.task(), note);
  desk.responder().Own(stage.task(), note);
  desk.responder().Refuse(stage.task(), kText, note);
  desk.responder().Release(stage.task(), note);
  desk.responder().Kill(stage.task(), "", note);
  ASSERT_TRUE(desk.DispatchUntil([&] { return results.size() == 5; }));
  EXPECT_THAT(results, ElementsAre(What::kOwned, What::kOwned, What::kRefused, What::kRefused, What::kRefused));
  EXPECT_TRUE(ExitedWith(stage.AwaitParentStatus(), 126));
  EXPECT_EQ(ReadToEnd(out.read.get()), "");
}

TEST(ResponderTest, ReleaseAskedForBeforeTheHoldIsTakenRunsTheProgram) {
  Desk desk;
  Pipe out;
  Stage stage({.argv = {FirstByte()}, .out = out.write.get()});
  out.write.reset();
  std::vector<What> results;
  const auto note = [&](const ResponseResult& result) { results.push_back(result.what); };
  desk.responder().Own(stage.task(), note);
  desk.responder().Release(stage.task(), note);
  ASSERT_TRUE(desk.DispatchUntil([&] { return results.size() == 2; }));
  EXPECT_THAT(results, ElementsAre(What::kOwned, What::kReleased));
  EXPECT_EQ(ReadToEnd(out.read.get()), "X");
}

TEST(ResponderTest, HundredHoldsAtOnceEachGetTheirOwnAnswer) {
  Desk desk;
  std::vector<std::unique_ptr<Pipe>> outs;
  std::vector<Stage> stages;
  int owned = 0, ended = 0;
  for (int i = 0; i < 100; ++i) {
    outs.push_back(std::make_unique<Pipe>());
    stages.emplace_back(Options{.argv = {FirstByte()}, .out = outs.back()->write.get()});
    outs.back()->write.reset();
    desk.responder().Own(stages.back().task(), [&](const ResponseResult& r) { owned += r.what == What::kOwned; });
  }
  ASSERT_TRUE(desk.DispatchUntil([&] { return owned == 100; }));
  for (int i = 0; i < 100; ++i) {
    const What wanted = i % 3 == 0 ? What::kReleased : i % 3 == 1 ? What::kRefused : What::kKilled;
    const auto note = [&ended, wanted, i](const ResponseResult& r) {
      EXPECT_EQ(r.what, wanted) << i << ": " << r.detail;
      ++ended;
    };
    if (i % 3 == 0) desk.responder().Release(stages[i].task(), note);
    if (i % 3 == 1) desk.responder().Refuse(stages[i].task(), "", note);
    if (i % 3 == 2) desk.responder().Kill(stages[i].task(), "", note);
  }
  ASSERT_TRUE(desk.DispatchUntil([&] { return ended == 100; }));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(ReadToEnd(outs[i]->read.get()), i % 3 == 0 ? "X" : "") << i;
}

TEST(ResponderTest, ChildrenOfOtherThreadsAreNotReaped) {
  Desk desk;
  std::vector<Stage> stages;
  for (int i = 0; i < 20; ++i) stages.emplace_back(Options{.argv = {FirstByte()}});
  const pid_t child = fork();
  if (child == 0) _exit(7);
  for (const Stage& stage : stages) ASSERT_EQ(desk.Refuse(stage.task(), "").what, What::kRefused);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(ExitedWith(status, 7));
}

TEST(ResponderTest, NotOneByteInAThousandRefusals) {
  Desk desk;
  Pipe out, err;
  for (int i = 0; i < 1000; ++i) {
    Stage stage({.argv = {FirstByte()}, .out = out.write.get(), .err = err.write.get()});
    ResponseResult result = desk.Refuse(stage.task(), "r");
    ASSERT_EQ(result.what, What::kRefused) << i << ": " << result.detail;
    ASSERT_TRUE(ExitedWith(stage.AwaitParentStatus(), 126)) << i;
  }
  out.write.reset();
  err.write.reset();
  EXPECT_EQ(ReadToEnd(out.read.get()), "");
  EXPECT_EQ(ReadToEnd(err.read.get()), std::string(1000, 'r'));
}

}  // namespace
}  // namespace holdpoint
