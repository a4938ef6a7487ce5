#include "agent/event/recorder.h"

#include <climits>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/event/body.h"
#include "agent/event/utf8.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/stubs/logging.h"

namespace holdpoint {
namespace {

constexpr size_t kEndedSessionsKept = 1024;  // Late events of an ended session still count on.

absl::string_view AsView(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

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
  // A failure here shows again in Append below: the event then joins the unwritten range.
  DeclareUnwritten().IgnoreError();
  DeclareLosses().IgnoreError();
  if (complete) complete(head_, event);
  auto sequence = Append(event);
  DeclareEvictions().IgnoreError();
  return sequence;
}

absl::Status Recorder::Sync() { return sink_.Sync(); }

absl::StatusOr<uint64_t> Recorder::Append(v1::Envelope& event) {
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
    pending_losses_[{"record", "larger than the limit"}]++;
    losses_["record/larger than the limit"]++;
    totals_.lost++;
    return absl::InvalidArgumentError(
        absl::StrCat("event of ", event.ByteSizeLong(), " bytes: a record holds at most ", kMaxRecordBytes));
  }
  event.set_session_sequence(NextOfSession(event));
  SerializeRecord(event, &buffer_);

  const absl::Status status = sink_.Append(event.sequence(), buffer_);
  head_.sequence = event.sequence();
  head_.hash = Sha256(buffer_);
  if (!status.ok()) {
    if (unwritten_first_ == 0) unwritten_first_ = event.sequence();
    unwritten_reason_ = std::string(status.message());
    totals_.unwritten++;
    return status;
  }
  totals_.recorded++;
  totals_.bytes += buffer_.size();
  return event.sequence();
}

// The tombstone takes no sequence number unless the sink takes it: a failed attempt changes nothing.
absl::Status Recorder::DeclareUnwritten() {
  if (unwritten_first_ == 0) return absl::OkStatus();
  const Head before = head_;
  const uint64_t first = unwritten_first_;
  const uint64_t unwritten = totals_.unwritten;
  v1::Envelope event;
  v1::Tombstone& tombstone = *event.mutable_tombstone();
  tombstone.set_first_sequence(first);
  tombstone.set_last_sequence(before.sequence);
  tombstone.set_last_hash(AsView(before.hash).data(), before.hash.size());
  tombstone.set_reason(absl::StrCat("could not be written: ", unwritten_reason_));
  if (auto sequence = Append(event); !sequence.ok()) {
    head_ = before;
    totals_.unwritten = unwritten;
    return sequence.status();
  }
  unwritten_first_ = 0;
  return absl::OkStatus();
}

absl::Status Recorder::DeclareLosses() {
  while (!pending_losses_.empty() && unwritten_first_ == 0) {
    const auto it = pending_losses_.begin();
    v1::Envelope event;
    v1::Loss& loss = *event.mutable_loss();
    loss.set_stage(it->first.first);
    loss.set_reason(it->first.second);
    loss.set_count(it->second);
    if (auto sequence = Append(event); !sequence.ok()) return sequence.status();
    pending_losses_.erase(it);
  }
  return absl::OkStatus();
}

void Recorder::CollectEvictions() {
  for (Eviction& eviction : sink_.TakeEvictions()) {
    if (!pending_evictions_.empty()) {
      Eviction& last = pending_evictions_.back();
      if (last.run_id == eviction.run_id && last.delivered == eviction.delivered &&
          last.last_sequence + 1 == eviction.first_sequence) {
        last.last_sequence = eviction.last_sequence;
        last.last_hash = eviction.last_hash;
        continue;
      }
    }
    pending_evictions_.push_back(std::move(eviction));
  }
}

absl::Status Recorder::DeclareEvictions() {
  CollectEvictions();
  while (!pending_evictions_.empty() && unwritten_first_ == 0) {
    const Eviction& eviction = pending_evictions_.front();
    v1::Envelope event;
    v1::Tombstone& tombstone = *event.mutable_tombstone();
    if (eviction.run_id != stream_.run_id()) tombstone.set_run_id(eviction.run_id);
    tombstone.set_first_sequence(eviction.first_sequence);
    tombstone.set_last_sequence(eviction.last_sequence);
    tombstone.set_last_hash(AsView(eviction.last_hash).data(), eviction.last_hash.size());
    tombstone.set_reason(eviction.delivered ? "evicted after delivery" : "evicted before delivery: the spool is full");
    if (auto sequence = Append(event); !sequence.ok()) return sequence.status();
    pending_evictions_.pop_front();
    CollectEvictions();
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
  pending_losses_[{std::string(stage), std::string(reason)}] += count;
  losses_[absl::StrCat(stage, "/", reason)] += count;
  totals_.lost += count;
}

absl::Status Recorder::FlushLosses() {
  absl::MutexLock lock(&mutex_);
  HP_RETURN_IF_ERROR(DeclareUnwritten());
  HP_RETURN_IF_ERROR(DeclareLosses());
  return DeclareEvictions();
}

Recorder::Head Recorder::head() const {
  absl::MutexLock lock(&mutex_);
  return head_;
}

Recorder::Totals Recorder::totals() const {
  absl::MutexLock lock(&mutex_);
  return totals_;
}

std::map<std::string, uint64_t> Recorder::losses() const {
  absl::MutexLock lock(&mutex_);
  return losses_;
}

}  // namespace holdpoint
