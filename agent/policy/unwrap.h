#pragma once

#include <string>
#include <vector>

#include "agent/policy/act.h"
#include "agent/policy/fact_book.h"
#include "agent/policy/policy.h"
#include "agent/policy/programs.h"

namespace holdpoint {

struct Unwrapped {
  std::vector<ExecAct> acts;             // what the wrapper would start, known by name only
  std::vector<std::string> blind_spots;  // "program text from standard input", ...
  std::string unseen;                    // commands that run and could not be seen
  bool cut = false;                      // of `unseen`: they follow on others that were
};

// The commands that a wrapper (sh -c, env, sudo, xargs, find -exec, a multi-call program) would start. Text for a shell
// is divided without expanding anything. `skip` as in Policy::Candidate. `facts` (may be null) is asked for text on its
// standard input. Pure.
Unwrapped Unwrap(const ToolModel& tool, const ExecAct& act, size_t skip, FactBook* facts = nullptr);

// What a call in a program's text starts, where literals say it.
Unwrapped StartedBy(const ProgramCall& call, const ExecAct& around);

// The commands of one shell command line, with the working directory followed over plain `cd`.
Unwrapped SplitCommandLine(absl::string_view text, const ExecAct& around);

}  // namespace holdpoint
