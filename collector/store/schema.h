#pragma once

#include "absl/status/status.h"
#include "collector/store/database.h"

namespace holdpoint {

// The version of the tables below, in PRAGMA user_version.
inline constexpr int kStoreSchema = 1;

// Makes the tables in an empty database; accepts one of the same version.
// Errors: kFailedPrecondition for another version or for a database of somebody else.
absl::Status EnsureSchema(Database& database);

// The same without making anything.
absl::Status CheckSchema(Database& database);

}  // namespace holdpoint
