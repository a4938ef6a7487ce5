#include "agent/spool/verify.h"

#include <unistd.h>

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/event/recorder.h"
#include "agent/spool/layout.h"
#include "agent/spool/segment.h"

namespace holdpoint {
namespace {

constexpr size_t kDamageKept = 1000;  // lines for each stream

class Verifier {
 public:
  absl::Status Read(const StreamDir& stream, bool newest);
  SpoolReport Finish();

 private:
  struct State {
    StreamReport report;
    ChainChecker chain;
  };

  absl::Status ReadSegment(const SegmentFile& file, bool last_of_all, State& state);
  void Take(const SegmentFile& file, const SegmentReader& reader, State& state);
  void TakeDeclarations(const v1::Envelope& event, State& state);
  static void AddDamage(State& state, std::string line) {
    if (state.report.damage.size() < kDamageKept) state.report.damage.push_back(std::move(line));
  }

  std::vector<std::string> order_;
  std::map<std::string, State> states_;
  std::vector<std::pair<std::string, DeclaredGap>> declared_elsewhere_;
  std::map<std::string, std::pair<uint64_t, std::string>> ends_;  // run id -> where the next stream saw it end
};

absl::Status Verifier::Read(const StreamDir& stream, bool newest) {
  order_.push_back(stream.run_id);
  State& state = states_[stream.run_id];
  state.report.run_id = stream.run_id;
  state.report.newest = newest;
  HP_ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments, ListSegments(stream.path));
  for (size_t i = 0; i < segments.size(); ++i) {
    HP_RETURN_IF_ERROR(ReadSegment(segments[i], newest && i + 1 == segments.size(), state));
  }
  return absl::OkStatus();
}

absl::Status Verifier::ReadSegment(const SegmentFile& file, bool last_of_all, State& state) {
  auto opened = SegmentReader::Open(file.path);
  if (absl::IsNotFound(opened.status())) return absl::OkStatus();  // Evicted just now; its tombstone follows.
  HP_RETURN_IF_ERROR(opened.status());
  SegmentReader& reader = *opened;
  state.report.segments++;
  for (;;) {
    HP_ASSIGN_OR_RETURN(const SegmentReader::Item item, reader.Next());
    if (item == SegmentReader::Item::kRecord) {
      Take(file, reader, state);
      continue;
    }
    const uint64_t at = reader.offset();
    HP_ASSIGN_OR_RETURN(const SegmentReader::Skipped skipped, reader.SkipDamage());
    if (skipped.bytes > 0 && !(skipped.tail && last_of_all)) {
      AddDamage(state, absl::StrCat(file.path, ": ", skipped.bytes, " bytes at offset ", at, " are no record"));
    }
    if (skipped.tail) break;
  }
  state.report.bytes += reader.offset();
  return absl::OkStatus();
}

void Verifier::Take(const SegmentFile& file, const SegmentReader& reader, State& state) {
  v1::Envelope event;
  if (!ParseRecord(reader.payload(), &event)) {
    AddDamage(state, absl::StrCat(file.path, ": record ", reader.sequence(), " is no envelope"));
    return;
  }
  if (event.sequence() != reader.sequence()) {
    AddDamage(state, absl::StrCat(file.path, ": record ", reader.sequence(), " says that it is ", event.sequence()));
  }
  if (event.stream().run_id() != state.report.run_id) {
    AddDamage(state, absl::StrCat(file.path, ": record ", reader.sequence(), " belongs to run ",
                                  EscapeAndClip(event.stream().run_id(), 64)));
  }
  if (state.report.host.empty()) state.report.host = EscapeAndClip(event.stream().host(), 64);
  state.chain.Add(LinkOf(event, reader.payload()));
  TakeDeclarations(event, state);
}

void Verifier::TakeDeclarations(const v1::Envelope& event, State& state) {
  if (event.has_tombstone()) {
    const v1::Tombstone& tombstone = event.tombstone();
    const bool own = tombstone.run_id().empty() || tombstone.run_id() == state.report.run_id;
    for (DeclaredGap& gap : GapsOf(tombstone)) {
      if (own) {
        state.chain.AddDeclaredGap(gap);
      } else {
        declared_elsewhere_.emplace_back(tombstone.run_id(), std::move(gap));
      }
    }
  }
  const v1::DaemonState& daemon = event.daemon();
  if (!daemon.previous_run_id().empty() && daemon.previous_last_sequence() > 0) {
    ends_[daemon.previous_run_id()] = {daemon.previous_last_sequence(), daemon.previous_last_hash()};
  }
}

SpoolReport Verifier::Finish() {
  std::vector<std::string> gone;
  for (const auto& [run_id, end] : ends_) {
    if (!states_[run_id].report.run_id.empty()) continue;  // A run that another one knows, and of which nothing is left.
    states_[run_id].report.run_id = run_id;
    gone.push_back(run_id);
  }
  order_.insert(order_.begin(), gone.begin(), gone.end());
  for (const auto& [run_id, gap] : declared_elsewhere_) {
    if (const auto it = states_.find(run_id); it != states_.end()) it->second.chain.AddDeclaredGap(gap);
  }
  for (const auto& [run_id, end] : ends_) {
    if (const auto it = states_.find(run_id); it != states_.end()) it->second.chain.ExpectEnd(end.first, end.second);
  }
  SpoolReport report;
  for (const std::string& run_id : order_) {
    State& state = states_[run_id];
    state.report.records = state.chain.records();
    state.report.first_sequence = state.chain.first_sequence();
    state.report.last_sequence = state.chain.last_sequence();
    state.report.chain = state.chain.Finish();
    state.report.declared_missing = state.chain.declared_missing();
    state.report.declared_lost = state.chain.declared_lost();
    report.streams.push_back(std::move(state.report));
  }
  return report;
}

}  // namespace

bool SpoolReport::ok() const {
  return std::all_of(streams.begin(), streams.end(), [](const StreamReport& s) { return s.ok(); });
}

uint64_t SpoolReport::records() const {
  uint64_t sum = 0;
  for (const StreamReport& stream : streams) sum += stream.records;
  return sum;
}

std::string SpoolReport::ToString() const {
  std::vector<std::string> lines;
  for (const StreamReport& s : streams) {
    lines.push_back(absl::StrCat("run ", s.run_id, ": ", s.records, " records (", s.first_sequence, " to ",
                                 s.last_sequence, ") in ", s.segments, " segments, ", s.bytes, " bytes, ",
                                 s.ok() ? "chain whole" : "FINDINGS:"));
    if (s.declared_missing > 0) {
      lines.push_back(absl::StrCat("  ", s.declared_missing, " more are accounted for by tombstones: ",
                                   s.declared_missing - s.declared_lost, " delivered before, ", s.declared_lost,
                                   " lost"));
    }
    for (const std::string& line : s.damage) lines.push_back(absl::StrCat("  damaged: ", line));
    for (const ChainFinding& f : s.chain) lines.push_back(absl::StrCat("  ", ChainFindingName(f.kind), ": ", f.text));
  }
  return absl::StrJoin(lines, "\n");
}

absl::StatusOr<SpoolReport> VerifySpool(const std::string& spool_dir) {
  if (access(spool_dir.c_str(), R_OK | X_OK) != 0) return ErrnoStatus(absl::StrCat("no spool to read at ", spool_dir));
  HP_ASSIGN_OR_RETURN(const std::vector<StreamDir> streams, ListStreams(spool_dir));
  Verifier verifier;
  for (const StreamDir& stream : streams) {
    HP_RETURN_IF_ERROR(verifier.Read(stream, stream.run_id == streams.back().run_id));
  }
  return verifier.Finish();
}

}  // namespace holdpoint
