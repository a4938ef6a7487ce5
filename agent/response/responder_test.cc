// The Responder on real processes: needs root and the real kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

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

std::string FirstByte() { return absl::StrCat(getenv("HP_TEST_PROGRAMS"), "/first_byte"); }

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
