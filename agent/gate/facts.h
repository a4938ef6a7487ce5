#pragma once

#include <optional>
#include <string>

#include "agent/base/clock.h"
#include "agent/base/ids.h"
#include "agent/gate/event_loop.h"
#include "agent/gate/judge_link.h"
#include "agent/response/response.h"

namespace holdpoint {

// A source of facts for one task: each request starts holdpoint-reader, which takes on the task's uid, groups, root,
// working directory and mount namespace before it looks at anything, and hands its answer back unread. A task that runs
// may have become another program: where `program` is given, nothing is read of one that is not that file any more.
JudgeLink::FactsSource FactsAbout(EventLoop& loop, const Clock& clock, std::string reader_program, StoppedTask task,
                                  std::optional<FileId> program = std::nullopt);

}  // namespace holdpoint
