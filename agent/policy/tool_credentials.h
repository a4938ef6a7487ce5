#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "agent/environment/credentials.h"
#include "agent/policy/act.h"
#include "agent/policy/fact_book.h"
#include "agent/policy/tool.h"

namespace holdpoint {

// Credentials that a command uses without naming them, of which something says an environment: variables that its tool
// reads (a program that only inherits them uses none), and of the AWS tools the profile, by its keys, its name and its
// account. Asks for ~/.aws/credentials and ~/.aws/config of calls of those. Pure.
std::vector<FoundCredential> CredentialsOfTool(const ToolCall& call, const ExecAct& act, const Configuration& configuration,
                                               absl::string_view key, FactBook* facts);

// Whether it may find any for a call of this tool, whatever the configuration.
bool MayCarryCredentials(const ToolModel& tool);

}  // namespace holdpoint
