#pragma once

#include <deque>
#include <string>
#include <vector>

#include "agent/environment/configuration.h"
#include "agent/policy/act.h"
#include "agent/policy/fact_book.h"
#include "agent/policy/match.h"
#include "agent/policy/policy.h"
#include "agent/policy/programs.h"
#include "agent/policy/requests.h"
#include "agent/policy/statements.h"
#include "agent/policy/tool.h"

namespace holdpoint {

// A rule that matched, and what it matched.
struct Hit {
  const Rule* rule = nullptr;
  const ToolCall* call = nullptr;
  RequestHit request;
  const StatementView* statement = nullptr;
  const ProgramCall* program = nullptr;
};

// Everything about one act that rules look at, and the rules that match it. Hits point into it: it stays where it is.
struct Collected {
  Collected() = default;
  Collected(const Collected&) = delete;
  Collected& operator=(const Collected&) = delete;

  const ExecAct& ActOf(const Hit& hit) const;

  bool listed = false;         // something describes this program, or a rule for what nothing describes fits it
  bool starts_others = false;  // all it does itself is to start others
  std::string tool_name;       // the first
  std::deque<ExecAct> inner_acts;  // what it starts that has no exec of its own
  std::deque<ToolCall> calls;
  std::vector<const ExecAct*> acts_of_calls;  // beside calls
  std::deque<RequestsOfAct> requests;
  std::deque<std::vector<StatementView>> statements;
  std::deque<ProgramOfAct> programs;
  std::vector<Hit> hits;
  struct Unseen {
    std::string what;
    bool cut = false;  // it was seen, and goes on past what is looked at
  };
  std::vector<Unseen> unseen;            // of what it would do
  std::vector<std::string> blind_spots;  // what was not looked at
};

RuleMode ModeOf(const Rule& rule, const Configuration& configuration);

// Rules that are off match nothing. Pure; asks `facts`.
void Collect(const Policy& policy, const ExecAct& act, const Configuration& configuration, FactBook* facts,
             Collected* out);

}  // namespace holdpoint
