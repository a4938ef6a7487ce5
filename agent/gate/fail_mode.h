#pragma once

#include <string>

#include "agent/session/session_table.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// What is recorded of an act that nobody could judge: refused where its environment fails closed, else let pass.
v1::Judgement FailModeJudgement(const Session& session, const std::string& why, bool closed);

}  // namespace holdpoint
