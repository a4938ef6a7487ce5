#include "collector/store/query.h"

#include <limits>

#include "agent/base/status.h"
#include "collector/store/schema.h"

namespace holdpoint {

absl::StatusOr<Query> Query::Open(const std::string& path) {
  HP_ASSIGN_OR_RETURN(Database database, Database::Open(path, Database::Mode::kReadOnly));
  HP_RETURN_IF_ERROR(CheckSchema(database));
  return Query(std::move(database));
}

absl::StatusOr<std::vector<SessionRow>> Query::Sessions() {
  HP_ASSIGN_OR_RETURN(Statement s,
                      database_.Prepare("SELECT host, session, coding_agent, user, owner, environment, workspace, "
                                        "end_reason, started_unix_ns, ended_unix_ns, last_unix_ns, events, held, "
                                        "refused FROM sessions ORDER BY last_unix_ns DESC, session"));
  std::vector<SessionRow> rows;
  for (;;) {
    HP_ASSIGN_OR_RETURN(const bool more, s.Step());
    if (!more) return rows;
    SessionRow row{.host = s.Text(0),
                   .session = s.Text(1),
                   .coding_agent = s.Text(2),
                   .user = s.Text(3),
                   .owner = s.Text(4),
                   .environment = s.Text(5),
                   .workspace = s.Text(6),
                   .end_reason = s.Text(7),
                   .started_unix_ns = {},
                   .ended_unix_ns = {},
                   .last_unix_ns = s.Int(10),
                   .events = s.Int(11),
                   .held = s.Int(12),
                   .refused = s.Int(13)};
    if (!s.IsNull(8)) row.started_unix_ns = s.Int(8);
    if (!s.IsNull(9)) row.ended_unix_ns = s.Int(9);
    rows.push_back(std::move(row));
  }
}

absl::Status Query::Events(const EventFilter& filter,
                           const std::function<void(absl::string_view host, absl::string_view record)>& use) {
  // The newest `limit`, then in the order of time; within a stream the sequence decides.
  HP_ASSIGN_OR_RETURN(
      Statement s, database_.Prepare(
                       "SELECT host, record FROM (SELECT s.host AS host, e.record AS record, e.time_unix_ns AS t, "
                       "e.stream AS stream, e.sequence AS seq FROM events e JOIN streams s ON s.id = e.stream "
                       "WHERE (?1 = '' OR e.session = ?1) AND (?2 = '' OR e.type = ?2) AND (?3 = '' OR s.host = ?3) "
                       "AND e.verdict >= ?4 ORDER BY t DESC, stream DESC, seq DESC LIMIT ?5) ORDER BY t, stream, seq"));
  s.Bind(0, filter.session).Bind(1, filter.type).Bind(2, filter.host).Bind(3, filter.min_verdict);
  s.Bind(4, filter.limit > 0 ? filter.limit : std::numeric_limits<int64_t>::max());
  for (;;) {
    HP_ASSIGN_OR_RETURN(const bool more, s.Step());
    if (!more) return absl::OkStatus();
    use(s.Text(0), s.Text(1));
  }
}

absl::StatusOr<std::vector<StreamRow>> Query::Streams() {
  HP_ASSIGN_OR_RETURN(
      Statement s,
      database_.Prepare("SELECT s.run_id, s.host, count(e.id), min(e.sequence), max(e.sequence), s.verified_to "
                        "FROM streams s LEFT JOIN events e ON e.stream = s.id "
                        "GROUP BY s.id ORDER BY s.id"));
  std::vector<StreamRow> rows;
  for (;;) {
    HP_ASSIGN_OR_RETURN(const bool more, s.Step());
    if (!more) return rows;
    rows.push_back({s.Text(0), s.Text(1), s.Int(2), s.Int(3), s.Int(4), s.Int(5)});
  }
}

absl::StatusOr<std::vector<FindingRow>> Query::Findings() {
  HP_ASSIGN_OR_RETURN(Statement s,
                      database_.Prepare("SELECT run_id, kind, text, first_sequence, last_sequence, found_unix_ns "
                                        "FROM findings ORDER BY run_id, first_sequence, kind"));
  std::vector<FindingRow> rows;
  for (;;) {
    HP_ASSIGN_OR_RETURN(const bool more, s.Step());
    if (!more) return rows;
    rows.push_back({s.Text(0), s.Text(1), s.Text(2), s.Int(3), s.Int(4), s.Int(5)});
  }
}

}  // namespace holdpoint
