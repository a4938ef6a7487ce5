#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/stream/settings.h"

namespace holdpoint {

// What every producer here asks of librdkafka in the same way.

struct KafkaConfDestroy {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using KafkaConfPtr = std::unique_ptr<rd_kafka_conf_t, KafkaConfDestroy>;

// kInvalidArgument for a property that librdkafka does not know or whose value it does not take.
absl::StatusOr<KafkaConfPtr> KafkaConfOf(const KafkaSettings& settings);

// Makes a producer. The handle is the caller's. kInvalidArgument: what librdkafka says of the configuration as a whole.
absl::StatusOr<rd_kafka_t*> NewProducer(KafkaConfPtr conf);

// For rd_kafka_conf_set_log_cb. librdkafka's own lines repeat with every attempt: only what is critical is passed on, the
// rest comes through the error callback, once.
void LogCritical(const rd_kafka_t* rk, int level, const char* facility, const char* text);

// A part of rd_kafka_produceva. `bytes` outlives the call.
rd_kafka_vu_t KafkaBytes(rd_kafka_vtype_t type, absl::string_view bytes);

}  // namespace holdpoint
