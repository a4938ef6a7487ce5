#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// What the configuration says of Kafka as arguments of holdpoint-stream, for the gate that starts it and for whoever tries
// the same by hand. No secret is among them: they are paths.
inline std::vector<std::string> StreamArgs(const v1::Kafka& kafka) {
  std::vector<std::string> args = {"--brokers", absl::StrJoin(kafka.brokers(), ",")};
  const auto add = [&args](const char* flag, const std::string& value) {
    if (!value.empty()) args.insert(args.end(), {flag, value});
  };
  add("--topic", kafka.topic());
  add("--heartbeats-topic", kafka.heartbeats_topic());
  add("--decisions-topic", kafka.decisions_topic());
  for (const auto& [name, value] : kafka.settings()) add("--set", absl::StrCat(name, "=", value));
  if (kafka.wire_form() != "confluent") return args;
  const v1::Registry& registry = kafka.registry();
  add("--wire-form", kafka.wire_form());
  add("--registry-url", registry.url());
  add("--registry-ca", registry.ca_file());
  add("--registry-certificate", registry.certificate_file());
  add("--registry-key", registry.key_file());
  add("--registry-user", registry.user());
  add("--registry-password-file", registry.password_file());
  if (!registry.register_schema()) args.push_back("--registry-read-only");
  return args;
}

}  // namespace holdpoint
