#pragma once

#include <string>

#include "agent/environment/configuration.h"
#include "agent/policy/policy.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// What is said of a connect. The kernel has decided by the same table (FillConfigured's destinations): a destination
// that refuses always, or that is protected and not the session's environment, is refused; a connect can't be held. The
// rest is allowed or audited by the decision table; what a Sigma rule of `policy` finds is audited. Pure.
v1::ConnectVerdict JudgeConnect(const Configuration& configuration, const Policy& policy, const std::string& policy_hash,
                                const v1::ConsultConnect& consult);

}  // namespace holdpoint
