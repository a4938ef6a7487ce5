#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/sink/line_target.h"
#include "agent/stream/producer.h"

namespace holdpoint {

// Lines as messages of a topic, for whoever reads no protobuf there: the line is the value, its key the key, so that a
// session stays in order. A line counts when the brokers have it. After a failure all that was not synced is sent once
// more: at least once.
class TopicTarget final : public LineTarget {
 public:
  // Of `kafka` the settings and what is said of this host's identity. Connects when there is something to send. Errors:
  // kInvalidArgument for a property that librdkafka does not take.
  static absl::StatusOr<std::unique_ptr<TopicTarget>> Make(const KafkaOptions& kafka, const std::string& topic);
  ~TopicTarget() override;

  absl::Status Write(const std::vector<OutLine>& lines, size_t* taken) override;
  // Waits for the brokers' word, some seconds at most.
  absl::Status Sync() override;
  uint64_t cut() const override { return cut_; }

 private:
  TopicTarget(const KafkaOptions& kafka, const std::string& topic) : kafka_(kafka), topic_(topic) {}
  absl::Status Start();
  void GiveUp();
  rd_kafka_resp_err_t Produce(const OutLine& line);
  static void OnDelivery(rd_kafka_t* rk, const rd_kafka_message_t* message, void* opaque);
  static void OnError(rd_kafka_t* rk, int code, const char* reason, void* opaque);

  const KafkaOptions kafka_;
  const std::string topic_;
  rd_kafka_t* rk_ = nullptr;
  absl::Status failed_;  // of a message since the last Sync
  std::string trouble_;  // the connection's last word, for people
  uint64_t cut_ = 0;
};

}  // namespace holdpoint
