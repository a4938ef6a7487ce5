#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "agent/environment/coding_agents.h"
#include "agent/environment/configuration.h"
#include "holdpoint/v1/judge.pb.h"

// The judge's answer to "is this candidate a coding agent, and which environment is its session in?". Pure.
namespace holdpoint {

// What has to be read before ConsultSession can be answered, with what was read so far (null: nothing): the script of
// an interpreter, the package.json around it, texts in a large executable; of a session also git's view of the working
// directory. Nothing where that would not change the answer.
std::optional<v1::FactsWanted> SessionFactsWanted(const v1::ConsultSession& consult, const CodingAgents& agents,
                                                  const v1::Facts* facts = nullptr);

// `facts` may be null or partial: then the working directory is the workspace and no branch is known. `key` is for
// the redacted argv. Never fails: what cannot be (an unknown environment, one less strict than the enclosing
// session's) is said in `problem`.
v1::SessionVerdict HandleConsultSession(const v1::ConsultSession& consult, const v1::Facts* facts,
                                        const Configuration& configuration, const CodingAgents& agents,
                                        absl::string_view key);

}  // namespace holdpoint
