#include "agent/gate/event_loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include "agent/base/fd.h"

namespace holdpoint {
namespace {

TEST(EventLoopTest, NothingRunsBehindStopThoughItIsDue) {
  auto loop = EventLoop::Create(Clock::Real());
  ASSERT_TRUE(loop.ok());
  const BootTime due = Clock::Real().Boot();
  int ran = 0;
  const UniqueFd ready(eventfd(1, EFD_CLOEXEC));
  ASSERT_TRUE((*loop)->Add(ready.get(), [&] { (*loop)->Stop(); }).ok());
  (*loop)->At(due, [&] { ++ran; });
  ASSERT_TRUE((*loop)->Run().ok());
  EXPECT_EQ(ran, 0) << "a reader stopped it";

  (*loop)->Remove(ready.get());
  (*loop)->At(due, [&] { (*loop)->Stop(); });
  (*loop)->At(due, [&] { ++ran; });
  ASSERT_TRUE((*loop)->Run().ok());
  EXPECT_EQ(ran, 1) << "the one before the stop, not the one behind it";
}

}  // namespace
}  // namespace holdpoint
