#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/policy/act.h"
#include "agent/policy/fact_book.h"
#include "agent/policy/tool.h"

namespace holdpoint {

struct GitAliasResult {
  std::optional<std::vector<std::string>> argv;  // with the alias replaced by what it stands for
  std::string blind_spot;
};

// What git makes of a sub-command that it does not have: an alias from `-c alias.NAME=`, from GIT_CONFIG_COUNT
// variables, or from the configuration that `facts` knows. Aliases of aliases are followed up to five times. One that
// starts with "!" runs a shell, whose execs are seen: nothing is replaced. Pure; asks `facts`.
GitAliasResult ExpandGitAlias(const ToolCall& call, const ToolModel& git, const std::vector<std::string>& argv,
                              const ExecAct& act, FactBook* facts);

}  // namespace holdpoint
