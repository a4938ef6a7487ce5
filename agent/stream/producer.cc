#include "agent/stream/producer.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/event/framing.h"
#include "agent/stream/kafka_client.h"
#include "agent/stream/kafka_words.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kCopiesAgain = absl::Minutes(1);
constexpr uint64_t kAlone = 1000;  // records that go alone after a batch was too large

absl::string_view AsView(const void* bytes, size_t size) { return {static_cast<const char*>(bytes), size}; }

rd_kafka_vu_t Header(const char* name, absl::string_view value) {
  rd_kafka_vu_t vu{};
  vu.vtype = RD_KAFKA_VTYPE_HEADER;
  vu.u.header.name = name;
  vu.u.header.val = value.data();
  vu.u.header.size = static_cast<ssize_t>(value.size());
  return vu;
}

}  // namespace

std::string KafkaFeatures() {
  const KafkaConfPtr conf(rd_kafka_conf_new());
  char features[512];
  size_t size = sizeof(features);
  return rd_kafka_conf_get(conf.get(), "builtin.features", features, &size) == RD_KAFKA_CONF_OK ? features : "";
}

absl::StatusOr<std::unique_ptr<KafkaSink>> KafkaSink::Create(const KafkaOptions& options, Reports reports) {
  std::unique_ptr<KafkaSink> sink(new KafkaSink(options, std::move(reports)));
  HP_RETURN_IF_ERROR(sink->Start());
  return sink;
}

absl::Status KafkaSink::Start() {
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0) return ErrnoStatus("eventfd");
  KafkaSettings settings = options_.settings;
  const BatchLimit& limit = *options_.limit;
  if (limit.alone) {
    settings["batch.num.messages"] = "1";
  } else if (limit.largest_ok > 0) {
    settings["batch.size"] = absl::StrCat(limit.largest_ok);
  }
  HP_ASSIGN_OR_RETURN(KafkaConfPtr conf, KafkaConfOf(settings));
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_dr_msg_cb(conf.get(), &KafkaSink::OnDelivery);
  rd_kafka_conf_set_error_cb(conf.get(), &KafkaSink::OnError);
  rd_kafka_conf_set_throttle_cb(conf.get(), &KafkaSink::OnThrottle);
  rd_kafka_conf_set_log_cb(conf.get(), &LogCritical);
  HP_ASSIGN_OR_RETURN(rk_, NewProducer(std::move(conf)));

  rd_kafka_queue_t* queue = rd_kafka_queue_get_main(rk_);
  const uint64_t one = 1;
  rd_kafka_queue_io_event_enable(queue, wake_, &one, sizeof(one));
  rd_kafka_queue_destroy(queue);
  return absl::OkStatus();
}

KafkaSink::~KafkaSink() {
  if (rk_ != nullptr) {
    reports_ = {};  // What is purged now is still in the spool: nobody needs to hear of it.
    rd_kafka_purge(rk_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_destroy(rk_);
  }
  if (wake_ >= 0) close(wake_);
}

const KafkaTopic* KafkaSink::CopyTopic(const Route& route) const {
  const KafkaTopic* topic = route.body == v1::Envelope::kHeartbeatFieldNumber  ? &options_.heartbeats
                            : route.body == v1::Envelope::kDecisionFieldNumber ? &options_.decisions
                                                                               : nullptr;
  const bool wanted = topic != nullptr && !topic->name.empty() && Clock::Real().Boot() >= copies_again_;
  return wanted ? topic : nullptr;
}

absl::Status KafkaSink::Put(uint64_t number, absl::string_view bytes) {
  Route route;
  ReadRoute(bytes, &route);
  if (const KafkaTopic* copy = CopyTopic(route); copy != nullptr && copied_ != number) {
    const rd_kafka_resp_err_t code = Produce(number, Kind::kCopy, *copy, route, bytes);
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return absl::UnavailableError("the queue is full");
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) copies_.insert(number);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) CopyFailed(copy->name, code);
    copied_ = number;
  }
  const rd_kafka_resp_err_t code = Produce(number, Kind::kEvent, options_.events, route, bytes);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
  if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return absl::UnavailableError("the queue is full");
  if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
    PutStandIn(number, StandIn(bytes, absl::StrCat("larger than message.max.bytes: ", bytes.size(), " bytes")));
    return absl::OkStatus();
  }
  return DeliveryFailure(code, options_.events.name, "");
}

rd_kafka_resp_err_t KafkaSink::Produce(uint64_t number, Kind kind, const KafkaTopic& topic, const Route& route,
                                       absl::string_view bytes) {
  const std::string type = absl::StrCat("holdpoint.v1.", route.type());
  const std::string id = absl::StrCat(route.run_id, "/", route.sequence);
  const std::string source = absl::StrCat("/holdpoint/", route.host_id, "/", route.instance);
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::FromUnixNanos(route.time_unix_ns), absl::UTCTimeZone());
  absl::string_view value = bytes;
  if (topic.schema_id.has_value()) {
    FrameRecord(*topic.schema_id, bytes, &framed_);
    value = framed_;
  }
  rd_kafka_vu_t parts[16] = {};
  size_t count = 0;
  auto& name = parts[count++];
  name.vtype = RD_KAFKA_VTYPE_TOPIC;
  name.u.cstr = topic.name.c_str();
  parts[count++] = KafkaBytes(RD_KAFKA_VTYPE_VALUE, value);
  parts[count++] = KafkaBytes(RD_KAFKA_VTYPE_KEY, route.key());
  auto& flags = parts[count++];
  flags.vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  flags.u.i = RD_KAFKA_MSG_F_COPY;
  auto& timestamp = parts[count++];
  timestamp.vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  timestamp.u.i64 = std::max<int64_t>(route.time_unix_ns / 1'000'000, 0);
  auto& opaque = parts[count++];
  opaque.vtype = RD_KAFKA_VTYPE_OPAQUE;
  opaque.u.ptr = reinterpret_cast<void*>(static_cast<uintptr_t>(number << 2 | static_cast<uint64_t>(kind)));
  parts[count++] = Header("ce_specversion", "1.0");
  parts[count++] = Header("ce_id", id);
  parts[count++] = Header("ce_source", source);
  parts[count++] = Header("ce_type", type);
  parts[count++] = Header("ce_time", time);
  if (!route.session.empty()) parts[count++] = Header("ce_subject", route.session);
  parts[count++] = Header("content-type", "application/protobuf");
  parts[count++] = Header("holdpoint-wire", topic.schema_id.has_value() ? "confluent" : "protobuf");

  rd_kafka_error_t* error = rd_kafka_produceva(rk_, parts, count);
  if (error == nullptr) return RD_KAFKA_RESP_ERR_NO_ERROR;
  const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  return code;
}

void KafkaSink::PutStandIn(uint64_t number, std::string bytes) {
  stand_ins_.emplace_back(number, std::move(bytes));
  RetryStandIns();
}

void KafkaSink::RetryStandIns() {
  while (!stand_ins_.empty()) {
    const auto& [number, bytes] = stand_ins_.front();
    Route route;
    ReadRoute(bytes, &route);
    const rd_kafka_resp_err_t code = Produce(number, Kind::kStandIn, options_.events, route, bytes);
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) Report(number, DeliveryFailure(code, options_.events.name, ""));
    stand_ins_.pop_front();
  }
}

void KafkaSink::OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto* self = static_cast<KafkaSink*>(opaque);
  if (!self->reports_.delivered) return;
  const uint64_t mark = reinterpret_cast<uintptr_t>(message->_private);
  self->Delivered(mark >> 2, static_cast<Kind>(mark & 3), *message);
}

void KafkaSink::Delivered(uint64_t number, Kind kind, const rd_kafka_message_t& message) {
  const bool good = message.err == RD_KAFKA_RESP_ERR_NO_ERROR;
  if (kind == Kind::kCopy) {
    copies_.erase(number);
    if (!good) CopyFailed(rd_kafka_topic_name(message.rkt), message.err);
    if (without_copy_.erase(number) > 0) Report(number, absl::OkStatus());
    return;
  }
  if (kind == Kind::kEvent && message.err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) return TooLarge(number, message);
  char fatal[512] = "";
  if (!good) rd_kafka_fatal_error(rk_, fatal, sizeof(fatal));
  absl::Status status = good ? absl::OkStatus() : DeliveryFailure(message.err, options_.events.name, fatal);
  if (kind == Kind::kStandIn && good) {
    status = DeliveryFailure(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, options_.events.name, "");
  } else if (kind == Kind::kEvent && good && options_.limit->alone) {
    BatchLimit& limit = *options_.limit;
    limit.largest_ok = std::max(limit.largest_ok, message.len);
    if (limit.alone_left > 0) --limit.alone_left;
    if (limit.alone_left == 0) {
      limit.alone = false;
      Report(number, status);
      return Report(number, absl::AbortedError(absl::StrCat("topic '", options_.events.name,
                                                                "' takes smaller batches: they are made smaller")));
    }
  }
  if (good && copies_.contains(number)) {
    without_copy_.insert(number);
    return;
  }
  Report(number, status);
}

// Which record of a batch was too large, the brokers do not say: then each goes alone for a while.
void KafkaSink::TooLarge(uint64_t number, const rd_kafka_message_t& message) {
  BatchLimit& limit = *options_.limit;
  const absl::string_view value = AsView(message.payload, message.len);
  const bool was_alone = limit.alone || (limit.largest_ok > 0 && message.len > limit.largest_ok);
  if (was_alone) {
    return PutStandIn(number, StandIn(UnframeRecord(value), absl::StrCat("larger than the topic takes: ", message.len,
                                                                         " bytes")));
  }
  limit = {.alone = true, .largest_ok = 0, .alone_left = kAlone};
  Report(number, absl::AbortedError(absl::StrCat("a batch is larger than topic '", options_.events.name,
                                                 "' takes: raise that topic's max.message.bytes to 1048588; records go "
                                                 "one by one")));
}

void KafkaSink::CopyFailed(absl::string_view topic, rd_kafka_resp_err_t code) {
  if (code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) return;
  copies_again_ = Clock::Real().Boot() + kCopiesAgain;
  reports_.trouble(absl::StrCat("no copy in ", topic),
                   absl::StrCat("no copies in topic '", topic, "' for now, the records themselves are delivered: ",
                                DeliveryFailure(code, topic, "").message()));
}

void KafkaSink::OnError(rd_kafka_t* rk, int code, const char* reason, void* opaque) {
  auto* self = static_cast<KafkaSink*>(opaque);
  if (!self->reports_.trouble) return;
  const auto error = static_cast<rd_kafka_resp_err_t>(code);
  if (error == RD_KAFKA_RESP_ERR__FATAL) {
    char why[512] = "";
    const rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(rk, why, sizeof(why));
    return self->Report(0, DeliveryFailure(fatal, self->options_.events.name, why));
  }
  const Trouble trouble = ConnectionTrouble(error, reason,
                                            {.settings = self->options_.settings,
                                             .authorities = self->options_.authorities,
                                             .certificate = self->options_.certificate,
                                             .certificate_ends = self->options_.certificate_ends,
                                             .now = absl::Now()});
  self->reports_.trouble(trouble.kind, trouble.sentence);
}

void KafkaSink::OnThrottle(rd_kafka_t*, const char* broker, int32_t, int ms, void* opaque) {
  auto* self = static_cast<KafkaSink*>(opaque);
  if (ms <= 0 || self->throttled_ || !self->reports_.trouble) return;
  self->throttled_ = true;
  self->reports_.trouble("quota", absl::StrCat("a quota of ", broker, " slows the delivery (", ms,
                                               " ms this time): records wait in the spool and follow; raise "
                                               "producer_byte_rate for this host's principal"));
}

void KafkaSink::Report(uint64_t number, const absl::Status& status) {
  if (reports_.delivered) reports_.delivered(number, status);
}

void KafkaSink::Poll() {
  uint64_t count;
  if (read(wake_, &count, sizeof(count)) < 0 && errno != EAGAIN) return;
  rd_kafka_poll(rk_, 0);
  if (!stand_ins_.empty()) RetryStandIns();
}

void KafkaSink::Flush(absl::Duration timeout) {
  rd_kafka_flush(rk_, static_cast<int>(absl::ToInt64Milliseconds(timeout)));
}

}  // namespace holdpoint
