#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "agent/base/clock.h"
#include "agent/base/sha256.h"
#include "agent/event/counts.h"
#include "agent/event/record_sink.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// The largest serialised envelope. Kafka's own default limit for a message is 1 MiB.
inline constexpr size_t kMaxRecordBytes = 768 * 1024;

// Turns events into records of one stream: numbers them, chains them by hash, serialises them once and appends them to
// a sink. Owns the head of the chain.
//
// A record that the sink cannot take still uses its sequence number. The next one that it can take is a Tombstone with
// the range and the hash of the last lost record: the gap is declared, and the chain verifies across it. The same for
// what the sink evicts.
//
// Thread: any; calls are serialised by a mutex, Sync() waits for the disk outside of it.
class Recorder {
 public:
  struct Totals {
    uint64_t recorded = 0;   // taken by the sink
    uint64_t unwritten = 0;  // refused by the sink, declared by tombstones
    uint64_t bytes = 0;      // of serialised envelopes
    uint64_t lost = 0;       // everything else in RecordCounts::losses
  };
  struct Head {
    uint64_t sequence = 0;  // of the newest record, 0 before the first
    Sha256Digest hash{};
  };

  // `clock` and `sink` outlive the recorder.
  Recorder(v1::StreamId stream, const Clock& clock, RecordSink& sink);

  // Records one event: the caller sets one body, and session, environment, rung, blind_spots, boot_ns where they apply
  // (boot_ns 0 becomes now). Schema, stream, both sequences, previous_hash and time_unix_ns are set here. Text that is
  // not UTF-8 gets its wrong bytes as \xNN. Returns the sequence.
  //
  // Errors: those of the sink (the event is lost and counted; go on gating), kInvalidArgument without exactly one body
  // or when the record exceeds kMaxRecordBytes (counted as a loss; no sequence is used).
  absl::StatusOr<uint64_t> Record(v1::Envelope event) { return Record(std::move(event), nullptr); }

  // The same for an event that speaks of the chain itself: `complete` is called with the head before it, and nothing is
  // recorded in between. It calls nothing of the recorder.
  using Complete = std::function<void(const Head& head, v1::Envelope& event)>;
  absl::StatusOr<uint64_t> Record(v1::Envelope event, const Complete& complete);

  // Everything recorded so far is on stable storage when this returns OK. Called before a hold is released.
  absl::Status Sync();

  // Counts events that were lost before they could be recorded. They become Loss records in front of the next record,
  // or at FlushLosses(). `stage` is "ring", "judge", ...; both texts are few and ours, never what a session wrote.
  void CountLoss(absl::string_view stage, absl::string_view reason, uint64_t count);
  absl::Status FlushLosses();
  // Declares one at once, with what is known of its time and run; `total` is set here. Where that can't be written it is
  // counted as by CountLoss().
  absl::Status DeclareLoss(v1::Loss loss);

  Head head() const;
  RecordCounts counts() const;  // losses also where they are not declared yet
  // The same in short; losses as "stage/reason".
  Totals totals() const;
  std::map<std::string, uint64_t> losses() const;
  const v1::StreamId& stream() const { return stream_; }

 private:
  absl::StatusOr<uint64_t> Append(v1::Envelope& event, RecordClass record_class) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status AppendOwn(v1::Envelope event, RecordClass record_class) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status DeclareUnwritten(RecordClass worth) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status DeclareLosses(RecordClass worth) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  struct Undeclared {
    uint64_t count = 0;
    bool unknown = false;  // more than that, and nobody knows how much
  };
  void Owe(LossKey key, uint64_t count, bool unknown) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Lose(absl::string_view stage, absl::string_view reason, uint64_t count) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Count(const v1::Envelope& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CollectEvictions() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status DeclareEvictions() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t NextOfSession(const v1::Envelope& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const v1::StreamId stream_;
  const Clock& clock_;
  RecordSink& sink_;

  mutable absl::Mutex mutex_;
  Head head_ ABSL_GUARDED_BY(mutex_);
  RecordCounts counts_ ABSL_GUARDED_BY(mutex_);
  std::string buffer_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, uint64_t> sessions_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> ended_sessions_ ABSL_GUARDED_BY(mutex_);
  std::map<LossKey, Undeclared> pending_losses_ ABSL_GUARDED_BY(mutex_);
  std::deque<Eviction> pending_evictions_ ABSL_GUARDED_BY(mutex_);
  bool undeclared_ ABSL_GUARDED_BY(mutex_) = false;       // the sink waits to hear of EvictionsDeclared
  uint64_t unwritten_first_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: everything up to the head is written
  std::string unwritten_reason_ ABSL_GUARDED_BY(mutex_);
};

// Whether it declares records that no spool ever had, rather than evicted ones.
bool NeverWritten(const v1::Tombstone& tombstone);

// The bytes that the chain covers: deterministic serialisation of the whole envelope.
void SerializeRecord(const v1::Envelope& event, std::string* out);

// Reads a record back. False for bytes that are no envelope; says nothing on stderr, unlike protobuf itself: whoever
// can write to a topic could fill a log with it.
bool ParseRecord(absl::string_view record, v1::Envelope* event);

}  // namespace holdpoint
