#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

inline constexpr char kPresenceServiceFile[] = "service";

// The PAM service that a password is checked with: the one word of FOLDER/service, which only root can have written, or
// "holdpoint" where there is no such file. kFailedPrecondition: others could have written it, or it is no such word.
//
// It comes from there and not over the daemon: the rest of the configuration is read by the judge, which hostile text
// goes through, and whoever chooses the service chooses what counts as a proof.
absl::StatusOr<std::string> ReadPresenceService(const std::string& folder);

// The word itself; kInvalidArgument for another text. One line feed at its end belongs to the file.
absl::StatusOr<std::string> ParsePresenceService(absl::string_view text);

}  // namespace holdpoint
