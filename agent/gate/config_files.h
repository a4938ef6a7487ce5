#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/gate/options.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// Reads the configuration, agents.yaml beside it (where there is one), the rule packs and the fingerprint key as
// bytes, for the judge to understand. Each file must be owned by root (or by us) and writable by nobody else: what a
// session's user can write decides nothing.
//
// Errors: kFailedPrecondition with the file, what is wrong and what to do.
absl::StatusOr<v1::Configure> ReadConfigFiles(const Options& options);

// Where programs of these names lie on this host's standard search path, with their identity and content hash: what a
// copied, renamed or linked one is known by. Names that are not there are left out.
std::vector<v1::KnownFile> FindKnownFiles(const std::vector<std::string>& names);

}  // namespace holdpoint
