#include "collector/consume/kafka_source.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/event/framing.h"

namespace holdpoint {
namespace {

constexpr char kSource[] = "kafka";

// What is worth saying comes through the error callback.
void OnLog(const rd_kafka_t*, int level, const char* facility, const char* text) {
  constexpr int kCritical = 2;
  if (level <= kCritical) LogError(facility, ": ", text);
}

}  // namespace

absl::StatusOr<std::unique_ptr<KafkaSource>> KafkaSource::Open(const KafkaSourceOptions& options, Store& store) {
  std::unique_ptr<KafkaSource> source(new KafkaSource(store, options.topic));
  std::map<std::string, std::string> settings = {
      {"client.id", "holdpoint-collector"},
      {"auto.offset.reset", "earliest"},
      {"partition.assignment.strategy", "range,roundrobin"},
  };
  for (const auto& [name, value] : options.settings) settings[name] = value;
  settings["bootstrap.servers"] = options.brokers;
  settings["group.id"] = options.group;
  settings["enable.auto.commit"] = "false";
  settings["enable.auto.offset.store"] = "false";
  settings["enable.partition.eof"] = "true";

  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char error[512];
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error, sizeof(error)) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      return absl::InvalidArgumentError(absl::StrCat("Kafka property ", name, ": ", error));
    }
  }
  rd_kafka_conf_set_opaque(conf, source.get());
  rd_kafka_conf_set_rebalance_cb(conf, &KafkaSource::OnRebalance);
  rd_kafka_conf_set_error_cb(conf, &KafkaSource::OnError);
  rd_kafka_conf_set_log_cb(conf, &OnLog);
  source->rk_ = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
  if (source->rk_ == nullptr) {
    rd_kafka_conf_destroy(conf);  // rd_kafka_new takes it only when it succeeds.
    return absl::InvalidArgumentError(absl::StrCat("Kafka consumer: ", error));
  }
  rd_kafka_poll_set_consumer(source->rk_);
  rd_kafka_topic_partition_list_t* topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, options.topic.c_str(), RD_KAFKA_PARTITION_UA);
  const rd_kafka_resp_err_t code = rd_kafka_subscribe(source->rk_, topics);
  rd_kafka_topic_partition_list_destroy(topics);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return absl::InvalidArgumentError(absl::StrCat("topic '", options.topic, "': ", rd_kafka_err2str(code)));
  }
  return source;
}

KafkaSource::~KafkaSource() {
  message_.reset();
  if (rk_ == nullptr) return;
  rd_kafka_consumer_close(rk_);
  rd_kafka_destroy(rk_);
}

void KafkaSource::Assign(rd_kafka_topic_partition_list_t* partitions) {
  for (int i = 0; i < partitions->cnt; ++i) {
    rd_kafka_topic_partition_t& p = partitions->elems[i];
    const auto next = store_.NextOffset(kSource, p.topic, p.partition);
    if (!next.ok()) failed_.Update(next.status());
    p.offset = next.ok() && next->has_value() ? **next : RD_KAFKA_OFFSET_BEGINNING;
    assigned_.insert(p.partition);
  }
  rd_kafka_assign(rk_, partitions);
}

void KafkaSource::OnRebalance(rd_kafka_t* rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions,
                              void* opaque) {
  auto* self = static_cast<KafkaSource*>(opaque);
  self->assigned_.clear();
  self->ended_.clear();
  self->to_commit_.clear();
  if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    // What is read but not committed yet would be read twice, which the store knows; committing first avoids it.
    self->failed_.Update(self->store_.Commit());
    self->Assign(partitions);
  } else {
    rd_kafka_assign(rk, nullptr);
  }
}

void KafkaSource::OnError(rd_kafka_t*, int code, const char* reason, void* opaque) {
  auto* self = static_cast<KafkaSource*>(opaque);
  const std::string kind = rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(code));
  if (self->told_.insert(kind).second) self->notices_.push_back(absl::StrCat(kind, ": ", reason));
}

absl::StatusOr<RecordSource::Got> KafkaSource::Next(absl::Duration timeout, Item* item) {
  const bool all_ended = !assigned_.empty() && ended_ == assigned_;
  message_.reset(rd_kafka_consumer_poll(rk_, static_cast<int>(absl::ToInt64Milliseconds(timeout))));
  if (!failed_.ok()) return failed_;
  if (message_ == nullptr) return all_ended ? Got::kIdle : Got::kNothing;
  switch (message_->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      break;
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      ended_.insert(message_->partition);
      return !assigned_.empty() && ended_ == assigned_ ? Got::kIdle : Got::kNothing;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      return absl::NotFoundError(absl::StrCat("the brokers have no topic '", topic_, "'"));
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      return absl::PermissionDeniedError(rd_kafka_message_errstr(message_.get()));
    default:
      if (told_.insert(rd_kafka_err2str(message_->err)).second) {
        notices_.push_back(rd_kafka_message_errstr(message_.get()));
      }
      return Got::kNothing;
  }
  told_.clear();
  ended_.erase(message_->partition);
  if (message_->payload == nullptr && absl::string_view(static_cast<const char*>(message_->key), message_->key_len) == kProbeKey) {
    return Got::kNothing;
  }
  item->record = UnframeRecord({static_cast<const char*>(message_->payload), message_->len});
  item->position = {kSource, topic_, message_->partition, message_->offset + 1};
  to_commit_[message_->partition] = message_->offset + 1;
  return Got::kRecord;
}

void KafkaSource::Stored() {
  if (to_commit_.empty()) return;
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(static_cast<int>(to_commit_.size()));
  for (const auto& [partition, offset] : to_commit_) {
    rd_kafka_topic_partition_list_add(list, topic_.c_str(), partition)->offset = offset;
  }
  rd_kafka_commit(rk_, list, /*async=*/1);
  rd_kafka_topic_partition_list_destroy(list);
  to_commit_.clear();
}

std::vector<std::string> KafkaSource::TakeNotices() { return std::exchange(notices_, {}); }

}  // namespace holdpoint
