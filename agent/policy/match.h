#pragma once

#include <vector>

#include "agent/policy/act.h"
#include "agent/policy/requests.h"
#include "agent/policy/rule.h"
#include "agent/policy/statements.h"
#include "agent/policy/tool.h"

namespace holdpoint {

// Whether the command line passes every test given. Pure.
bool Matches(const CallTest& test, const ToolCall& call, const ExecAct& act);

bool Matches(const StatementTest& test, const StatementView& view);

// One way in which a request passes a test: the GraphQL field that matched, null where the test asks for none.
struct RequestHit {
  const RequestView* request = nullptr;
  const GraphqlOperation* operation = nullptr;
  const GraphqlField* field = nullptr;
};

// Every way in which the request passes, at most one for each GraphQL field. Pure.
std::vector<RequestHit> Hits(const RequestTest& test, const RequestView& request);

}  // namespace holdpoint
