#pragma once

#include <string>

#include "agent/base/ids.h"

namespace holdpoint {

// What of a stopped process can be made another while it waits, without it running: the folder that it stands in is
// moved, the file that it runs is written, replaced or removed.
struct Surroundings {
  std::string working_directory;  // as /proc gives it; bytes of a session
  FileId program;
};

// As they are now; empty where it has ended.
Surroundings SurroundingsOf(const ProcessId& process);

}  // namespace holdpoint
