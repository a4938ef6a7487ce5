#include "collector/verify/topic_verifier.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/sha256.h"
#include "agent/event/framing.h"
#include "agent/event/recorder.h"
#include "agent/spool/layout.h"

namespace holdpoint {
namespace {

constexpr size_t kFindingsKept = 1000;  // for each run
constexpr size_t kReasonShown = 200;
constexpr uint32_t kSilentAfter = 3;    // intervals

std::string Range(uint64_t first, uint64_t last) {
  return first == last ? absl::StrCat("record ", first) : absl::StrCat("records ", first, " to ", last);
}

std::string WhyNotARecord(const v1::Envelope& event) {
  if (!IsRunId(event.stream().run_id())) return "its run id is none";
  if (event.sequence() == 0) return "its sequence is none";
  if (event.previous_hash().size() != Sha256Digest().size()) return "its previous_hash is none";
  return "";
}

std::string DayAndTime(int64_t unix_ns) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", absl::FromUnixNanos(unix_ns), absl::UTCTimeZone());
}

bool SameStream(const v1::StreamId& a, const v1::StreamId& b) {
  return a.run_id() == b.run_id() && a.host_id() == b.host_id() && a.boot_id() == b.boot_id() &&
         a.instance() == b.instance();
}

}  // namespace

absl::string_view TopicFindingName(TopicFinding::Kind kind) {
  switch (kind) {
    case TopicFinding::Kind::kMissing: return "missing";
    case TopicFinding::Kind::kChanged: return "changed";
    case TopicFinding::Kind::kReordered: return "reordered";
    case TopicFinding::Kind::kRepeated: return "repeated";
    case TopicFinding::Kind::kLate: return "late";
    case TopicFinding::Kind::kForged: return "forged";
    case TopicFinding::Kind::kUnsigned: return "unsigned";
    case TopicFinding::Kind::kSilent: return "silent";
    case TopicFinding::Kind::kUndelivered: return "undelivered";
    case TopicFinding::Kind::kRejected: return "rejected";
  }
  return "unknown";
}

void TopicVerifier::Found(Run& run, TopicFinding::Kind kind, uint64_t first, uint64_t last, std::string text) {
  if (run.findings.size() >= kFindingsKept) return;
  run.findings.push_back({kind, run.stream.run_id(), first, last, std::move(text)});
}

uint32_t TopicVerifier::TopicIndex(const std::string& topic) {
  const auto index = static_cast<size_t>(std::find(topics_.begin(), topics_.end(), topic) - topics_.begin());
  if (index == topics_.size()) topics_.push_back(topic);
  return static_cast<uint32_t>(index);
}

std::string TopicVerifier::Text(const Place& place) const {
  return absl::StrCat(topics_[place.topic], " partition ", place.partition, " offset ", place.offset);
}

void TopicVerifier::Add(const TopicMessage& message) {
  ++messages_;
  const absl::string_view bytes = UnframeRecord(message.value);
  v1::Envelope event;
  const bool parsed = ParseRecord(bytes, &event);
  if (const std::string why = parsed ? WhyNotARecord(event) : "it does not parse as an envelope"; !why.empty()) {
    if (rejected_.size() >= kFindingsKept) return;
    rejected_.push_back({TopicFinding::Kind::kRejected, "", 0, 0,
                         absl::StrCat("the message at ", Text({TopicIndex(message.topic), message.partition, message.offset}),
                                      " is no record: ", why)});
    return;
  }
  TakeRecord(event, bytes, message);
}

void TopicVerifier::TakeRecord(const v1::Envelope& event, absl::string_view bytes, const TopicMessage& message) {
  Run& run = runs_[event.stream().run_id()];
  if (run.stream.run_id().empty()) {
    run.stream = event.stream();
    run.first_time_ns = event.time_unix_ns();
  }
  const Place place{TopicIndex(message.topic), message.partition, message.offset};
  const uint64_t sequence = event.sequence();
  if (IsStandIn(event)) {
    TakeDeclarations(event, run);
    return Found(run, TopicFinding::Kind::kUndelivered, sequence, sequence,
                 absl::StrCat("record ", sequence, " stays on its host, only its hash is at ", Text(place), ": ",
                              EscapeAndClip(event.tombstone().reason(), kReasonShown)));
  }
  ChainLink link = LinkOf(event, bytes);
  const auto known = run.records.find(sequence);
  if (known != run.records.end() && known->second.hash != link.hash) {
    return Found(run, TopicFinding::Kind::kChanged, sequence, sequence,
                 absl::StrCat("record ", sequence, " is there with different content: at ", Text(known->second.place),
                              " and at ", Text(place)));
  }
  const DeliveryOrder::Kind kind = run.orders[{place.topic, place.partition}].Add(sequence);
  if (kind == DeliveryOrder::Kind::kReordered) {
    Found(run, TopicFinding::Kind::kReordered, sequence, sequence,
          absl::StrCat("record ", sequence, " at ", Text(place), " came after later ones of its run"));
  }
  if (kind == DeliveryOrder::Kind::kAgain) {
    ++run.repeated;
    return;
  }
  const bool main = message.topic == options_.topic;
  const int64_t appended = message.appended == absl::InfinitePast() ? -1 : absl::ToUnixMillis(message.appended);
  if (known != run.records.end()) {
    Kept& kept = known->second;
    if (main && kept.in_main) {
      Found(run, TopicFinding::Kind::kRepeated, sequence, sequence,
            absl::StrCat("record ", sequence, " is in two partitions: at ", Text(kept.place), " and at ", Text(place)));
    }
    if (main && !kept.in_main) {
      kept.place = place;
      kept.appended_ms = appended;
    }
    kept.in_main = kept.in_main || main;
    return;
  }
  run.records.emplace(sequence, Kept{link.previous_hash, link.hash, place, main ? appended : -1, main});
  TakeDeclarations(event, run);
  if (event.has_heartbeat()) {
    const std::optional<absl::string_view> statement = StatementBytes(bytes);
    run.beats.push_back({sequence, std::string(statement.value_or("")), event.heartbeat().signature(),
                         event.previous_hash(), place});
  }
}

void TopicVerifier::TakeDeclarations(const v1::Envelope& event, Run& run) {
  if (event.has_tombstone()) {
    const v1::Tombstone& tombstone = event.tombstone();
    const bool ours = tombstone.run_id().empty();
    if (!ours && !IsRunId(tombstone.run_id())) return;
    Run& about = ours ? run : runs_[tombstone.run_id()];  // Perhaps its records come later.
    for (DeclaredGap& gap : GapsOf(tombstone)) about.declared.push_back(std::move(gap));
  }
  const v1::DaemonState& daemon = event.daemon();
  if (daemon.state() == "started" && run.announced_key.empty()) run.announced_key = daemon.heartbeat_key();
  if (daemon.previous_last_sequence() > 0 && IsRunId(daemon.previous_run_id())) {
    runs_[daemon.previous_run_id()].end = {daemon.previous_last_sequence(), daemon.previous_last_hash()};
  }
}

void TopicVerifier::BelieveFirstKeys() {
  std::map<std::string, std::pair<int64_t, std::string>> first;  // host id -> time, key
  for (const auto& [id, run] : runs_) {
    if (run.announced_key.empty()) continue;
    const auto [at, added] = first.try_emplace(run.stream.host_id(), run.first_time_ns, run.announced_key);
    if (!added && run.first_time_ns < at->second.first) at->second = {run.first_time_ns, run.announced_key};
  }
  for (const auto& [host, key] : first) {
    if (const auto parsed = HeartbeatPublicKey::Parse(key.second); parsed.ok()) keys_[host].push_back(*parsed);
  }
}

TopicReport TopicVerifier::Finish() {
  BelieveFirstKeys();
  std::vector<Run*> order;
  for (auto& [id, run] : runs_) {
    if (!run.stream.run_id().empty()) order.push_back(&run);  // Else it is only spoken of.
  }
  std::stable_sort(order.begin(), order.end(), [](Run* a, Run* b) { return a->first_time_ns < b->first_time_ns; });
  TopicReport report;
  report.messages = messages_;
  report.findings = std::move(rejected_);
  for (Run* run : order) {
    report.runs.push_back(FinishRun(*run));
    std::stable_sort(run->findings.begin(), run->findings.end(),
                     [](const TopicFinding& a, const TopicFinding& b) { return a.first < b.first; });
    std::move(run->findings.begin(), run->findings.end(), std::back_inserter(report.findings));
  }
  return report;
}

TopicRun TopicVerifier::FinishRun(Run& run) {
  TopicRun report{.run_id = run.stream.run_id(),
                  .host = EscapeAndClip(run.stream.host(), 64),
                  .host_id = EscapeAndClip(run.stream.host_id(), 64),
                  .records = run.records.size(),
                  .repeated = run.repeated,
                  .key = {},
                  .losses = {}};
  if (!run.records.empty()) {
    report.first_sequence = run.records.begin()->first;
    report.last_sequence = run.records.rbegin()->first;
  }
  JudgeChain(run, report);
  JudgeOrder(run);
  JudgeLate(run);
  JudgeHeartbeats(run, report);
  return report;
}

void TopicVerifier::JudgeChain(Run& run, TopicRun& report) {
  uint64_t begin = 1;  // Where the beginnings of partitions are gone, the last of their first records.
  for (const auto& [where, order] : run.orders) {
    const std::string& topic = topics_[where.first];
    if (topic == options_.topic && cut_.contains({topic, where.second})) begin = std::max(begin, order.first());
  }
  auto record = run.records.lower_bound(begin);
  ChainChecker checker;
  if (begin > 1 && record != run.records.end()) checker = ChainChecker(record->first - 1, record->second.previous_hash);
  for (const DeclaredGap& gap : run.declared) checker.AddDeclaredGap(gap);
  if (run.end.has_value()) checker.ExpectEnd(run.end->first, run.end->second);
  for (; record != run.records.end(); ++record) {
    checker.Add({record->first, record->second.previous_hash, record->second.hash});
    if (record->second.in_main) continue;
    Found(run, TopicFinding::Kind::kMissing, record->first, record->first,
          absl::StrCat("record ", record->first, " is not in ", options_.topic, ", only its copy at ",
                       Text(record->second.place)));
  }
  for (const ChainFinding& finding : checker.Finish()) {
    const auto at = run.records.find(finding.first);
    const bool missing = finding.kind == ChainFinding::Kind::kMissing;
    Found(run, missing ? TopicFinding::Kind::kMissing : TopicFinding::Kind::kChanged, finding.first, finding.last,
          at == run.records.end() ? finding.text : absl::StrCat(finding.text, " (", Text(at->second.place), ")"));
  }
  report.declared_missing = checker.declared_missing();
}

void TopicVerifier::JudgeOrder(Run& run) {
  for (const auto& [where, order] : run.orders) {
    for (const auto& [first, last] : order.Unfinished()) {
      Found(run, TopicFinding::Kind::kRepeated, first, last,
            absl::StrCat(Range(first, last), " came again in ", topics_[where.first], " partition ", where.second,
                         ", and not what a stream that begins again sends next: replayed"));
    }
  }
}

void TopicVerifier::JudgeLate(Run& run) {
  const int64_t slack = absl::ToInt64Milliseconds(options_.late);
  int64_t earliest_behind = std::numeric_limits<int64_t>::max();
  for (auto record = run.records.rbegin(); record != run.records.rend(); ++record) {
    const int64_t appended = record->second.appended_ms;
    if (appended < 0) continue;
    if (earliest_behind != std::numeric_limits<int64_t>::max() && appended > earliest_behind + slack) {
      Found(run, TopicFinding::Kind::kLate, record->first, record->first,
            absl::StrCat("record ", record->first, " at ", Text(record->second.place), " came ",
                         absl::FormatDuration(absl::Milliseconds(appended - earliest_behind)),
                         " after later ones of its run"));
    }
    earliest_behind = std::min(earliest_behind, appended);
  }
}

void TopicVerifier::JudgeHeartbeats(Run& run, TopicRun& report) {
  const auto of_host = keys_.find(run.stream.host_id());
  const std::vector<HeartbeatPublicKey>* keys = !options_.keys.empty()   ? &options_.keys
                                                : of_host != keys_.end() ? &of_host->second
                                                                         : nullptr;
  if (keys == nullptr) return;  // A host that never signed: an older version.
  int64_t last_ns = 0;
  uint32_t interval = 0;
  std::sort(run.beats.begin(), run.beats.end(), [](const Beat& a, const Beat& b) { return a.sequence < b.sequence; });
  for (const Beat& beat : run.beats) {
    const auto forged = [&](absl::string_view why) {
      Found(run, TopicFinding::Kind::kForged, beat.sequence, beat.sequence,
            absl::StrCat("the heartbeat ", beat.sequence, " at ", Text(beat.place), " ", why));
    };
    const auto key = std::find_if(keys->begin(), keys->end(), [&](const HeartbeatPublicKey& k) {
      return k.Verifies(beat.statement, beat.signature);
    });
    v1::HeartbeatStatement statement;
    if (beat.statement.empty() || key == keys->end() || !statement.ParseFromString(beat.statement)) {
      forged("is not signed by a key that is known for its host");
      continue;
    }
    if (!SameStream(statement.stream(), run.stream) || statement.chain_sequence() + 1 != beat.sequence ||
        statement.chain_hash() != beat.previous_hash) {
      forged("was signed for another place");
      continue;
    }
    if (report.ended) {
      forged(absl::StrCat("came behind one that says that the stream ended"));
      continue;
    }
    report.attested_to = beat.sequence;
    report.key = key->fingerprint();
    report.ended = statement.state() == "stopping";
    report.losses.clear();
    for (const v1::Count& loss : statement.losses()) report.losses[loss.name()] = loss.value();
    last_ns = statement.time_unix_ns();
    interval = statement.interval_seconds();
  }
  if (report.attested_to == 0) {
    Found(run, TopicFinding::Kind::kUnsigned, report.first_sequence, report.last_sequence,
          "no heartbeat of this run is signed by a key of its host: whoever may write to the topic could have written it");
    return;
  }
  if (report.ended && report.last_sequence > report.attested_to) {
    Found(run, TopicFinding::Kind::kForged, report.attested_to + 1, report.last_sequence,
          absl::StrCat(Range(report.attested_to + 1, report.last_sequence),
                       " came behind the heartbeat that says that the stream ended"));
  }
  const absl::Time silent_from = absl::FromUnixNanos(last_ns) + kSilentAfter * absl::Seconds(interval);
  if (!report.ended && !run.end.has_value() && options_.now > silent_from) {
    Found(run, TopicFinding::Kind::kSilent, report.attested_to, report.attested_to,
          absl::StrCat("no heartbeat since ", DayAndTime(last_ns), " (one comes every ", interval,
                       " s), and the stream did not say that it ends"));
  }
}

}  // namespace holdpoint
