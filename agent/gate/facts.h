#pragma once

#include <functional>
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
// `session_of` (may be empty) says which session a running process is labelled with, 0 for none, nothing where that is
// not known: of the processes that are asked about the answer gets it, behind what the reader wrote.
using SessionOfPid = std::function<std::optional<SessionNumber>(uint32_t pid)>;
JudgeLink::FactsSource FactsAbout(EventLoop& loop, const Clock& clock, std::string reader_program, StoppedTask task,
                                  std::optional<FileId> program = std::nullopt, SessionOfPid session_of = nullptr);

}  // namespace holdpoint
