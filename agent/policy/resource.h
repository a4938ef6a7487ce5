#pragma once

#include <string>
#include <vector>

#include "agent/policy/act.h"
#include "agent/policy/match.h"
#include "agent/policy/programs.h"
#include "agent/policy/rule.h"
#include "agent/policy/tool.h"

namespace holdpoint {

// The ids of the resources that a hit of this rule is about, in the order of the act; may be empty. With operands that
// nobody has seen the last one is empty. Pure.
// `statement` and `program` are null where the hit is about none.
std::vector<std::string> ResourceIds(const Rule& rule, const ToolCall& call, const RequestHit& hit,
                                     const StatementView* statement, const ProgramCall* program,
                                     const ExecAct& act);

}  // namespace holdpoint
