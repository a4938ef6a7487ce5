#pragma once

#include <librdkafka/rdkafka.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "collector/consume/source.h"

namespace holdpoint {

struct KafkaSourceOptions {
  std::string brokers;
  std::string topic = "holdpoint.events.v1";
  std::string group = "holdpoint-collector";
  std::map<std::string, std::string> settings;  // librdkafka's, over ours
};

// A member of a consumer group. The store's offsets count, not the group's: an assigned partition starts where the
// store got to, or at its beginning. The group's are committed behind it so that tools can show the lag.
class KafkaSource final : public RecordSource {
 public:
  // `store` outlives the source. Errors: kInvalidArgument for settings that librdkafka refuses.
  static absl::StatusOr<std::unique_ptr<KafkaSource>> Open(const KafkaSourceOptions& options, Store& store);
  ~KafkaSource() override;

  absl::StatusOr<Got> Next(absl::Duration timeout, Item* item) override;
  void Stored() override;
  std::vector<std::string> TakeNotices() override;

 private:
  struct MessageDestroy {
    void operator()(rd_kafka_message_t* m) const { rd_kafka_message_destroy(m); }
  };
  KafkaSource(Store& store, std::string topic) : store_(store), topic_(std::move(topic)) {}
  static void OnRebalance(rd_kafka_t* rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions,
                          void* opaque);
  static void OnError(rd_kafka_t* rk, int code, const char* reason, void* opaque);
  void Assign(rd_kafka_topic_partition_list_t* partitions);

  Store& store_;
  const std::string topic_;
  rd_kafka_t* rk_ = nullptr;
  std::unique_ptr<rd_kafka_message_t, MessageDestroy> message_;
  std::set<int32_t> assigned_, ended_;
  std::map<int32_t, int64_t> to_commit_;  // partition -> next offset
  absl::Status failed_;                   // what a callback could not return
  std::set<std::string> told_;
  std::vector<std::string> notices_;
};

}  // namespace holdpoint
