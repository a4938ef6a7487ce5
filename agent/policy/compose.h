#pragma once

#include <string>
#include <vector>

#include "agent/environment/credentials.h"
#include "agent/policy/act.h"
#include "agent/policy/collect.h"
#include "agent/policy/fact_book.h"
#include "agent/policy/policy.h"
#include "agent/policy/scored.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// What one judgement is made of besides the score that decides.
struct JudgedAct {
  const ExecAct& act;
  const EvaluationContext& context;
  const Collected& collected;
  const FactBook& facts;
  const std::vector<FoundCredential>& credentials;
  const EnvironmentTag& session_tag;
  const std::string& first_reader;  // a sentence for the reason, or empty
};

// The judgement in the words that people, agents and the record get: everything redacted, escaped and bounded. Sets the
// digests of the act and of its target.
v1::Judgement Compose(const Scored& scored, const JudgedAct& judged);

// "drop table orders", "delete from orders, all rows", or what can't be seen. Neither escaped nor redacted.
std::string ShortStatement(const SqlStatement& statement);

}  // namespace holdpoint
