#include "collector/store/schema.h"

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

// Hashes and records are raw bytes, times are nanoseconds since 1970 (UTC).
constexpr char kTables[] = R"sql(
BEGIN IMMEDIATE;
CREATE TABLE streams (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL UNIQUE,
  host TEXT NOT NULL, host_id TEXT NOT NULL, boot_id TEXT NOT NULL, instance TEXT NOT NULL,
  verified_to INTEGER NOT NULL DEFAULT 0,   -- all up to this sequence is accounted for
  verified_hash BLOB NOT NULL DEFAULT x'',
  changed INTEGER NOT NULL DEFAULT 1        -- there is something to verify
) STRICT;
CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  stream INTEGER NOT NULL REFERENCES streams(id),
  sequence INTEGER NOT NULL,
  session TEXT NOT NULL, session_sequence INTEGER NOT NULL,
  time_unix_ns INTEGER NOT NULL,
  type TEXT NOT NULL, environment TEXT NOT NULL, verdict INTEGER NOT NULL, ticket TEXT NOT NULL,
  hash BLOB NOT NULL, previous_hash BLOB NOT NULL,
  record BLOB NOT NULL,                     -- the serialised envelope, as it was hashed
  UNIQUE (stream, sequence)
) STRICT;
CREATE INDEX events_by_time ON events(time_unix_ns);
CREATE INDEX events_by_session ON events(session, time_unix_ns) WHERE session <> '';
CREATE TABLE sessions (
  host_id TEXT NOT NULL, session TEXT NOT NULL,
  host TEXT NOT NULL,
  coding_agent TEXT NOT NULL DEFAULT '', user TEXT NOT NULL DEFAULT '', owner TEXT NOT NULL DEFAULT '',
  environment TEXT NOT NULL DEFAULT '', workspace TEXT NOT NULL DEFAULT '',
  started_unix_ns INTEGER, ended_unix_ns INTEGER, end_reason TEXT NOT NULL DEFAULT '',
  last_unix_ns INTEGER NOT NULL,
  events INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (host_id, session)
) STRICT, WITHOUT ROWID;
CREATE TABLE tombstones (
  run_id TEXT NOT NULL, first_sequence INTEGER NOT NULL, last_sequence INTEGER NOT NULL,
  last_hash BLOB NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (run_id, first_sequence, last_sequence, last_hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE ends (                         -- where the next run saw a stream end
  run_id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, hash BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE findings (
  run_id TEXT NOT NULL,                     -- empty where a message is no record at all
  kind TEXT NOT NULL, first_sequence INTEGER NOT NULL, last_sequence INTEGER NOT NULL,
  text TEXT NOT NULL, found_unix_ns INTEGER NOT NULL,
  PRIMARY KEY (run_id, kind, first_sequence, last_sequence, text)
) STRICT, WITHOUT ROWID;
CREATE TABLE offsets (
  source TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
  PRIMARY KEY (source, topic, partition)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
COMMIT;
)sql";

absl::StatusOr<int64_t> OneNumber(Database& database, absl::string_view sql) {
  HP_ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
  HP_ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.Int(0) : 0;
}

}  // namespace

absl::Status CheckSchema(Database& database) {
  HP_ASSIGN_OR_RETURN(const int64_t version, OneNumber(database, "PRAGMA user_version"));
  if (version == kStoreSchema) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(database.path(), ": want a collector's database of version ",
                                                    kStoreSchema, ", got version ", version,
                                                    "; use another --db, or the collector that made this one"));
}

absl::Status EnsureSchema(Database& database) {
  HP_ASSIGN_OR_RETURN(const int64_t version, OneNumber(database, "PRAGMA user_version"));
  HP_ASSIGN_OR_RETURN(const int64_t tables, OneNumber(database, "SELECT count(*) FROM sqlite_schema"));
  if (version == 0 && tables == 0) {
    if (absl::Status status = database.Execute(kTables); !status.ok()) {
      database.Execute("ROLLBACK").IgnoreError();
      return status;
    }
  }
  return CheckSchema(database);
}

}  // namespace holdpoint
