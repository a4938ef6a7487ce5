#include "collector/print.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/event/json.h"
#include "agent/event/recorder.h"
#include "agent/event/render.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {
namespace {

constexpr size_t kCellMax = 40;

void PutLine(const std::string& line) { std::fprintf(stdout, "%s\n", line.c_str()); }

std::string TimeText(std::optional<int64_t> unix_ns) {
  if (!unix_ns.has_value()) return "-";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixNanos(*unix_ns), absl::UTCTimeZone());
}

std::string JsonTime(std::optional<int64_t> unix_ns) {
  if (!unix_ns.has_value()) return "null";
  return absl::StrCat(
      "\"", absl::FormatTime("%Y-%m-%dT%H:%M:%E9SZ", absl::FromUnixNanos(*unix_ns), absl::UTCTimeZone()), "\"");
}

// Columns as wide as their widest cell; the first row is the heading.
void PrintTable(std::vector<std::vector<std::string>> rows) {
  std::vector<size_t> widths(rows.front().size(), 0);
  for (auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = row[i].empty() ? "-" : EscapeAndClip(row[i], kCellMax);
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  for (auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      if (i + 1 < row.size()) row[i].resize(widths[i] + 2, ' ');
      line += row[i];
    }
    PutLine(line);
  }
}

}  // namespace

absl::Status PrintSessions(Query& query, bool json) {
  HP_ASSIGN_OR_RETURN(const std::vector<SessionRow> rows, query.Sessions());
  if (json) {
    for (const SessionRow& r : rows) {
      PutLine(absl::StrCat("{\"session\":", JsonString(r.session), ",\"host\":", JsonString(r.host),
                           ",\"coding_agent\":", JsonString(r.coding_agent),
                           ",\"environment\":", JsonString(r.environment), ",\"user\":", JsonString(r.user),
                           ",\"owner\":", JsonString(r.owner), ",\"workspace\":", JsonString(r.workspace),
                           ",\"started\":", JsonTime(r.started_unix_ns), ",\"ended\":", JsonTime(r.ended_unix_ns),
                           ",\"end_reason\":", JsonString(r.end_reason), ",\"last\":", JsonTime(r.last_unix_ns),
                           ",\"events\":", r.events, ",\"held\":", r.held, ",\"refused\":", r.refused, "}"));
    }
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> table = {
      {"SESSION", "HOST", "CODING AGENT", "ENVIRONMENT", "USER", "STARTED", "ENDED", "EVENTS", "HELD", "REFUSED"}};
  for (const SessionRow& r : rows) {
    table.push_back({r.session, r.host, r.coding_agent, r.environment, r.user, TimeText(r.started_unix_ns),
                     TimeText(r.ended_unix_ns), absl::StrCat(r.events), absl::StrCat(r.held), absl::StrCat(r.refused)});
  }
  PrintTable(std::move(table));
  return absl::OkStatus();
}

absl::Status PrintEvents(Query& query, const EventFilter& filter, bool json, bool color) {
  return query.Events(filter, [&](absl::string_view host, absl::string_view record) {
    v1::Envelope event;
    if (!ParseRecord(record, &event)) return;  // It parsed when it was stored.
    PutLine(json ? EventToJson(event) : absl::StrCat(EscapeAndClip(host, kCellMax), " ", RenderEvent(event, color)));
  });
}

absl::StatusOr<bool> PrintVerification(Query& query, bool json) {
  HP_ASSIGN_OR_RETURN(const std::vector<StreamRow> streams, query.Streams());
  HP_ASSIGN_OR_RETURN(const std::vector<FindingRow> findings, query.Findings());
  for (const StreamRow& s : streams) {
    const auto own =
        std::count_if(findings.begin(), findings.end(), [&](const FindingRow& f) { return f.run_id == s.run_id; });
    if (json) {
      PutLine(absl::StrCat("{\"run_id\":", JsonString(s.run_id), ",\"host\":", JsonString(s.host), ",\"records\":",
                           s.records, ",\"first_sequence\":", s.first_sequence, ",\"last_sequence\":", s.last_sequence,
                           ",\"verified_to\":", s.verified_to, ",\"findings\":", own, "}"));
      continue;
    }
    const int64_t absent = s.last_sequence - s.records;
    PutLine(absl::StrCat("run ", EscapeAndClip(s.run_id, 64), " of ", EscapeAndClip(s.host, kCellMax), ": ", s.records,
                         " records (", s.first_sequence, " to ", s.last_sequence, "), ",
                         own > 0      ? absl::StrCat(own, " FINDINGS")
                         : absent > 0 ? absl::StrCat("chain whole, ", absent, " more accounted for by tombstones")
                                      : "chain whole"));
  }
  for (const FindingRow& f : findings) {
    if (json) {
      PutLine(absl::StrCat("{\"finding\":", JsonString(f.kind), ",\"run_id\":", JsonString(f.run_id),
                           ",\"first_sequence\":", f.first_sequence, ",\"last_sequence\":", f.last_sequence,
                           ",\"text\":", JsonString(f.text), ",\"found\":", JsonTime(f.found_unix_ns), "}"));
    } else {
      PutLine(absl::StrCat(f.kind, f.run_id.empty() ? "" : " in run ", EscapeAndClip(f.run_id, 64), ": ",
                           EscapeForTerminal(f.text)));
    }
  }
  if (!json && findings.empty()) PutLine("no findings");
  return findings.empty();
}

bool PrintTopicReport(const TopicReport& report, bool json) {
  for (const TopicRun& run : report.runs) {
    const auto own = std::count_if(report.findings.begin(), report.findings.end(),
                                   [&](const TopicFinding& f) { return f.run_id == run.run_id; });
    if (json) {
      PutLine(absl::StrCat("{\"run_id\":", JsonString(run.run_id), ",\"host\":", JsonString(run.host),
                           ",\"host_id\":", JsonString(run.host_id), ",\"records\":", run.records,
                           ",\"first_sequence\":", run.first_sequence, ",\"last_sequence\":", run.last_sequence,
                           ",\"repeated\":", run.repeated, ",\"declared_missing\":", run.declared_missing,
                           ",\"attested_to\":", run.attested_to, ",\"key\":", JsonString(run.key),
                           ",\"ended\":", run.ended ? "true" : "false", ",\"findings\":", own, "}"));
      continue;
    }
    PutLine(absl::StrCat(
        "run ", run.run_id, " of ", run.host, ": ", run.records, " records (", run.first_sequence, " to ",
        run.last_sequence, "), ", own > 0 ? absl::StrCat(own, " FINDINGS") : "chain whole",
        run.attested_to > 0 ? absl::StrCat(", vouched for up to ", run.attested_to, " by ", run.key) : ", not signed",
        run.ended ? ", ended" : "", run.repeated > 0 ? absl::StrCat(", ", run.repeated, " sent again") : "",
        run.declared_missing > 0 ? absl::StrCat(", ", run.declared_missing, " accounted for by tombstones") : ""));
    for (const auto& [reason, count] : run.losses) {
      PutLine(absl::StrCat("  lost on the host: ", EscapeAndClip(reason, kCellMax), " ", count));
    }
  }
  for (const TopicFinding& f : report.findings) {
    const absl::string_view kind = TopicFindingName(f.kind);
    if (json) {
      PutLine(absl::StrCat("{\"finding\":", JsonString(kind), ",\"run_id\":", JsonString(f.run_id),
                           ",\"first_sequence\":", f.first, ",\"last_sequence\":", f.last,
                           ",\"text\":", JsonString(f.text), "}"));
    } else {
      PutLine(absl::StrCat(kind, f.run_id.empty() ? "" : " in run ", f.run_id, ": ", EscapeForTerminal(f.text)));
    }
  }
  if (!json) PutLine(report.ok() ? absl::StrCat("no findings in ", report.messages, " messages") : "THE TOPIC IS NOT WHOLE");
  return report.ok();
}

}  // namespace holdpoint
