#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/stream/settings.h"

namespace holdpoint {

// One idempotent Kafka producer. Thread: one; the callbacks run inside Poll().
class Producer {
 public:
  struct Callbacks {
    // The brokers have record `number`, or never will: then the error says why.
    std::function<void(uint64_t number, const absl::Status& status)> delivered;
    // Something is wrong with the connection; librdkafka goes on trying. The text is for people.
    std::function<void(rd_kafka_resp_err_t code, absl::string_view text)> trouble;
  };

  // Errors: kInvalidArgument for a property that librdkafka does not know or whose value it does not take.
  static absl::StatusOr<std::unique_ptr<Producer>> Create(const KafkaSettings& settings, const std::string& topic,
                                                          Callbacks callbacks);
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Queues one record; the bytes are copied. `number` comes back in the delivery report.
  // Errors: kUnavailable while the queue is full (Poll, then again), kOutOfRange for a record that is too large,
  // kAborted when the producer is of no use any more and a new one is needed.
  absl::Status Produce(uint64_t number, absl::string_view record);

  // Runs callbacks. Does not wait.
  void Poll() { rd_kafka_poll(rk_, 0); }
  // Readable when Poll has something to do.
  int wait_fd() const { return wake_; }
  // Clears wait_fd. Call before Poll.
  void ClearWake();
  // Waits until all is delivered, at most `timeout`.
  void Flush(absl::Duration timeout);

  rd_kafka_t* handle() { return rk_; }  // For librdkafka's mock cluster.

 private:
  Producer() = default;
  static void OnDelivery(rd_kafka_t* rk, const rd_kafka_message_t* message, void* opaque);
  static void OnError(rd_kafka_t* rk, int code, const char* reason, void* opaque);

  Callbacks callbacks_;
  std::string topic_;
  rd_kafka_t* rk_ = nullptr;
  int wake_ = -1;
};

// librdkafka's "builtin.features" on this host.
std::string KafkaFeatures();

}  // namespace holdpoint
