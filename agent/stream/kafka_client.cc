#include "agent/stream/kafka_client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/log.h"

namespace holdpoint {

absl::StatusOr<KafkaConfPtr> KafkaConfOf(const KafkaSettings& settings) {
  KafkaConfPtr conf(rd_kafka_conf_new());
  char error[512];
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), error, sizeof(error)) != RD_KAFKA_CONF_OK) {
      return absl::InvalidArgumentError(absl::StrCat("Kafka property ", name, ": ", error));
    }
  }
  return conf;
}

absl::StatusOr<rd_kafka_t*> NewProducer(KafkaConfPtr conf) {
  char error[512];
  rd_kafka_t* rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), error, sizeof(error));
  if (rk == nullptr) return absl::InvalidArgumentError(absl::StrCat("Kafka producer: ", error));
  (void)conf.release();  // rd_kafka_new took it.
  return rk;
}

void LogCritical(const rd_kafka_t*, int level, const char* facility, const char* text) {
  constexpr int kCritical = 2;
  if (level <= kCritical) LogError(facility, ": ", text);
}

rd_kafka_vu_t KafkaBytes(rd_kafka_vtype_t type, absl::string_view bytes) {
  rd_kafka_vu_t vu{};
  vu.vtype = type;
  vu.u.mem.ptr = const_cast<char*>(bytes.data());
  vu.u.mem.size = bytes.size();
  return vu;
}

}  // namespace holdpoint
