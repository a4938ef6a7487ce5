#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/ids.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// What a restarted gate must know of a session besides its labels, as one small file per session below RUN/sessions.
// Labels and these files both end with the boot.
absl::Status KeepSession(const std::string& run, SessionNumber number, const v1::SessionStarted& started);
// kNotFound where there is none; kDataLoss where it can't be read back.
absl::StatusOr<v1::SessionStarted> ReadKeptSession(const std::string& run, SessionNumber number);
void ForgetSession(const std::string& run, SessionNumber number);

}  // namespace holdpoint
