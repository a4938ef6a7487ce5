#pragma once

#include "absl/strings/string_view.h"

// The keys of each map of the configuration file. The loader refuses all others, and a test compares them with the
// JSON Schema. kRowNames and kColumnNames of configuration.h are the keys of policy.table and of each of its rows.
namespace holdpoint {

inline constexpr absl::string_view kTopKeys[] = {"version",      "owners",      "environments", "sessions",
                                                 "destinations", "credentials", "resources",    "production_names",
                                                 "limits",       "kafka",       "presence",     "policy",
                                                 "record",       "notify",      "intent",       "sinks"};
inline constexpr absl::string_view kOwnerKeys[] = {"approval", "rollback", "incident"};
inline constexpr absl::string_view kEnvironmentKeys[] = {"name", "protected", "mode", "fail", "owners",
                                                         "two_persons"};
inline constexpr absl::string_view kSessionKeys[] = {"default", "launch_default", "workspaces", "branches",
                                                     "unattended"};
inline constexpr absl::string_view kSessionRuleKeys[] = {"glob", "environment"};
inline constexpr absl::string_view kUnattendedKeys[] = {"variables", "environment"};
inline constexpr absl::string_view kDestinationKeys[] = {"hosts", "cidr", "ports", "environment", "refuse"};
inline constexpr absl::string_view kCredentialKeys[] = {"name", "environment", "files", "variables", "fingerprints"};
inline constexpr absl::string_view kResourceKeys[] = {"type", "id", "environment", "backups"};
inline constexpr absl::string_view kLookAlikeKeys[] = {"environment", "patterns", "except"};
inline constexpr absl::string_view kLimitKeys[] = {"consult_ms", "hold_ms", "ticket_minutes", "max_holds",
                                                   "two_persons"};
inline constexpr absl::string_view kIntentKeys[] = {"escalate", "kill_after", "small_losses", "window_s"};
inline constexpr absl::string_view kKafkaKeys[] = {"brokers",   "topic",     "heartbeats_topic", "decisions_topic",
                                                   "wire_form", "registry",  "settings"};
inline constexpr absl::string_view kRegistryKeys[] = {"url",  "ca_file",       "certificate_file", "key_file",
                                                      "user", "password_file", "register"};
inline constexpr absl::string_view kSinkKeys[] = {"name",    "format",           "target", "minimum",
                                                  "ca_file", "certificate_file", "key_file"};
inline constexpr absl::string_view kPresenceKeys[] = {"service"};
inline constexpr absl::string_view kRecordKeys[] = {"allowed", "max_mib", "max_days", "decisions_max_days"};
inline constexpr absl::string_view kNotifyKeys[] = {"wall", "webhook"};
inline constexpr absl::string_view kWebhookKeys[] = {"url", "url_file", "secret_file", "ca_file", "timeout_ms"};
inline constexpr absl::string_view kPolicyKeys[] = {"table", "rules"};

}  // namespace holdpoint
