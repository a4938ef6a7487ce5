#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/base/ids.h"
#include "agent/response/proc.h"

namespace holdpoint {

// What a process was started by: the argv of `parent` and of those above it, nearest first, at most four, without
// `root` and what is above it. Bytes as the processes have them now, bounded and hostile: who runs may have rewritten
// them. For the record only; empty where they have ended.
std::vector<std::string> AncestorsOf(ProcessId parent, const ProcessId& root);

// What the standard input of a process is: "pipe", "socket" or "file"; empty for a terminal, a device, or none.
std::string StdinKind(const ProcDir& process);

// The kernel's own note of who logged in, which sudo does not change; 4294967295 for nobody.
uint32_t LoginUid(pid_t pid);

}  // namespace holdpoint
