#pragma once

#include <optional>

#include "agent/policy/argv_patterns.h"
#include "agent/policy/rule.h"
#include "agent/policy/tool.h"

namespace holdpoint {

// What is in the argv of every call of `tool` on which `test` holds: one of these patterns. Nothing where that can't be
// said (rm: any file). Only what a test wants is looked at, never what it does not want, so that a condition which is
// not understood here leaves more to be asked. Pure.
std::optional<ArgvPatterns> NeededFor(const CallTest& test, const ToolModel& tool);

// What `-x`, `--xx` and their abbreviations look like, for the option that the tool reports as `name`.
ArgvPatterns FormsOf(const ToolModel& tool, const std::string& name);

}  // namespace holdpoint
