#include "agent/stream/topic_target.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/base/status.h"
#include "agent/stream/kafka_client.h"
#include "agent/stream/kafka_words.h"

namespace holdpoint {
namespace {

constexpr int kPatienceMs = 5000;
constexpr size_t kLongest = 900'000;  // below message.max.bytes, with key and headers

}  // namespace

absl::StatusOr<std::unique_ptr<TopicTarget>> TopicTarget::Make(const KafkaOptions& kafka, const std::string& topic) {
  if (absl::StatusOr<KafkaConfPtr> conf = KafkaConfOf(kafka.settings); !conf.ok()) return conf.status();
  return std::unique_ptr<TopicTarget>(new TopicTarget(kafka, topic));
}

absl::Status TopicTarget::Start() {
  HP_ASSIGN_OR_RETURN(KafkaConfPtr conf, KafkaConfOf(kafka_.settings));
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_dr_msg_cb(conf.get(), &TopicTarget::OnDelivery);
  rd_kafka_conf_set_error_cb(conf.get(), &TopicTarget::OnError);
  rd_kafka_conf_set_log_cb(conf.get(), &LogCritical);
  HP_ASSIGN_OR_RETURN(rk_, NewProducer(std::move(conf)));
  return absl::OkStatus();
}

TopicTarget::~TopicTarget() { GiveUp(); }

// What is purged is not counted as delivered: it is sent again.
void TopicTarget::GiveUp() {
  if (rk_ == nullptr) return;
  rd_kafka_purge(rk_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
  rd_kafka_destroy(rk_);
  rk_ = nullptr;
  failed_ = absl::OkStatus();
}

void TopicTarget::OnDelivery(rd_kafka_t* rk, const rd_kafka_message_t* message, void* opaque) {
  auto* self = static_cast<TopicTarget*>(opaque);
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR || !self->failed_.ok()) return;
  char fatal[512] = "";
  rd_kafka_fatal_error(rk, fatal, sizeof(fatal));
  self->failed_ = DeliveryFailure(message->err, self->topic_, fatal);
}

void TopicTarget::OnError(rd_kafka_t*, int code, const char* reason, void* opaque) {
  auto* self = static_cast<TopicTarget*>(opaque);
  self->trouble_ = ConnectionTrouble(static_cast<rd_kafka_resp_err_t>(code), reason,
                                     {.settings = self->kafka_.settings,
                                      .authorities = self->kafka_.authorities,
                                      .certificate = self->kafka_.certificate,
                                      .certificate_ends = self->kafka_.certificate_ends,
                                      .now = absl::Now()})
                       .sentence;
}

rd_kafka_resp_err_t TopicTarget::Produce(const OutLine& line) {
  std::string instead;
  absl::string_view value = line.text;
  if (value.size() > kLongest) {
    instead = absl::StrCat("{\"holdpoint\":{\"cut\":\"", line.action, "\",\"bytes\":", value.size(), "}}");
    value = instead;
    ++cut_;
  }
  rd_kafka_vu_t parts[8] = {};
  size_t count = 0;
  auto& name = parts[count++];
  name.vtype = RD_KAFKA_VTYPE_TOPIC;
  name.u.cstr = topic_.c_str();
  parts[count++] = KafkaBytes(RD_KAFKA_VTYPE_VALUE, value);
  parts[count++] = KafkaBytes(RD_KAFKA_VTYPE_KEY, line.key);
  auto& flags = parts[count++];
  flags.vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  flags.u.i = RD_KAFKA_MSG_F_COPY;
  auto& timestamp = parts[count++];
  timestamp.vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  timestamp.u.i64 = std::max<int64_t>(line.time_unix_ns / 1'000'000, 0);
  rd_kafka_error_t* error = rd_kafka_produceva(rk_, parts, count);
  if (error == nullptr) return RD_KAFKA_RESP_ERR_NO_ERROR;
  const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  return code;
}

absl::Status TopicTarget::Write(const std::vector<OutLine>& lines, size_t* taken) {
  *taken = 0;
  if (rk_ == nullptr) {
    if (absl::Status started = Start(); !started.ok()) return started;
  }
  for (const OutLine& line : lines) {
    const rd_kafka_resp_err_t code = Produce(line);
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return absl::OkStatus();  // The rest after these.
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      GiveUp();
      *taken = 0;
      return DeliveryFailure(code, topic_, "");
    }
    ++*taken;
  }
  return absl::OkStatus();
}

absl::Status TopicTarget::Sync() {
  if (rk_ == nullptr) return absl::OkStatus();
  const bool all = rd_kafka_flush(rk_, kPatienceMs) == RD_KAFKA_RESP_ERR_NO_ERROR;
  if (all && failed_.ok()) {
    trouble_.clear();
    return absl::OkStatus();
  }
  const std::string silent = absl::StrCat("no answer about topic '", topic_, "' for ", kPatienceMs / 1000,
                                          " s: is it there, and may this host write to it?");
  const absl::Status why = failed_.ok() ? absl::UnavailableError(trouble_.empty() ? silent : trouble_) : failed_;
  GiveUp();
  return why;
}

}  // namespace holdpoint
