#include "agent/environment/load_delivery.h"

#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/environment/load_keys.h"
#include "agent/environment/load_value.h"
#include "re2/re2.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxSinks = 16;

constexpr absl::string_view kAllowedWords[] = {"rolled", "full"};
constexpr absl::string_view kSinkFormatWords[] = {"json", "cef", "ocsf", "ecs"};
constexpr absl::string_view kSeverityWords[] = {"informational", "low", "medium", "high", "critical"};
constexpr absl::string_view kWallWords[] = {"owners", "all", "off"};

absl::Status ReadRegistry(const YamlMap& top, KafkaConfig& kafka) {
  static constexpr absl::string_view kForms[] = {"protobuf", "confluent"};
  static const auto* const url_pattern = new RE2(
      "(https://[!-.0-?A-~]+|http://(127\\.0\\.0\\.1|localhost|\\[::1\\])(:[0-9]{1,5})?)(/[!-~]*)?");
  static const auto* const path_pattern = new RE2("/[^\\x00-\\x1f]{1,1000}");
  RegistryConfig& registry = kafka.registry;
  if (top.Has("wire_form")) {
    HP_ASSIGN_OR_RETURN(const size_t form, top.Get("wire_form")->OneOf(kForms));
    kafka.confluent = form == 1;
    if (form == 1 && !top.Has("registry")) {
      return top.Get("wire_form")->Error("wanted kafka.registry beside it: that is where the schema's id comes from");
    }
  }
  if (!top.Has("registry")) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const YamlMap map, top.Get("registry")->Map(kRegistryKeys));
  if (!map.Has("url")) return top.Get("registry")->Error("wanted url in it");
  HP_ASSIGN_OR_RETURN(registry.url,
                      Matching(*map.Get("url"), *url_pattern, "https://..., or http:// to this host"));
  for (const auto& [key, path] : {std::pair("ca_file", &RegistryConfig::ca_file),
                                  std::pair("certificate_file", &RegistryConfig::certificate_file),
                                  std::pair("key_file", &RegistryConfig::key_file),
                                  std::pair("password_file", &RegistryConfig::password_file)}) {
    if (!map.Has(key)) continue;
    HP_ASSIGN_OR_RETURN(registry.*path, Matching(*map.Get(key), *path_pattern, "an absolute path"));
  }
  HP_RETURN_IF_ERROR(map.Optional("user", &registry.user));
  return map.Optional("register", &registry.register_schema);
}

absl::Status ReadKafkaSetting(const std::string& key, const YamlValue& value, KafkaConfig& kafka) {
  static const auto* const key_pattern = new RE2("[a-z][a-z0-9._]{0,127}");
  static const auto* const secret_pattern = new RE2(".*(password|secret|token|\\.key|\\.pem)");
  if (!RE2::FullMatch(key, *key_pattern)) return value.Error("wanted a name of librdkafka's, such as linger.ms");
  for (const absl::string_view ours :
       {"bootstrap.servers", "metadata.broker.list", "acks", "request.required.acks", "enable.idempotence"}) {
    if (key == ours) return value.Error("wanted a setting that is free, but Holdpoint sets this one itself");
  }
  HP_ASSIGN_OR_RETURN(const std::string text, value.Scalar());
  if (RE2::FullMatch(key, *secret_pattern)) {
    return value.Error(
        absl::StrCat("wanted no secret in this file: put it into a file and write ", key, ".file: PATH"));
  }
  if (absl::EndsWith(key, ".file") && (text.empty() || text[0] != '/')) return value.Wrong("an absolute path");
  kafka.settings[key] = text;
  return absl::OkStatus();
}

absl::StatusOr<SinkConfig> ReadSink(const YamlValue& value) {
  static const auto* const name_pattern = new RE2("[a-z0-9_-]{1,32}");
  static const auto* const target_pattern = new RE2(
      "(file|unix):/[^\\x00-\\x1f]{1,999}|"
      "(udp|tcp|tls)://([A-Za-z0-9._-]{1,255}|\\[[A-Za-z0-9:.]{2,45}\\]):"
      "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])|"
      "kafka:[A-Za-z0-9_-][A-Za-z0-9._-]{0,248}");
  static const auto* const path_pattern = new RE2("/[^\\x00-\\x1f]{1,1000}");
  HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map(kSinkKeys));
  SinkConfig sink;
  HP_ASSIGN_OR_RETURN(const YamlValue name, map.Get("name"));
  HP_ASSIGN_OR_RETURN(sink.name, Matching(name, *name_pattern, "a name of a-z 0-9 - _"));
  HP_ASSIGN_OR_RETURN(const YamlValue format, map.Get("format"));
  HP_ASSIGN_OR_RETURN(const size_t word, format.OneOf(kSinkFormatWords));
  sink.format = std::string(kSinkFormatWords[word]);
  HP_ASSIGN_OR_RETURN(const YamlValue target, map.Get("target"));
  HP_ASSIGN_OR_RETURN(sink.target,
                      Matching(target, *target_pattern,
                               "file:/PATH, unix:/PATH, udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT or "
                               "kafka:TOPIC"));
  if (map.Has("minimum")) {
    HP_ASSIGN_OR_RETURN(const size_t level, map.Get("minimum")->OneOf(kSeverityWords));
    sink.minimum = std::string(kSeverityWords[level]);
  }
  for (const auto& [key, file] : {std::pair("ca_file", &SinkConfig::ca_file),
                                  std::pair("certificate_file", &SinkConfig::certificate_file),
                                  std::pair("key_file", &SinkConfig::key_file)}) {
    if (!map.Has(key)) continue;
    if (!absl::StartsWith(sink.target, "tls://")) return map.Get(key)->Error("wanted only beside a target tls://");
    HP_ASSIGN_OR_RETURN(sink.*file, Matching(*map.Get(key), *path_pattern, "an absolute path"));
  }
  return sink;
}

absl::StatusOr<WebhookConfig> ReadWebhook(const YamlValue& value) {
  // No user in it: a password has no place in this file.
  static const auto* const url_pattern = new RE2(
      "(https://[!-.0-?A-~]+|http://(127\\.0\\.0\\.1|localhost|\\[::1\\])(:[0-9]{1,5})?)(/[!-~]*)?");
  static const auto* const path_pattern = new RE2("/[^\\x00-\\x1f]{1,1000}");
  HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map(kWebhookKeys));
  WebhookConfig webhook;
  if (map.Has("url") == map.Has("url_file")) return map.Error("wanted url or url_file, and not both");
  if (map.Has("url")) {
    const YamlValue url = *map.Get("url");
    constexpr absl::string_view kWanted = "https://HOST[:PORT][/PATH], or http:// to this host";
    HP_ASSIGN_OR_RETURN(webhook.url, Matching(url, *url_pattern, kWanted));
    if (webhook.url.size() > 2000) return url.Wrong("at most 2000 characters");
  }
  for (const auto& [key, path] :
       {std::pair("url_file", &WebhookConfig::url_file), std::pair("secret_file", &WebhookConfig::secret_file),
        std::pair("ca_file", &WebhookConfig::ca_file)}) {
    if (!map.Has(key)) continue;
    HP_ASSIGN_OR_RETURN(webhook.*path, Matching(*map.Get(key), *path_pattern, "an absolute path"));
  }
  HP_RETURN_IF_ERROR(map.Optional("timeout_ms", 100, 60'000, &webhook.timeout_ms));
  return webhook;
}

}  // namespace

absl::Status LoadKafka(const YamlMap& top, KafkaConfig& kafka) {
  static const auto* const broker_pattern = new RE2("[^\\s,/]+:[0-9]{1,5}");
  static const auto* const topic_pattern = new RE2("[A-Za-z0-9._-]{1,249}");
  if (!top.Has("kafka")) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const YamlMap map, top.Get("kafka")->Map(kKafkaKeys));
  if (map.Has("brokers")) {
    HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> brokers, map.Get("brokers")->List());
    kafka.brokers.clear();
    for (const YamlValue& broker : brokers) {
      HP_ASSIGN_OR_RETURN(std::string text, Matching(broker, *broker_pattern, "HOST:PORT"));
      kafka.brokers.push_back(std::move(text));
    }
  }
  for (const auto& [key, topic] : {std::pair("topic", &KafkaConfig::topic),
                                   std::pair("heartbeats_topic", &KafkaConfig::heartbeats_topic),
                                   std::pair("decisions_topic", &KafkaConfig::decisions_topic)}) {
    if (!map.Has(key)) continue;
    HP_ASSIGN_OR_RETURN(kafka.*topic, Matching(*map.Get(key), *topic_pattern, "a Kafka topic's name"));
  }
  HP_RETURN_IF_ERROR(ReadRegistry(map, kafka));
  if (!map.Has("settings")) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const auto settings, map.Get("settings")->FreeMap());
  for (const auto& [key, value] : settings) HP_RETURN_IF_ERROR(ReadKafkaSetting(key, value, kafka));
  return absl::OkStatus();
}

absl::Status LoadSinks(const YamlMap& top, std::vector<SinkConfig>& sinks) {
  if (!top.Has("sinks")) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const YamlValue list, top.Get("sinks"));
  HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> values, list.List());
  sinks.clear();
  std::set<std::string> names;  // Each has a cursor of its own by its name.
  for (const YamlValue& value : values) {
    HP_ASSIGN_OR_RETURN(SinkConfig sink, ReadSink(value));
    if (!names.insert(sink.name).second) {
      return value.Map(kSinkKeys)->Get("name")->Error("wanted a name that no other sink has");
    }
    sinks.push_back(std::move(sink));
  }
  if (sinks.size() > kMaxSinks) return list.Error("wanted at most 16 sinks");
  return absl::OkStatus();
}

absl::Status LoadRecord(const YamlMap& top, RecordConfig& record) {
  if (!top.Has("record")) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const YamlMap map, top.Get("record")->Map(kRecordKeys));
  if (map.Has("allowed")) {
    HP_ASSIGN_OR_RETURN(const size_t word, map.Get("allowed")->OneOf(kAllowedWords));
    record.allowed_in_full = word == 1;
  }
  HP_RETURN_IF_ERROR(map.Optional("max_mib", 64, 1'048'576, &record.max_mib));
  HP_RETURN_IF_ERROR(map.Optional("max_days", 0, 36'500, &record.max_days));
  HP_RETURN_IF_ERROR(map.Optional("decisions_max_days", 0, 36'500, &record.decisions_max_days));
  const bool shorter = record.decisions_max_days > 0 &&
                       (record.max_days == 0 || record.decisions_max_days < record.max_days);
  if (!shorter) return absl::OkStatus();
  return map.Error(absl::StrCat("wanted decisions_max_days as long as max_days or longer, got ",
                                record.decisions_max_days, " and ", record.max_days));
}

absl::Status LoadNotify(const YamlMap& top, NotifyConfig& notify) {
  if (!top.Has("notify")) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const YamlMap map, top.Get("notify")->Map(kNotifyKeys));
  if (map.Has("wall")) {
    HP_ASSIGN_OR_RETURN(const size_t word, map.Get("wall")->OneOf(kWallWords));
    notify.wall = static_cast<Wall>(word);
  }
  if (!map.Has("webhook")) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(notify.webhook, ReadWebhook(*map.Get("webhook")));
  return absl::OkStatus();
}

}  // namespace holdpoint
