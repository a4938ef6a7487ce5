#include "collector/consume/topic_reader.h"

#include <librdkafka/rdkafka.h>

#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/event/framing.h"

namespace holdpoint {
namespace {

struct KafkaDestroy {
  void operator()(rd_kafka_t* rk) const {
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
  }
};
struct MessageDestroy {
  void operator()(rd_kafka_message_t* m) const { rd_kafka_message_destroy(m); }
};
struct ListDestroy {
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
};
using KafkaPtr = std::unique_ptr<rd_kafka_t, KafkaDestroy>;
using ListPtr = std::unique_ptr<rd_kafka_topic_partition_list_t, ListDestroy>;
using PartitionName = std::pair<std::string, int32_t>;

// What librdkafka says once in its log is here the reason of the error that follows.
struct Heard {
  std::string last;
};

absl::StatusOr<KafkaPtr> Consumer(const TopicReaderOptions& options, Heard* heard) {
  std::map<std::string, std::string> settings = {{"client.id", "holdpoint-verify"}};
  for (const auto& [name, value] : options.settings) settings[name] = value;
  settings["bootstrap.servers"] = options.brokers;
  settings["group.id"] = "holdpoint-verify";  // librdkafka wants one; nothing is committed to it
  settings["enable.auto.commit"] = "false";
  settings["enable.partition.eof"] = "true";
  settings["auto.offset.reset"] = "earliest";
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char error[512];
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error, sizeof(error)) == RD_KAFKA_CONF_OK) continue;
    rd_kafka_conf_destroy(conf);
    return absl::InvalidArgumentError(absl::StrCat("Kafka property ", name, ": ", error));
  }
  rd_kafka_conf_set_opaque(conf, heard);
  rd_kafka_conf_set_error_cb(conf, [](rd_kafka_t*, int, const char* reason, void* opaque) {
    static_cast<Heard*>(opaque)->last = reason;
  });
  rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
  rd_kafka_t* rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
  if (rk == nullptr) {
    rd_kafka_conf_destroy(conf);
    return absl::InvalidArgumentError(absl::StrCat("Kafka consumer: ", error));
  }
  rd_kafka_poll_set_consumer(rk);
  return KafkaPtr(rk);
}

absl::Status Failure(rd_kafka_resp_err_t code, const std::string& topic, const Heard& heard) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return absl::NotFoundError(absl::StrCat("the brokers have no topic '", topic, "'"));
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return absl::PermissionDeniedError(absl::StrCat("no right to read topic '", topic, "'"));
    default:
      return absl::UnavailableError(absl::StrCat("topic '", topic, "' cannot be read: ", rd_kafka_err2str(code),
                                                 heard.last.empty() ? "" : ": ", heard.last));
  }
}

// Adds the partitions of a topic that have something in them, with where they end.
absl::Status Partitions(rd_kafka_t* rk, const std::string& topic, int patience_ms, const Heard& heard,
                        std::map<PartitionName, std::pair<int64_t, int64_t>>* ranges) {
  rd_kafka_topic_t* handle = rd_kafka_topic_new(rk, topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, handle, &metadata, patience_ms);
  rd_kafka_topic_destroy(handle);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return Failure(code, topic, heard);
  std::vector<int32_t> partitions;
  code = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
  for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < metadata->topics[0].partition_cnt; ++i) {
    partitions.push_back(metadata->topics[0].partitions[i].id);
  }
  rd_kafka_metadata_destroy(metadata);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return Failure(code, topic, heard);
  for (const int32_t partition : partitions) {
    int64_t low = 0, high = 0;
    code = rd_kafka_query_watermark_offsets(rk, topic.c_str(), partition, &low, &high, patience_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return Failure(code, topic, heard);
    (*ranges)[{topic, partition}] = {low, high};
  }
  return absl::OkStatus();
}

absl::string_view Payload(const rd_kafka_message_t& m) { return {static_cast<const char*>(m.payload), m.len}; }

bool IsProbe(const rd_kafka_message_t& m) {
  return m.payload == nullptr && absl::string_view(static_cast<const char*>(m.key), m.key_len) == kProbeKey;
}

}  // namespace

absl::Status ReadTopics(const TopicReaderOptions& options, const std::function<void(const TopicMessage&)>& take,
                        const std::function<void(const std::string&, int32_t)>& begin_is_gone) {
  Heard heard;
  HP_ASSIGN_OR_RETURN(const KafkaPtr rk, Consumer(options, &heard));
  const int patience_ms = static_cast<int>(absl::ToInt64Milliseconds(options.patience));
  std::map<PartitionName, std::pair<int64_t, int64_t>> ranges;
  for (const std::string& topic : options.topics) {
    HP_RETURN_IF_ERROR(Partitions(rk.get(), topic, patience_ms, heard, &ranges));
  }
  const ListPtr list(rd_kafka_topic_partition_list_new(static_cast<int>(ranges.size())));
  std::set<PartitionName> open;
  for (const auto& [name, range] : ranges) {
    if (range.first > 0) begin_is_gone(name.first, name.second);
    if (range.first >= range.second) continue;
    rd_kafka_topic_partition_list_add(list.get(), name.first.c_str(), name.second)->offset = range.first;
    open.insert(name);
  }
  if (open.empty()) return absl::OkStatus();
  rd_kafka_assign(rk.get(), list.get());
  while (!open.empty()) {
    const std::unique_ptr<rd_kafka_message_t, MessageDestroy> m(rd_kafka_consumer_poll(rk.get(), patience_ms));
    if (m == nullptr) return Failure(RD_KAFKA_RESP_ERR__TIMED_OUT, open.begin()->first, heard);
    if (m->rkt == nullptr) continue;
    const PartitionName name{rd_kafka_topic_name(m->rkt), m->partition};
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      open.erase(name);
      continue;
    }
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) return Failure(m->err, name.first, heard);
    const int64_t end = ranges[name].second;
    if (m->offset + 1 >= end) open.erase(name);
    if (m->offset >= end || IsProbe(*m)) continue;
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    const int64_t ms = rd_kafka_message_timestamp(m.get(), &type);
    take({.value = Payload(*m),
          .topic = name.first,
          .partition = name.second,
          .offset = m->offset,
          .appended = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? absl::FromUnixMillis(ms) : absl::InfinitePast()});
  }
  return absl::OkStatus();
}

}  // namespace holdpoint
