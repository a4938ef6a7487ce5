// Whether the sinks of the configuration can be what they are to be, and whether one is away.
#include <sys/stat.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/cli/files.h"
#include "agent/cli/probe.h"
#include "agent/environment/load.h"
#include "agent/sink/counters.h"
#include "agent/sink/spec.h"

namespace holdpoint {
namespace {

using Level = ProbeResult::Level;

constexpr char kState[] = "/var/lib/holdpoint";

// What keeps a file from being written there; empty for nothing.
std::string FileProblem(const ProbeHost& host, const std::string& path) {
  struct stat st {};
  const std::string folder = path.substr(0, path.rfind('/'));
  if (stat((host.root + folder).c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) return absl::StrCat(folder, " is no folder");
  if (lstat((host.root + path).c_str(), &st) != 0) return "";
  if (S_ISLNK(st.st_mode)) return absl::StrCat(path, " is a link");
  return S_ISREG(st.st_mode) ? "" : absl::StrCat(path, " is no file");
}

ProbeResult Look(const ProbeHost& host, const SinkConfig& sink, bool brokers) {
  ProbeResult row{.check = absl::StrCat("sink ", sink.name), .detail = absl::StrCat(sink.format, " to ", sink.target)};
  const auto bad = [&row](const std::string& what, const std::string& advice) {
    absl::StrAppend(&row.detail, ": ", what);
    row.advice = advice;
    row.level = Level::kBad;
    return row;
  };
  const absl::StatusOr<SinkSpec> spec = ParseSinkSpec(absl::StrCat(sink.name, "=", sink.format, ":", sink.target));
  if (!spec.ok()) return bad(std::string(spec.status().message()), "correct its target");
  if (spec->kind == SinkSpec::Kind::kTopic && !brokers) return bad("there are no brokers", "set kafka.brokers, or take it away");
  if (spec->kind == SinkSpec::Kind::kFile) {
    if (const std::string problem = FileProblem(host, spec->place); !problem.empty()) {
      return bad(problem, "it is tried again every 10 seconds");
    }
  }
  const SinkCounters counters = ReadSinkCounters(SinkCountersPath(host.root + kState, sink.name));
  if (IsAway(counters)) return bad(counters.last_failure, "it gets later what it missed, as long as the spool has it");
  absl::StrAppend(&row.detail, ", ", counters.delivered, " delivered");
  if (counters.missing > 0) {
    row.level = Level::kWarning;
    absl::StrAppend(&row.detail, ", ", counters.missing, " were gone before it had read them");
    row.advice = "it was away for longer than the spool keeps events: see record.max_mib";
  }
  return row;
}

}  // namespace

std::vector<ProbeResult> ProbeSinks(const ProbeHost& host) {
  const absl::StatusOr<std::string> bytes = ReadWholeFile(host.root + host.configuration);
  if (!bytes.ok()) return {};
  const absl::StatusOr<Configuration> configuration = LoadConfiguration(host.configuration, *bytes);
  if (!configuration.ok()) return {};
  std::vector<ProbeResult> rows;
  for (const SinkConfig& sink : configuration->sinks) {
    rows.push_back(Look(host, sink, !configuration->kafka.brokers.empty()));
  }
  return rows;
}

}  // namespace holdpoint
