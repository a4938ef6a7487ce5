#include "agent/stream/producer.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/event/body.h"
#include "agent/event/recorder.h"

namespace holdpoint {
namespace {

struct ConfDestroy {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using ConfPtr = std::unique_ptr<rd_kafka_conf_t, ConfDestroy>;

// librdkafka's own lines repeat with every attempt; what matters comes through the error callback, once.
void OnLog(const rd_kafka_t*, int level, const char* facility, const char* text) {
  constexpr int kCritical = 2;
  if (level <= kCritical) LogError(facility, ": ", text);
}

rd_kafka_vu_t Header(const char* name, const std::string& value) {
  rd_kafka_vu_t vu{};
  vu.vtype = RD_KAFKA_VTYPE_HEADER;
  vu.u.header.name = name;
  vu.u.header.val = value.data();
  vu.u.header.size = static_cast<ssize_t>(value.size());
  return vu;
}

}  // namespace

std::string KafkaFeatures() {
  const ConfPtr conf(rd_kafka_conf_new());
  char features[512];
  size_t size = sizeof(features);
  return rd_kafka_conf_get(conf.get(), "builtin.features", features, &size) == RD_KAFKA_CONF_OK ? features : "";
}

absl::StatusOr<std::unique_ptr<Producer>> Producer::Create(const KafkaSettings& settings, const std::string& topic,
                                                           Callbacks callbacks) {
  std::unique_ptr<Producer> producer(new Producer());
  producer->callbacks_ = std::move(callbacks);
  producer->topic_ = topic;
  producer->wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (producer->wake_ < 0) return ErrnoStatus("eventfd");

  ConfPtr conf(rd_kafka_conf_new());
  char error[512];
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), error, sizeof(error)) != RD_KAFKA_CONF_OK) {
      return absl::InvalidArgumentError(absl::StrCat("Kafka property ", name, ": ", error));
    }
  }
  rd_kafka_conf_set_opaque(conf.get(), producer.get());
  rd_kafka_conf_set_dr_msg_cb(conf.get(), &Producer::OnDelivery);
  rd_kafka_conf_set_error_cb(conf.get(), &Producer::OnError);
  rd_kafka_conf_set_log_cb(conf.get(), &OnLog);
  producer->rk_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), error, sizeof(error));
  if (producer->rk_ == nullptr) return absl::InvalidArgumentError(absl::StrCat("Kafka producer: ", error));
  (void)conf.release();  // rd_kafka_new took it.

  rd_kafka_queue_t* queue = rd_kafka_queue_get_main(producer->rk_);
  const uint64_t one = 1;
  rd_kafka_queue_io_event_enable(queue, producer->wake_, &one, sizeof(one));
  rd_kafka_queue_destroy(queue);
  return producer;
}

Producer::~Producer() {
  if (rk_ != nullptr) {
    callbacks_ = {};  // What is purged now is still in the spool: nobody needs to hear of it.
    rd_kafka_purge(rk_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_destroy(rk_);
  }
  if (wake_ >= 0) close(wake_);
}

absl::Status Producer::Produce(uint64_t number, absl::string_view record) {
  v1::Envelope event;  // For key and headers only: the value is the bytes as they were stored.
  const bool parsed = ParseRecord(record, &event);
  const std::string& key = event.session().empty() ? event.stream().host_id() : event.session();
  const std::string type = absl::StrCat("holdpoint.v1.", parsed ? EventType(event) : "unknown");
  const std::string id = absl::StrCat(event.stream().run_id(), "/", event.sequence());
  const std::string source = absl::StrCat("/holdpoint/", event.stream().host_id(), "/", event.stream().instance());
  const std::string spec = "1.0", content = "application/protobuf";

  rd_kafka_vu_t parts[11] = {};
  size_t count = 0;
  auto& topic = parts[count++];
  topic.vtype = RD_KAFKA_VTYPE_TOPIC;
  topic.u.cstr = topic_.c_str();
  auto& value = parts[count++];
  value.vtype = RD_KAFKA_VTYPE_VALUE;
  value.u.mem.ptr = const_cast<char*>(record.data());
  value.u.mem.size = record.size();
  auto& key_part = parts[count++];
  key_part.vtype = RD_KAFKA_VTYPE_KEY;
  key_part.u.mem.ptr = const_cast<char*>(key.data());
  key_part.u.mem.size = key.size();
  auto& flags = parts[count++];
  flags.vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  flags.u.i = RD_KAFKA_MSG_F_COPY;
  auto& timestamp = parts[count++];
  timestamp.vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  timestamp.u.i64 = event.time_unix_ns() / 1'000'000;
  auto& opaque = parts[count++];
  opaque.vtype = RD_KAFKA_VTYPE_OPAQUE;
  opaque.u.ptr = reinterpret_cast<void*>(static_cast<uintptr_t>(number));
  parts[count++] = Header("ce_specversion", spec);
  parts[count++] = Header("ce_id", id);
  parts[count++] = Header("ce_source", source);
  parts[count++] = Header("ce_type", type);
  parts[count++] = Header("content-type", content);

  rd_kafka_error_t* error = rd_kafka_produceva(rk_, parts, count);
  if (error == nullptr) return absl::OkStatus();
  const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
  const std::string text = rd_kafka_error_string(error);
  rd_kafka_error_destroy(error);
  if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return absl::UnavailableError(text);
  if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) return absl::OutOfRangeError(text);
  return absl::AbortedError(text);
}

void Producer::OnDelivery(rd_kafka_t* rk, const rd_kafka_message_t* message, void* opaque) {
  auto* self = static_cast<Producer*>(opaque);
  if (!self->callbacks_.delivered) return;
  absl::Status status;
  if (message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || message->err == RD_KAFKA_RESP_ERR_INVALID_RECORD) {
    status = absl::OutOfRangeError(rd_kafka_err2str(message->err));
  } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    char why[512];
    const rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(rk, why, sizeof(why));
    status = absl::AbortedError(fatal != RD_KAFKA_RESP_ERR_NO_ERROR ? why : rd_kafka_err2str(message->err));
  }
  self->callbacks_.delivered(static_cast<uint64_t>(reinterpret_cast<uintptr_t>(message->_private)), status);
}

void Producer::OnError(rd_kafka_t*, int code, const char* reason, void* opaque) {
  auto* self = static_cast<Producer*>(opaque);
  if (self->callbacks_.trouble) self->callbacks_.trouble(static_cast<rd_kafka_resp_err_t>(code), reason);
}

void Producer::ClearWake() {
  uint64_t count;
  if (read(wake_, &count, sizeof(count)) < 0) return;  // Nothing was there.
}

void Producer::Flush(absl::Duration timeout) {
  rd_kafka_flush(rk_, static_cast<int>(absl::ToInt64Milliseconds(timeout)));
}

}  // namespace holdpoint
