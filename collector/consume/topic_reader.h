#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "collector/verify/topic_verifier.h"

namespace holdpoint {

struct TopicReaderOptions {
  std::string brokers;
  std::vector<std::string> topics;
  std::map<std::string, std::string> settings;  // librdkafka's, over ours
  absl::Duration patience = absl::Seconds(30);  // without a message
};

// Reads every partition of the topics from its beginning to where it ends at the start, as no member of any group, and
// gives each message to `take`. `begin_is_gone` is called for partitions that do not begin at 0. What
// `holdpoint doctor` left is passed over.
//
// Errors: kInvalidArgument for settings that librdkafka refuses, kNotFound for a topic that is not there,
// kPermissionDenied, kUnavailable when brokers do not answer or stop to.
absl::Status ReadTopics(const TopicReaderOptions& options, const std::function<void(const TopicMessage&)>& take,
                        const std::function<void(const std::string& topic, int32_t partition)>& begin_is_gone);

}  // namespace holdpoint
