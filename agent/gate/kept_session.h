#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/ids.h"
#include "agent/session/session_table.h"
#include "holdpoint/v1/event.pb.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// What a restarted gate must know of a session besides its labels, as one small file per session below RUN/sessions.
// Labels and these files both end with the boot.
struct KeptFile {
  v1::SessionStarted started;
  v1::KeptSession rest;
};

// As the judge is told of it, but for how long ago that was.
v1::SeenCredential SeenOf(const OpenedCredential& opened);

// `started`, and of `session` what that does not say.
absl::Status KeepSession(const std::string& run, const Session& session, const v1::SessionStarted& started);
// The same with the SessionStarted that is kept already. kNotFound where there is none.
absl::Status KeepSession(const std::string& run, const Session& session);
// kNotFound where there is none; kDataLoss where it can't be read back.
absl::StatusOr<KeptFile> ReadKeptSession(const std::string& run, SessionNumber number);
// `session` has its uid already.
void Restore(const v1::KeptSession& kept, Session* session);
void ForgetSession(const std::string& run, SessionNumber number);

}  // namespace holdpoint
