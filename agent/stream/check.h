#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "agent/stream/producer.h"

namespace holdpoint {

// One thing that `holdpoint doctor` shows of the delivery.
struct CheckRow {
  std::string check;
  std::string level;  // "ok", "warning", "bad"
  std::string detail;
  std::string advice = {};
};

// Tries what a delivery needs: a connection with this host's identity, each topic, and the right to write to it. For
// that it writes one message without a value to each topic, key "holdpoint-doctor", type "holdpoint.v1.probe", which is
// no record; collectors pass it over. Waits at most `patience` for each answer.
std::vector<CheckRow> CheckKafka(const KafkaOptions& options, absl::Duration patience, absl::Time now);

}  // namespace holdpoint
