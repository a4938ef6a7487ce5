#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/suggest/sightings.h"

namespace holdpoint {

// A configuration file with proposals written into it: everything that a person wrote stays as it is.
struct ConfigEdit {
  std::string text;  // of the new file
  std::string diff;  // unified, for patch(1); empty where nothing is proposed
};

// `name` is what the diff and messages call the file; `bytes` is what it holds, empty where there is none. Proposals
// without an environment are left out. The new text was loaded, and tags everything that is proposed as proposed.
// Errors: kFailedPrecondition a file that is not accepted as it is, kInternal an edit that would not be.
absl::StatusOr<ConfigEdit> WriteProposals(absl::string_view name, absl::string_view bytes,
                                          const std::vector<Proposal>& proposals);

}  // namespace holdpoint
