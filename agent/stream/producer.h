#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/base/clock.h"
#include "agent/stream/route.h"
#include "agent/stream/settings.h"
#include "agent/stream/sink.h"

namespace holdpoint {

// A topic, and how values lie in it: plain protobuf, or behind Confluent's prefix with the schema's id in the registry.
struct KafkaTopic {
  std::string name;  // empty: none
  std::optional<uint32_t> schema_id = {};
};

// Brokers refuse a whole batch that is larger than their topic's limit. What is learned of it outlives a producer.
struct BatchLimit {
  bool alone = false;       // each record in a batch of its own: it shows which one is too large
  size_t largest_ok = 0;    // of those that went alone
  uint64_t alone_left = 0;  // records until batches are tried again, no larger than that one
};

struct KafkaOptions {
  KafkaSettings settings;  // as ProducerSettings made them
  KafkaTopic events;       // every record
  KafkaTopic heartbeats;   // copies of the heartbeats, for whoever watches for silence
  KafkaTopic decisions;    // copies of the decisions
  std::shared_ptr<BatchLimit> limit = std::make_shared<BatchLimit>();
  std::string authorities = {};  // the file that verifies the brokers, for people
  // Of this host's own certificate, where there is one: what brokers say of an expired one is hard to read.
  std::string certificate = {};
  absl::Time certificate_ends = absl::InfiniteFuture();
};

// One idempotent Kafka producer. Each outcome that is not a delivery has its sentence (kafka_words.h).
//
// A record that the brokers find too large is replaced by a stand-in (route.h), and reported as kOutOfRange when that
// one is delivered. A copy that has no topic, or no right to be written, is left out, said and counted: the record
// itself is in the events. Thread: one; the callbacks run inside Poll().
class KafkaSink final : public Sink {
 public:
  // Errors: kInvalidArgument for a property that librdkafka does not know or whose value it does not take.
  static absl::StatusOr<std::unique_ptr<KafkaSink>> Create(const KafkaOptions& options, Reports reports);
  ~KafkaSink() override;
  KafkaSink(const KafkaSink&) = delete;
  KafkaSink& operator=(const KafkaSink&) = delete;

  absl::Status Put(uint64_t number, absl::string_view bytes) override;
  void Poll() override;
  int wait_fd() const override { return wake_; }
  void Flush(absl::Duration timeout) override;

  rd_kafka_t* handle() { return rk_; }  // For librdkafka's mock cluster.

 private:
  enum class Kind : uint64_t { kEvent, kCopy, kStandIn };

  KafkaSink(const KafkaOptions& options, Reports reports) : options_(options), reports_(std::move(reports)) {}
  absl::Status Start();
  static void OnDelivery(rd_kafka_t* rk, const rd_kafka_message_t* message, void* opaque);
  static void OnError(rd_kafka_t* rk, int code, const char* reason, void* opaque);
  static void OnThrottle(rd_kafka_t* rk, const char* broker, int32_t id, int ms, void* opaque);
  void Delivered(uint64_t number, Kind kind, const rd_kafka_message_t& message);
  void TooLarge(uint64_t number, const rd_kafka_message_t& message);
  void CopyFailed(absl::string_view topic, rd_kafka_resp_err_t code);
  rd_kafka_resp_err_t Produce(uint64_t number, Kind kind, const KafkaTopic& topic, const Route& route,
                              absl::string_view bytes);
  const KafkaTopic* CopyTopic(const Route& route) const;
  void PutStandIn(uint64_t number, std::string bytes);
  void RetryStandIns();
  void Report(uint64_t number, const absl::Status& status);

  const KafkaOptions options_;
  Reports reports_;
  rd_kafka_t* rk_ = nullptr;
  int wake_ = -1;
  std::string framed_;                // a value with its prefix
  std::set<uint64_t> copies_;         // numbers whose copy is on its way
  std::set<uint64_t> without_copy_;   // of these, those that are delivered themselves
  uint64_t copied_ = ~uint64_t{0};    // its copy was taken, it was not: the queue was full
  BootTime copies_again_;             // no copies before
  std::deque<std::pair<uint64_t, std::string>> stand_ins_;  // that found the queue full
  bool throttled_ = false;            // said
};

// librdkafka's "builtin.features" on this host.
std::string KafkaFeatures();

}  // namespace holdpoint
