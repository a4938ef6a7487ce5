#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "collector/store/query.h"
#include "collector/verify/topic_verifier.h"

namespace holdpoint {

// Each prints one view of the database to stdout: a table for people, or with `json` one object a line. What sessions
// wrote is escaped.
absl::Status PrintSessions(Query& query, bool json);
absl::Status PrintEvents(Query& query, const EventFilter& filter, bool json, bool color);
// True where there are no findings.
absl::StatusOr<bool> PrintVerification(Query& query, bool json);
bool PrintTopicReport(const TopicReport& report, bool json);

}  // namespace holdpoint
