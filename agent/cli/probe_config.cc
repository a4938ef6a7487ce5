#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/cli/files.h"
#include "agent/cli/probe.h"
#include "agent/environment/load.h"

namespace holdpoint {
namespace {

using Level = ProbeResult::Level;

}  // namespace

ProbeResult ProbeConfiguration(const ProbeHost& host) {
  const absl::StatusOr<std::string> bytes = ReadWholeFile(host.root + host.configuration);
  if (absl::IsNotFound(bytes.status())) {
    return {"configuration", Level::kOk, absl::StrCat(host.configuration, " is not there: the built-in one holds")};
  }
  if (!bytes.ok()) return {"configuration", Level::kWarning, std::string(bytes.status().message()), "run it with sudo"};
  const absl::StatusOr<Configuration> configuration = LoadConfiguration(host.configuration, *bytes);
  if (!configuration.ok()) {
    return {"configuration", Level::kBad, std::string(configuration.status().message()),
            "mend it: a running daemon keeps the last good one, a new one does not start"};
  }
  for (const auto& [name, value] : configuration->kafka.settings) {
    if (name != "sasl.mechanism" && name != "sasl.mechanisms") continue;
    if (!absl::StartsWith(absl::AsciiStrToUpper(value), "SCRAM")) continue;
    return {"configuration", Level::kWarning,
            absl::StrCat("kafka: ", name, " is ", value,
                         ", which librdkafka before 2.6.1 (Debian 12 has 2.0.2) gets wrong: brokers from Kafka 4 on "
                         "answer \"invalid credentials\" to the right password"),
            "use a client certificate (security.protocol SSL), or PLAIN over TLS, or a newer librdkafka"};
  }
  return {"configuration", Level::kOk, host.configuration};
}

}  // namespace holdpoint
