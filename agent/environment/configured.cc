#include "agent/environment/configured.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/environment/credential_files.h"

namespace holdpoint {
namespace {

constexpr const char* kRefusals[] = {"crossing", "always", "never"};

// The order in which DestinationTag prefers ranges; see tags.cc.
struct Entry {
  v1::DestinationRange range;
  bool is_protected = false;
  size_t position = 0;  // of the environment in the configuration
};

std::vector<Entry> Ranges(const Configuration& configuration) {
  std::vector<Entry> entries;
  for (const DestinationConfig& destination : configuration.destinations) {
    for (const AddressRange& range : destination.ranges) {
      for (const PortRange& ports : destination.ports) {
        Entry entry;
        entry.range.set_address(range.bytes);
        entry.range.set_prefix_length(range.prefix_length);
        entry.range.set_port_low(ports.low);
        entry.range.set_port_high(ports.high);
        entry.range.set_environment(destination.environment);
        entry.range.set_refuse(kRefusals[static_cast<size_t>(destination.refuse)]);
        entry.range.set_source(absl::StrCat("cidr ", range.text));
        while (configuration.environments[entry.position].name != destination.environment) ++entry.position;
        entry.is_protected = configuration.environments[entry.position].is_protected;
        entries.push_back(std::move(entry));
      }
    }
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    const uint32_t a_ports = a.range.port_high() - a.range.port_low();
    const uint32_t b_ports = b.range.port_high() - b.range.port_low();
    if (a.range.prefix_length() != b.range.prefix_length()) return a.range.prefix_length() > b.range.prefix_length();
    if (a_ports != b_ports) return a_ports < b_ports;
    if (a.is_protected != b.is_protected) return a.is_protected;
    return a.position < b.position;
  });
  return entries;
}

}  // namespace

void FillKafka(const KafkaConfig& configuration, v1::Kafka* kafka) {
  kafka->mutable_brokers()->Assign(configuration.brokers.begin(), configuration.brokers.end());
  kafka->set_topic(configuration.topic);
  kafka->set_heartbeats_topic(configuration.heartbeats_topic);
  kafka->set_decisions_topic(configuration.decisions_topic);
  kafka->set_wire_form(configuration.confluent ? "confluent" : "protobuf");
  if (configuration.confluent) {
    const RegistryConfig& from = configuration.registry;
    v1::Registry& registry = *kafka->mutable_registry();
    registry.set_url(from.url);
    registry.set_ca_file(from.ca_file);
    registry.set_certificate_file(from.certificate_file);
    registry.set_key_file(from.key_file);
    registry.set_user(from.user);
    registry.set_password_file(from.password_file);
    registry.set_register_schema(from.register_schema);
  }
  kafka->mutable_settings()->insert(configuration.settings.begin(), configuration.settings.end());
}

void FillConfigured(const Configuration& configuration, const CodingAgents& agents, v1::Configured* configured) {
  for (const EnvironmentConfig& environment : configuration.environments) {
    v1::Environment* out = configured->add_environments();
    out->set_name(environment.name);
    out->set_protected_(environment.is_protected);
    out->set_enforce(environment.mode == Mode::kEnforce);
    out->set_file_enforce(environment.mode == Mode::kEnforce);
    out->set_fail_closed(environment.fail_closed);
    out->set_two_persons(environment.two_persons || (configuration.limits.two_persons && environment.is_protected));
    out->mutable_approval()->Assign(environment.owners.approval.begin(), environment.owners.approval.end());
    out->mutable_rollback()->Assign(environment.owners.rollback.begin(), environment.owners.rollback.end());
    out->mutable_incident()->Assign(environment.owners.incident.begin(), environment.owners.incident.end());
  }
  for (Entry& entry : Ranges(configuration)) *configured->add_destinations() = std::move(entry.range);
  for (std::string& name : CandidateNames(agents)) configured->add_agent_names(std::move(name));

  v1::Limits* limits = configured->mutable_limits();
  limits->set_consult_ms(configuration.limits.consult_ms);
  limits->set_hold_ms(configuration.limits.hold_ms);
  limits->set_ticket_minutes(configuration.limits.ticket_minutes);
  limits->set_max_holds(configuration.limits.max_holds);
  limits->set_two_persons(configuration.limits.two_persons);

  for (v1::CredentialFile& file : CredentialFiles(configuration)) *configured->add_credential_files() = std::move(file);

  configured->set_losses_window_ms(configuration.intent.window_s * 1000);

  FillKafka(configuration.kafka, configured->mutable_kafka());
  for (const SinkConfig& from : configuration.sinks) {
    v1::Sink& sink = *configured->add_sinks();
    sink.set_name(from.name);
    sink.set_format(from.format);
    sink.set_target(from.target);
    sink.set_minimum(from.minimum);
    sink.set_ca_file(from.ca_file);
    sink.set_certificate_file(from.certificate_file);
    sink.set_key_file(from.key_file);
  }
  constexpr const char* kWalls[] = {"owners", "all", "off"};
  v1::Notify* notify = configured->mutable_notify();
  notify->set_wall(kWalls[static_cast<size_t>(configuration.notify.wall)]);
  notify->set_webhook_url(configuration.notify.webhook.url);
  notify->set_webhook_url_file(configuration.notify.webhook.url_file);
  notify->set_webhook_secret_file(configuration.notify.webhook.secret_file);
  notify->set_webhook_ca_file(configuration.notify.webhook.ca_file);
  notify->set_webhook_timeout_ms(configuration.notify.webhook.timeout_ms);
  const RecordConfig& record = configuration.record;
  configured->set_record_allowed(record.allowed_in_full);
  v1::RecordLimits& kept = *configured->mutable_record_limits();
  kept.set_spool_max_bytes(static_cast<uint64_t>(record.max_mib) << 20);
  kept.set_spool_max_age_s(static_cast<uint64_t>(record.max_days) * 86'400);
  kept.set_spool_decisions_max_age_s(static_cast<uint64_t>(record.decisions_max_days) * 86'400);
}

}  // namespace holdpoint
