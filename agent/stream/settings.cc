#include "agent/stream/settings.h"


#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/base/status.h"
#include "agent/stream/identity_file.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kOurs[] = {
    "acks",
    "request.required.acks",
    "enable.idempotence",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "enable.gapless.guarantee",
    "transactional.id",
    "bootstrap.servers",
    "metadata.broker.list",
};
constexpr absl::string_view kSecret[] = {
    "sasl.password",
    "ssl.key.password",
    "ssl.keystore.password",
    "ssl.key.pem",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
};

template <size_t N>
bool IsOneOf(absl::string_view name, const absl::string_view (&names)[N]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

absl::StatusOr<std::string> ReadValue(absl::string_view path, bool secret) {
  HP_ASSIGN_OR_RETURN(const std::string text, ReadIdentityFile(std::string(path), secret));
  return std::string(absl::StripAsciiWhitespace(text));
}

bool OnThisHost(absl::string_view brokers) {
  for (absl::string_view broker : absl::StrSplit(brokers, ',')) {
    const absl::string_view host = broker.substr(0, broker.rfind(':'));
    if (host != "localhost" && host != "[::1]" && !absl::StartsWith(host, "127.")) return false;
  }
  return true;
}

std::string ValueOf(const KafkaSettings& settings, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const auto it = settings.find(name); it != settings.end()) return absl::AsciiStrToLower(it->second);
  }
  return "";
}

}  // namespace

absl::Status CheckKafkaSetting(absl::string_view name) {
  if (!IsOneOf(name, kOurs)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " is not to be set: an event counts as sent only when all in-sync brokers have it"));
}

absl::Status AddKafkaSetting(absl::string_view text, KafkaSettings* settings) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
  absl::string_view name = parts[0];
  if (parts.size() != 2 || name.empty()) {
    // Not the text itself: a password without its name would be shown.
    return absl::InvalidArgumentError("want NAME=VALUE with a property of librdkafka, such as ssl.ca.location=FILE");
  }
  std::string value(parts[1]);
  if (absl::ConsumeSuffix(&name, ".file")) {
    HP_ASSIGN_OR_RETURN(value, ReadValue(parts[1], IsOneOf(name, kSecret)));
  } else if (IsOneOf(name, kSecret)) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " is a secret and a command line is public: write it into a file and set ", name, ".file"));
  }
  HP_RETURN_IF_ERROR(CheckKafkaSetting(name));
  (*settings)[std::string(name)] = std::move(value);
  return absl::OkStatus();
}

KafkaSettings ProducerSettings(absl::string_view brokers, const KafkaSettings& settings, absl::string_view features) {
  const std::vector<absl::string_view> has = absl::StrSplit(features, ',');
  const auto compression = [&] {
    for (const char* codec : {"zstd", "lz4"}) {
      if (std::find(has.begin(), has.end(), codec) != has.end()) return codec;
    }
    return "none";
  };
  KafkaSettings all = {
      {"client.id", "holdpoint-stream"},
      {"compression.codec", compression()},
      {"linger.ms", "10"},
      {"partitioner", "murmur2_random"},          // As Java clients place keys.
      {"queue.buffering.max.messages", "50000"},  // What waits beyond it waits in the spool, not in memory.
      {"queue.buffering.max.kbytes", "32768"},
      {"log.connection.close", "false"},
      {"socket.keepalive.enable", "true"},
  };
  if (!OnThisHost(brokers)) all["security.protocol"] = "ssl";
  for (const auto& [name, value] : settings) all[name] = value;
  all["bootstrap.servers"] = std::string(brokers);
  all["enable.idempotence"] = "true";
  all["acks"] = "all";
  all["message.timeout.ms"] = "0";  // Never give up: the record is in the spool and stays there.
  return all;
}

absl::Status CheckIdentity(const KafkaSettings& settings, absl::string_view features) {
  const std::string protocol = ValueOf(settings, {"security.protocol"});
  const std::string mechanism = ValueOf(settings, {"sasl.mechanism", "sasl.mechanisms"});
  if (protocol == "sasl_plaintext" && !OnThisHost(ValueOf(settings, {"bootstrap.servers"}))) {
    return absl::FailedPreconditionError(
        "kafka: security.protocol sasl_plaintext would show the password to the network: write sasl_ssl");
  }
  if (protocol == "ssl" &&
      ValueOf(settings, {"ssl.certificate.location", "ssl.certificate.pem", "ssl.keystore.location"}).empty()) {
    return absl::FailedPreconditionError(
        "kafka: TLS, and nothing says who this host is: write ssl.certificate.location and ssl.key.location (a certificate "
        "of this host's own), or security.protocol sasl_ssl with sasl.mechanism; plaintext is for brokers on a network "
        "that is trusted");
  }
  if (protocol == "sasl_ssl" && mechanism.empty()) {
    return absl::FailedPreconditionError(
        "kafka: security.protocol sasl_ssl wants sasl.mechanism: PLAIN, OAUTHBEARER or, with librdkafka 2.6.1 or newer, "
        "SCRAM-SHA-512");
  }
  if (mechanism == "oauthbearer" && ValueOf(settings, {"sasl.oauthbearer.method"}) == "oidc" &&
      !absl::StrContains(features, "oauthbearer_oidc")) {
    return absl::FailedPreconditionError(
        "kafka: this host's librdkafka was built without OIDC and gets no OAUTHBEARER tokens: use a certificate or PLAIN");
  }
  return absl::OkStatus();
}

std::string ScramTrap(int librdkafka_version, const KafkaSettings& settings) {
  constexpr int kFixed = 0x020601ff;  // 2.6.1
  if (librdkafka_version >= kFixed) return "";
  bool scram = false;
  for (const char* name : {"sasl.mechanisms", "sasl.mechanism"}) {
    const auto it = settings.find(name);
    if (it != settings.end() && absl::StartsWithIgnoreCase(it->second, "SCRAM")) scram = true;
  }
  if (!scram) return "";
  return absl::StrFormat(
      "SCRAM with librdkafka %d.%d.%d: Kafka 4 brokers answer a right password with 'invalid credentials', as "
      "librdkafka before 2.6.1 repeats its nonce; use a client certificate (mTLS) or PLAIN over TLS, or a newer "
      "librdkafka",
      librdkafka_version >> 24, (librdkafka_version >> 16) & 0xff, (librdkafka_version >> 8) & 0xff);
}

}  // namespace holdpoint
