#pragma once

#include <vector>

#include "absl/status/status.h"
#include "agent/environment/configuration.h"
#include "agent/environment/yaml.h"

// Where the record goes and who is told: the parts kafka, sinks, record and notify of the configuration file. Each reads
// its part of `top` over what is there already, and leaves it as it is where the file has none. Errors name line and column.
namespace holdpoint {

absl::Status LoadKafka(const YamlMap& top, KafkaConfig& kafka);
// Instead of the sinks there are; each has another name.
absl::Status LoadSinks(const YamlMap& top, std::vector<SinkConfig>& sinks);
absl::Status LoadRecord(const YamlMap& top, RecordConfig& record);
absl::Status LoadNotify(const YamlMap& top, NotifyConfig& notify);

}  // namespace holdpoint
