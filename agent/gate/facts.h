#pragma once

#include <string>

#include "agent/base/clock.h"
#include "agent/gate/event_loop.h"
#include "agent/gate/judge_link.h"
#include "agent/response/response.h"

namespace holdpoint {

// A source of facts for one task: each request starts holdpoint-reader, which takes on the task's uid, groups, root,
// working directory and mount namespace before it looks at anything, and hands its answer back unread.
JudgeLink::FactsSource FactsAbout(EventLoop& loop, const Clock& clock, std::string reader_program, StoppedTask task);

}  // namespace holdpoint
