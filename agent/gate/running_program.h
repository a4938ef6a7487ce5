#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "agent/base/fd.h"
#include "agent/base/file_id.h"
#include "agent/base/ids.h"
#include "holdpoint/v1/event.pb.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// A process that is, or may become, the root of a session.
struct SessionRoot {
  ProcessId process;
  std::shared_ptr<UniqueFd> pidfd;
  uint32_t uid = 0;
  std::string owner;
  v1::Process shown;  // as the record shows it
  bool found_at_start = false;  // it ran before the gate did
};

// What a process runs, as it shows at this moment, and the question whether that is a coding agent under any name.
struct RunningProgram {
  FileId file;
  SessionRoot root;
  v1::ConsultSession question;
};

// kNotFound: it has ended, or has no program (a kernel thread). Nothing is parsed.
absl::StatusOr<RunningProgram> LookAtRunning(const ProcessId& process);

}  // namespace holdpoint
