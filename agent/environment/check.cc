#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/environment/load.h"
#include "agent/environment/load_keys.h"

namespace holdpoint {
namespace {

std::string Describe(const EnvironmentConfig& environment) {
  std::string text = absl::StrCat("environment ", environment.name, ": ", environment.is_protected ? "protected, " : "",
                                  environment.mode == Mode::kEnforce ? "enforce" : "observe", ", fails ",
                                  environment.fail_closed ? "closed" : "open", ", approval ",
                                  absl::StrJoin(environment.owners.approval, " "));
  if (environment.owners.rollback != environment.owners.approval) {
    absl::StrAppend(&text, ", rollback ", absl::StrJoin(environment.owners.rollback, " "));
  }
  if (environment.owners.incident != environment.owners.approval) {
    absl::StrAppend(&text, ", incident ", absl::StrJoin(environment.owners.incident, " "));
  }
  return text;
}

// The address stays out: what is behind the host may be a secret.
std::string DescribeNotify(const NotifyConfig& notify) {
  constexpr const char* kWalls[] = {"owners' terminals", "every terminal", "no terminal"};
  const WebhookConfig& webhook = notify.webhook;
  const bool posts = !webhook.url.empty() || !webhook.url_file.empty();
  return absl::StrCat("notices: ", kWalls[static_cast<size_t>(notify.wall)],
                      !posts                        ? ", no webhook"
                      : webhook.secret_file.empty() ? ", a webhook without a signature"
                                                    : ", a signed webhook");
}

bool Names(const std::vector<std::string>& owners, absl::string_view name) {
  return std::find(owners.begin(), owners.end(), name) != owners.end();
}

void AddWarnings(const Configuration& configuration, std::vector<std::string>* warnings) {
  bool any_protected = false;
  for (const EnvironmentConfig& environment : configuration.environments) {
    any_protected = any_protected || environment.is_protected;
    if (environment.is_protected && environment.mode == Mode::kObserve) {
      warnings->push_back(absl::StrCat("environment ", environment.name,
                                       " is protected and observed only: nothing is "
                                       "stopped there"));
    }
    if (environment.is_protected && !environment.fail_closed) {
      warnings->push_back(absl::StrCat("environment ", environment.name,
                                       " is protected and fails open: without a "
                                       "judge everything passes there"));
    }
    if (environment.owners.approval == std::vector<std::string>{"root"}) {
      warnings->push_back(absl::StrCat("environment ", environment.name,
                                       " is owned by root alone: name a person, "
                                       "being root proves nobody's presence"));
    }
    if (environment.two_persons && !environment.is_protected) {
      warnings->push_back(absl::StrCat("environment ", environment.name,
                                       " sets two_persons and is not protected: one approval is enough there"));
    }
    const bool two = environment.two_persons || configuration.limits.two_persons;
    if (two && environment.is_protected && environment.owners.approval.size() == 1 &&
        environment.owners.approval[0][0] != '%') {
      warnings->push_back(absl::StrCat("environment ", environment.name,
                                       " has one owner and two_persons is set: "
                                       "nothing irreversible can be approved there"));
    }
  }
  if (!any_protected) warnings->push_back("no environment is protected");
  if (configuration.sessions.default_environment.empty()) {
    warnings->push_back("sessions.default is not set: a session that nothing tags is in no environment");
  }
  for (const DestinationConfig& destination : configuration.destinations) {
    if (Names(destination.hosts, "*")) {
      warnings->push_back(absl::StrCat("a destination of ", destination.environment,
                                       " has the host \"*\": every "
                                       "host that argv shows belongs to it"));
    }
    for (const AddressRange& range : destination.ranges) {
      if (range.prefix_length == 0 && destination.refuse != ConnectRefusal::kNever) {
        warnings->push_back(absl::StrCat("the range ", range.text,
                                         " holds every address: connects of sessions outside ", destination.environment,
                                         " are refused"));
      }
    }
  }
}

}  // namespace

ConfigurationReport CheckConfiguration(absl::string_view name, absl::string_view bytes) {
  ConfigurationReport report;
  const absl::StatusOr<Configuration> configuration = LoadConfiguration(name, bytes);
  if (!configuration.ok()) {
    report.problem = std::string(configuration.status().message());
    return report;
  }
  report.accepted = true;
  for (const EnvironmentConfig& environment : configuration->environments) {
    report.summary.push_back(Describe(environment));
  }
  const SessionConfig& sessions = configuration->sessions;
  report.summary.push_back(absl::StrCat(
      "sessions: ", sessions.workspaces.size(), " workspaces, ", sessions.branches.size(), " branches, default ",
      sessions.default_environment.empty() ? "unknown" : sessions.default_environment));
  report.summary.push_back(absl::StrCat("tags: ", configuration->destinations.size(), " destinations, ",
                                        configuration->credentials.size(), " credentials, ",
                                        configuration->resources.size(), " resources"));
  report.summary.push_back(configuration->kafka.brokers.empty()
                               ? "record: local spool only"
                               : absl::StrCat("record: Kafka at ", absl::StrJoin(configuration->kafka.brokers, ", "),
                                              ", topic ", configuration->kafka.topic));
  for (const SinkConfig& sink : configuration->sinks) {
    report.summary.push_back(absl::StrCat("sink ", sink.name, ": ", sink.format, " to ", sink.target,
                                          sink.minimum == "informational" ? "" : absl::StrCat(", from ", sink.minimum, " on")));
  }
  report.summary.push_back(DescribeNotify(configuration->notify));
  AddWarnings(*configuration, &report.warnings);
  return report;
}

std::vector<std::string> ConfigurationKeys() {
  std::vector<std::string> keys;
  const auto add = [&keys](absl::string_view parent, absl::Span<const absl::string_view> names) {
    for (const absl::string_view name : names) keys.push_back(absl::StrCat(parent, parent.empty() ? "" : ".", name));
  };
  add("", kTopKeys);
  add("owners", kOwnerKeys);
  add("environments[]", kEnvironmentKeys);
  add("environments[].owners", kOwnerKeys);
  add("sessions", kSessionKeys);
  add("sessions.workspaces[]", kSessionRuleKeys);
  add("sessions.branches[]", kSessionRuleKeys);
  add("sessions.unattended", kUnattendedKeys);
  add("destinations[]", kDestinationKeys);
  add("credentials[]", kCredentialKeys);
  add("resources[]", kResourceKeys);
  add("production_names", kLookAlikeKeys);
  add("limits", kLimitKeys);
  add("intent", kIntentKeys);
  add("kafka", kKafkaKeys);
  add("kafka.registry", kRegistryKeys);
  add("sinks[]", kSinkKeys);
  add("presence", kPresenceKeys);
  add("policy", kPolicyKeys);
  add("record", kRecordKeys);
  add("notify", kNotifyKeys);
  add("notify.webhook", kWebhookKeys);
  add("policy.table", kRowNames);
  for (const absl::string_view row : kRowNames) add(absl::StrCat("policy.table.", row), kColumnNames);
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace holdpoint
