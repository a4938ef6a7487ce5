#pragma once

#include <vector>

#include "agent/environment/configuration.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// Files with credentials whose opening in a session is recorded: those that the configuration names, then those in which
// well-known tools keep theirs. A glob of the configuration that has one in a folder's name ("**/token") stands for that
// file in the session's workspace alone: folders are not searched. Pure.
std::vector<v1::CredentialFile> CredentialFiles(const Configuration& configuration);

}  // namespace holdpoint
