#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "collector/store/database.h"

namespace holdpoint {

struct SessionRow {
  std::string host, session, coding_agent, user, owner, environment, workspace, end_reason;
  std::optional<int64_t> started_unix_ns, ended_unix_ns;
  int64_t last_unix_ns = 0;
  int64_t events = 0, held = 0, refused = 0;
};

struct EventFilter {
  std::string session;  // empty: all
  std::string type;     // "exec", ...; empty: all
  std::string host;     // name; empty: all
  int min_verdict = 0;  // v1::Verdict
  int64_t limit = 100;  // the newest ones; 0: all
};

struct StreamRow {
  std::string run_id, host;
  int64_t records = 0, first_sequence = 0, last_sequence = 0, verified_to = 0;
};

struct FindingRow {
  std::string run_id, kind, text;
  int64_t first_sequence = 0, last_sequence = 0, found_unix_ns = 0;
};

// Reads the database of a collector, also while a Store writes to it. Thread: one.
class Query {
 public:
  // Errors: those of Database::Open (kNotFound without a file) and CheckSchema.
  static absl::StatusOr<Query> Open(const std::string& path);

  absl::StatusOr<std::vector<SessionRow>> Sessions();  // the latest first
  // Calls `use` with the stored bytes of each event, oldest first.
  absl::Status Events(const EventFilter& filter,
                      const std::function<void(absl::string_view host, absl::string_view record)>& use);
  absl::StatusOr<std::vector<StreamRow>> Streams();
  absl::StatusOr<std::vector<FindingRow>> Findings();

 private:
  explicit Query(Database database) : database_(std::move(database)) {}
  Database database_;
};

}  // namespace holdpoint
