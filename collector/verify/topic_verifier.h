#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/event/chain.h"
#include "agent/event/heartbeat.h"
#include "collector/verify/delivery_order.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// A message as it lies in a topic.
struct TopicMessage {
  absl::string_view value;  // framed or not
  std::string topic;
  int32_t partition = 0;
  int64_t offset = 0;
  absl::Time appended = absl::InfinitePast();  // by the broker's clock; where it keeps that of the sender: unknown
};

struct TopicFinding {
  enum class Kind {
    kMissing,      // no records first..last, and no tombstone that accounts for them
    kChanged,      // a record is not what the chain says, or came with other bytes
    kReordered,    // it came after a later one of its run in the same partition
    kRepeated,     // it came again, and not as a stream repeats after a restart
    kLate,         // later records were there long before it
    kForged,       // signed by nobody who is known, or copied to another place
    kUnsigned,     // the whole run: anybody who may write to the topic could have written it
    kSilent,       // no heartbeat for long, and the stream did not end
    kUndelivered,  // only its hash is here, it was too large for the topic
    kRejected,     // a message that is no record
  };
  Kind kind;
  std::string run_id;
  uint64_t first = 0;
  uint64_t last = 0;
  std::string text;  // one line for people: which record, and where in the topic
};
absl::string_view TopicFindingName(TopicFinding::Kind kind);

struct TopicRun {
  std::string run_id, host, host_id;
  uint64_t records = 0;
  uint64_t first_sequence = 0, last_sequence = 0;
  uint64_t repeated = 0;          // messages with bytes that were there before, as a stream sends them again
  uint64_t declared_missing = 0;  // accounted for by tombstones
  uint64_t attested_to = 0;       // up to this record a signed heartbeat vouches for the chain
  std::string key;                // that signed
  bool ended = false;             // a signed heartbeat says so
  std::map<std::string, uint64_t> losses;  // as the last signed heartbeat says, "stage/reason"
};

struct TopicReport {
  std::vector<TopicRun> runs;  // in the order of their first record's time
  std::vector<TopicFinding> findings;
  uint64_t messages = 0;
  bool ok() const { return findings.empty(); }
};

struct TopicVerifierOptions {
  std::string topic;  // that has every record; other topics have copies
  // Of the hosts. Empty: for each host the key that its first run names is believed, and a later one is not.
  std::vector<HeartbeatPublicKey> keys;
  absl::Time now;
  absl::Duration late = absl::Minutes(5);  // how long later records may be there before one
};

// Says from topics alone whether what is in them is what the hosts recorded: takes every message of every partition, in
// the order of each partition, in whatever order of partitions. Keeps some 150 bytes for each record. Pure state.
class TopicVerifier {
 public:
  explicit TopicVerifier(TopicVerifierOptions options) : options_(std::move(options)) {}

  // Any bytes are fine.
  void Add(const TopicMessage& message);

  // The beginning of this partition is gone (retention): what is missing before its first records is no finding.
  void BeginIsGone(const std::string& topic, int32_t partition) { cut_.emplace(topic, partition); }

  // Call once, after the last Add.
  TopicReport Finish();

 private:
  struct Place {
    uint32_t topic;  // index in topics_
    int32_t partition;
    int64_t offset;
  };
  struct Kept {
    std::string previous_hash, hash;
    Place place;
    int64_t appended_ms;  // -1: unknown
    bool in_main;         // in the topic that has every record
  };
  struct Beat {
    uint64_t sequence;
    std::string statement, signature, previous_hash;
    Place place;
  };
  struct Run {
    v1::StreamId stream;
    int64_t first_time_ns = 0;
    std::map<uint64_t, Kept> records;
    std::map<std::pair<uint32_t, int32_t>, DeliveryOrder> orders;  // by topic and partition
    std::vector<DeclaredGap> declared;
    std::vector<Beat> beats;
    std::string announced_key;  // by its "started" record
    std::optional<std::pair<uint64_t, std::string>> end;  // where the next run saw it end
    std::vector<TopicFinding> findings;
    uint64_t repeated = 0;
  };

  void TakeRecord(const v1::Envelope& event, absl::string_view bytes, const TopicMessage& message);
  void TakeDeclarations(const v1::Envelope& event, Run& run);
  uint32_t TopicIndex(const std::string& topic);
  std::string Text(const Place& place) const;
  void BelieveFirstKeys();
  TopicRun FinishRun(Run& run);
  void JudgeChain(Run& run, TopicRun& report);
  void JudgeOrder(Run& run);
  void JudgeLate(Run& run);
  void JudgeHeartbeats(Run& run, TopicRun& report);
  static void Found(Run& run, TopicFinding::Kind kind, uint64_t first, uint64_t last, std::string text);

  const TopicVerifierOptions options_;
  std::vector<std::string> topics_;
  std::set<std::pair<std::string, int32_t>> cut_;
  std::map<std::string, Run> runs_;
  std::map<std::string, std::vector<HeartbeatPublicKey>> keys_;  // by host id, where none are given
  std::vector<TopicFinding> rejected_;
  uint64_t messages_ = 0;
};

}  // namespace holdpoint
