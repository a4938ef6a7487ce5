#pragma once

#include "agent/policy/act.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// What the evaluation of `act` wants to know of this host's files, read in this process with the caller's rights: for
// `holdpoint check --look`. Bounded as the daemon's reader is.
v1::Facts LookHere(const ExecAct& act, const v1::FactsWanted& wanted);

}  // namespace holdpoint
