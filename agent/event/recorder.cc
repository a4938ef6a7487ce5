#include "agent/event/recorder.h"

#include <algorithm>
#include <climits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/base/status.h"
#include "agent/event/body.h"
#include "agent/event/utf8.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/stubs/logging.h"

namespace holdpoint {
namespace {

constexpr int kDeclaredAtOnce = 64;            // A tombstone may make room as well, and that wants a tombstone.
constexpr size_t kEndedSessionsKept = 1024;  // Late events of an ended session still count on.

constexpr absl::string_view kUnwritten = "could not be written";

absl::string_view AsView(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string VerdictName(v1::Verdict verdict) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::Verdict_Name(verdict), "VERDICT_"));
}

v1::Tombstone TombstoneOf(const Eviction& eviction) {
  v1::Tombstone tombstone;
  const SequenceGap& first = eviction.gaps.front();
  tombstone.set_run_id(eviction.run_id);
  tombstone.set_first_sequence(first.first);
  tombstone.set_last_sequence(first.last);
  tombstone.set_last_hash(AsView(first.last_hash).data(), first.last_hash.size());
  for (size_t i = 1; i < eviction.gaps.size(); ++i) {
    v1::Tombstone::Gap& gap = *tombstone.add_gaps();
    gap.set_first_sequence(eviction.gaps[i].first);
    gap.set_last_sequence(eviction.gaps[i].last);
    gap.set_last_hash(AsView(eviction.gaps[i].last_hash).data(), eviction.gaps[i].last_hash.size());
  }
  const absl::string_view what = eviction.reason == kUnwritten ? "by the run itself: "
                                 : eviction.delivered        ? "evicted after delivery: "
                                                             : "evicted before delivery: ";
  tombstone.set_reason(absl::StrCat(what, eviction.reason));
  tombstone.set_delivered(eviction.delivered);
  tombstone.set_kept_last(eviction.kept_last);
  tombstone.set_bytes(eviction.bytes);
  return tombstone;
}

}  // namespace

bool NeverWritten(const v1::Tombstone& tombstone) { return absl::StrContains(tombstone.reason(), kUnwritten); }

void SerializeRecord(const v1::Envelope& event, std::string* out) {
  out->clear();
  google::protobuf::io::StringOutputStream stream(out);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  event.SerializeToCodedStream(&coded);
}

bool ParseRecord(absl::string_view record, v1::Envelope* event) {
  const google::protobuf::LogSilencer quiet;
  return record.size() <= INT_MAX && event->ParseFromArray(record.data(), static_cast<int>(record.size()));
}

Recorder::Recorder(v1::StreamId stream, const Clock& clock, RecordSink& sink)
    : stream_(std::move(stream)), clock_(clock), sink_(sink) {}

absl::StatusOr<uint64_t> Recorder::Record(v1::Envelope event, const Complete& complete) {
  absl::MutexLock lock(&mutex_);
  const RecordClass record_class = ClassOf(event);
  // A failure here shows again in Append below: the event then joins the unwritten range.
  DeclareUnwritten(record_class).IgnoreError();
  DeclareLosses(record_class).IgnoreError();
  if (complete) complete(head_, event);
  auto sequence = Append(event, record_class);
  if (!sequence.ok() && unwritten_first_ != 0) {
    sink_.NoteUnwritten({unwritten_first_, head_.sequence, head_.hash});
    undeclared_ = true;
  }
  DeclareEvictions().IgnoreError();
  return sequence;
}

absl::Status Recorder::Sync() { return sink_.Sync(); }

absl::StatusOr<uint64_t> Recorder::Append(v1::Envelope& event, RecordClass record_class) {
  if (const int bodies = CountBodies(event); bodies != 1) {
    return absl::InvalidArgumentError(absl::StrCat("event with ", bodies, " bodies: want exactly one"));
  }
  MakeValidUtf8(event);
  event.set_schema(1);
  *event.mutable_stream() = stream_;
  event.set_sequence(head_.sequence + 1);
  event.set_previous_hash(AsView(head_.hash).data(), head_.hash.size());
  event.set_time_unix_ns(absl::ToUnixNanos(clock_.Wall()));
  if (event.boot_ns() == 0) event.set_boot_ns(clock_.Boot().ns);
  if (event.ByteSizeLong() + 16 > kMaxRecordBytes) {  // 16: the session's sequence is not in yet.
    Owe({"record", "larger than the limit"}, 1, false);
    Lose("record", "larger than the limit", 1);
    return absl::InvalidArgumentError(
        absl::StrCat("event of ", event.ByteSizeLong(), " bytes: a record holds at most ", kMaxRecordBytes));
  }
  event.set_session_sequence(NextOfSession(event));
  SerializeRecord(event, &buffer_);

  const absl::Status status = sink_.Append(event.sequence(), buffer_, record_class);
  head_.sequence = event.sequence();
  head_.hash = Sha256(buffer_);
  if (!status.ok()) {
    if (unwritten_first_ == 0) unwritten_first_ = event.sequence();
    unwritten_reason_ = std::string(status.message());
    Lose("spool", kUnwritten, 1);
    return status;
  }
  Count(event);
  return event.sequence();
}

void Recorder::Lose(absl::string_view stage, absl::string_view reason, uint64_t count) {
  counts_.losses[{std::string(stage), std::string(reason)}] += count;
}

void Recorder::Owe(LossKey key, uint64_t count, bool unknown) {
  Undeclared& owed = pending_losses_[std::move(key)];
  owed.count += count;
  owed.unknown |= unknown;
}

void Recorder::Count(const v1::Envelope& event) {
  counts_.recorded++;
  counts_.bytes += buffer_.size();
  counts_.events[std::string(EventType(event))]++;
  if (event.has_rollup()) counts_.verdicts["allow"] += event.rollup().count();
  if (!event.has_exec() && !event.has_connect()) return;
  const v1::Verdict verdict =
      event.has_exec() ? event.exec().judgement().verdict() : event.connect().judgement().verdict();
  counts_.verdicts[std::string(VerdictName(verdict))]++;
}

// A record of our own takes no sequence number unless the sink takes it: a failed attempt changes nothing.
absl::Status Recorder::AppendOwn(v1::Envelope event, RecordClass record_class) {
  const Head head = head_;
  const uint64_t first = unwritten_first_;
  const LossKey key{"spool", std::string(kUnwritten)};
  const auto counted = counts_.losses.find(key);
  const uint64_t unwritten = counted == counts_.losses.end() ? 0 : counted->second;
  const absl::Status status = Append(event, record_class).status();
  if (status.ok()) return status;
  head_ = head;
  unwritten_first_ = first;
  counts_.losses[key] = unwritten;
  if (unwritten == 0) counts_.losses.erase(key);
  return status;
}

// Worth what the record behind it is worth, so that ordinary ones do not fill what is kept free for evidence.
absl::Status Recorder::DeclareUnwritten(RecordClass worth) {
  if (unwritten_first_ == 0) return absl::OkStatus();
  v1::Envelope event;
  v1::Tombstone& tombstone = *event.mutable_tombstone();
  tombstone.set_first_sequence(unwritten_first_);
  tombstone.set_last_sequence(head_.sequence);
  tombstone.set_last_hash(AsView(head_.hash).data(), head_.hash.size());
  tombstone.set_reason(absl::StrCat(kUnwritten, ": ", unwritten_reason_));
  HP_RETURN_IF_ERROR(AppendOwn(std::move(event), std::max(worth, RecordClass::kContext)));
  unwritten_first_ = 0;
  return absl::OkStatus();
}

absl::Status Recorder::DeclareLosses(RecordClass worth) {
  while (!pending_losses_.empty() && unwritten_first_ == 0) {
    const auto it = pending_losses_.begin();
    v1::Envelope event;
    v1::Loss& loss = *event.mutable_loss();
    loss.set_stage(it->first.first);
    loss.set_reason(it->first.second);
    loss.set_count(it->second.count);
    loss.set_unknown(it->second.unknown);
    if (const auto total = counts_.losses.find(it->first); total != counts_.losses.end()) loss.set_total(total->second);
    HP_RETURN_IF_ERROR(AppendOwn(std::move(event), std::max(worth, RecordClass::kContext)));
    pending_losses_.erase(it);
  }
  return absl::OkStatus();
}

// Neighbours become one, so that a full disk does not pile them up.
void Recorder::CollectEvictions() {
  for (Eviction& eviction : sink_.TakeEvictions()) {
    undeclared_ = true;
    if (eviction.delivered) {
      counts_.evicted_delivered += eviction.records;
    } else if (eviction.records > 0) {
      Lose("spool", eviction.reason == kUnwritten ? eviction.reason : absl::StrCat("evicted: ", eviction.reason),
           eviction.records);
    }
    if (!pending_evictions_.empty()) {
      Eviction& last = pending_evictions_.back();
      if (last.run_id == eviction.run_id && last.delivered == eviction.delivered && last.reason == eviction.reason &&
          last.gaps.back().last + 1 == eviction.gaps.front().first && eviction.gaps.size() == 1) {
        last.gaps.back().last = eviction.gaps.back().last;
        last.gaps.back().last_hash = eviction.gaps.back().last_hash;
        last.records += eviction.records;
        last.kept_last += eviction.kept_last;
        last.bytes += eviction.bytes;
        continue;
      }
    }
    pending_evictions_.push_back(std::move(eviction));
  }
}

absl::Status Recorder::DeclareEvictions() {
  CollectEvictions();
  for (int i = 0; i < kDeclaredAtOnce && !pending_evictions_.empty() && unwritten_first_ == 0; ++i) {
    v1::Envelope event;
    *event.mutable_tombstone() = TombstoneOf(pending_evictions_.front());
    if (event.tombstone().run_id() == stream_.run_id()) event.mutable_tombstone()->clear_run_id();
    HP_RETURN_IF_ERROR(AppendOwn(std::move(event), RecordClass::kContext));
    pending_evictions_.pop_front();
    CollectEvictions();
  }
  if (undeclared_ && pending_evictions_.empty() && unwritten_first_ == 0) {
    sink_.EvictionsDeclared();
    undeclared_ = false;
  }
  return absl::OkStatus();
}

uint64_t Recorder::NextOfSession(const v1::Envelope& event) {
  if (event.session().empty()) return 0;
  const uint64_t next = ++sessions_[event.session()];
  if (event.has_session_ended()) {
    ended_sessions_.push_back(event.session());
    if (ended_sessions_.size() > kEndedSessionsKept) {
      sessions_.erase(ended_sessions_.front());
      ended_sessions_.pop_front();
    }
  }
  return next;
}

void Recorder::CountLoss(absl::string_view stage, absl::string_view reason, uint64_t count) {
  if (count == 0) return;
  absl::MutexLock lock(&mutex_);
  Owe({std::string(stage), std::string(reason)}, count, false);
  Lose(stage, reason, count);
}

absl::Status Recorder::FlushLosses() {
  absl::MutexLock lock(&mutex_);
  HP_RETURN_IF_ERROR(DeclareUnwritten(RecordClass::kContext));
  HP_RETURN_IF_ERROR(DeclareLosses(RecordClass::kContext));
  return DeclareEvictions();
}

absl::Status Recorder::DeclareLoss(v1::Loss loss) {
  absl::MutexLock lock(&mutex_);
  const LossKey key{loss.stage(), loss.reason()};
  const uint64_t count = loss.count();
  if (loss.unknown()) {
    ++counts_.losses_unknown;
  } else {
    Lose(key.first, key.second, count);
    if (!loss.run_id().empty() && loss.run_id() != stream_.run_id()) counts_.lost_before += count;
    loss.set_total(counts_.losses[key]);
  }
  const bool unknown = loss.unknown();
  absl::Status declared = DeclareUnwritten(RecordClass::kContext);
  v1::Envelope event;
  *event.mutable_loss() = std::move(loss);
  if (declared.ok()) declared = AppendOwn(std::move(event), RecordClass::kContext);
  if (!declared.ok()) Owe(key, count, unknown);
  return declared;
}

Recorder::Head Recorder::head() const {
  absl::MutexLock lock(&mutex_);
  return head_;
}

RecordCounts Recorder::counts() const {
  absl::MutexLock lock(&mutex_);
  return counts_;
}

Recorder::Totals Recorder::totals() const {
  const RecordCounts all = counts();
  const auto unwritten = all.losses.find({"spool", std::string(kUnwritten)});
  Totals totals{.recorded = all.recorded, .bytes = all.bytes};
  if (unwritten != all.losses.end()) totals.unwritten = unwritten->second;
  totals.lost = all.lost() - totals.unwritten;
  return totals;
}

std::map<std::string, uint64_t> Recorder::losses() const {
  std::map<std::string, uint64_t> losses;
  const RecordCounts all = counts();
  for (const auto& [key, count] : all.losses) losses[absl::StrCat(key.first, "/", key.second)] = count;
  return losses;
}

}  // namespace holdpoint
