#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// What the configuration says of sinks as arguments of holdpoint-sinks; none without sinks. No secret is among them: they
// are paths.
inline std::vector<std::string> SinkArgs(const v1::Configured& configured) {
  std::vector<std::string> args;
  bool topics = false;
  for (const v1::Sink& sink : configured.sinks()) {
    args.insert(args.end(), {"--sink", absl::StrCat(sink.name(), "=", sink.format(), ":", sink.target())});
    const std::pair<const char*, std::string> options[] = {{"minimum", sink.minimum()},
                                                           {"ca_file", sink.ca_file()},
                                                           {"certificate_file", sink.certificate_file()},
                                                           {"key_file", sink.key_file()}};
    for (const auto& [key, value] : options) {
      if (!value.empty()) args.insert(args.end(), {"--set", absl::StrCat(sink.name(), ".", key, "=", value)});
    }
    topics = topics || absl::StartsWith(sink.target(), "kafka:");
  }
  if (!topics || configured.kafka().brokers().empty()) return args;
  args.insert(args.end(), {"--brokers", absl::StrJoin(configured.kafka().brokers(), ",")});
  for (const auto& [name, value] : configured.kafka().settings()) {
    args.insert(args.end(), {"--kafka-set", absl::StrCat(name, "=", value)});
  }
  return args;
}

}  // namespace holdpoint
