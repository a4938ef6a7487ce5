#pragma once

#include <librdkafka/rdkafka.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/stream/settings.h"

namespace holdpoint {

// What librdkafka's codes mean to somebody who has to do something about it. Pure.

// Why a record was not delivered, as a sink reports it: kOutOfRange for one that these brokers never take, else
// kAborted with a sentence.
absl::Status DeliveryFailure(rd_kafka_resp_err_t code, absl::string_view topic, absl::string_view fatal);

// What is wrong with the connection.
struct Trouble {
  std::string kind;      // few words, the same for the same cause
  std::string sentence;
};
struct TroubleFacts {
  const KafkaSettings& settings;
  std::string authorities;  // the file that verifies the brokers
  std::string certificate;  // of this host
  absl::Time certificate_ends = absl::InfiniteFuture();
  absl::Time now;
};
Trouble ConnectionTrouble(rd_kafka_resp_err_t code, absl::string_view text, const TroubleFacts& facts);

}  // namespace holdpoint
