#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "holdpoint/v1/event.pb.h"

// What /etc/holdpoint/holdpoint.yaml says, as values. Passive: LoadConfiguration (load.h) has checked that every
// environment that is named exists, every glob and range is well formed and nobody's list of owners is empty.
// config/holdpoint.yaml explains each key to people, schemas/config/holdpoint.schema.json to editors.
namespace holdpoint {

enum class Mode { kEnforce, kObserve };

// Users by name and groups as "%name". Never empty.
struct Owners {
  std::vector<std::string> approval;
  std::vector<std::string> rollback;
  std::vector<std::string> incident;
};

// The order of Configuration::environments is their strictness within the protected and the other ones: first is
// strictest. See Strictest() in tags.h.
struct EnvironmentConfig {
  std::string name;
  bool is_protected = false;
  Mode mode = Mode::kEnforce;
  bool fail_closed = false;
  bool two_persons = false;  // an irreversible loss needs two approvals; also where the limits ask it everywhere
  Owners owners;
};

// A path or branch glob (glob.h) and the environment of sessions that it matches.
struct SessionRule {
  std::string glob;
  std::string environment;
};

struct SessionConfig {
  std::string default_environment;  // of a session that nothing else tags; empty: unknown
  std::string launch_default;       // of `holdpoint run` without --env; empty: as any other session
  std::vector<SessionRule> workspaces;
  std::vector<SessionRule> branches;
  std::vector<std::string> unattended_variables;  // set and neither empty, "0" nor "false": nobody is watching
  std::string unattended_environment;             // empty: as any other session
};

struct AddressRange {
  std::string bytes;  // 4 or 16, network order, host bits zero
  uint32_t prefix_length = 0;
  std::string text;  // as written
};

struct PortRange {
  uint16_t low = 0;
  uint16_t high = 65535;
};

enum class ConnectRefusal { kCrossing, kAlways, kNever };

struct DestinationConfig {
  std::vector<std::string> hosts;  // globs, lower case
  std::vector<AddressRange> ranges;
  std::vector<PortRange> ports;  // never empty; one whole range where the file names none
  std::string environment;
  ConnectRefusal refuse = ConnectRefusal::kCrossing;
};

struct CredentialConfig {
  std::string name;
  std::string environment;
  std::vector<std::string> files;         // path globs
  std::vector<std::string> variables;     // exact names
  std::vector<std::string> fingerprints;  // "fp:" and 16 hexadecimal digits
};

struct ResourceConfig {
  std::string type;  // "*" for any
  std::string id;    // glob
  std::string environment;
  std::string backups;  // for people: where they live
};

// Words in a host name, a path or an id that make something look like production.
struct LookAlike {
  std::vector<std::string> patterns;  // globs over one word, lower case
  std::vector<std::string> except;
  std::string environment;  // which one such a name raises a tag to; empty: none
};

struct LimitsConfig {
  uint32_t consult_ms = 200;
  uint32_t hold_ms = 20'000;
  uint32_t ticket_minutes = 60;
  uint32_t max_holds = 32;
  bool two_persons = false;
};

// What a session did before counts.
struct IntentConfig {
  enum class Escalate { kRefuse, kKillSession, kRecord };
  Escalate escalate = Escalate::kRefuse;  // of another attempt on a resource that was refused
  uint32_t kill_after = 3;                // kKillSession: from this repeated attempt on, refused before
  uint32_t small_losses = 50;             // within the window that many pass; 0: any number
  uint32_t window_s = 600;
};

// A schema registry with Confluent's interface; paths are absolute.
struct RegistryConfig {
  std::string url;
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  std::string user;
  std::string password_file;
  bool register_schema = true;
};

struct KafkaConfig {
  std::vector<std::string> brokers;  // empty: the spool is the store
  std::string topic = "holdpoint.events.v1";
  std::string heartbeats_topic = "holdpoint.heartbeats.v1";  // of copies; "off" for none
  std::string decisions_topic = "holdpoint.decisions.v1";
  bool confluent = false;  // values carry a schema's id; else plain protobuf
  RegistryConfig registry;
  std::map<std::string, std::string> settings;
};

// Another place that hears every event; holdpoint-sinks reads `target` closer. Paths are absolute.
struct SinkConfig {
  std::string name;  // of no other one
  std::string format;
  std::string target;
  std::string minimum = "informational";
  std::string ca_file;  // of tls:// only, as the two below
  std::string certificate_file;
  std::string key_file;
};

enum class Wall { kOwners, kAll, kOff };

// Of url and url_file at most one is there; neither: no webhook.
struct WebhookConfig {
  std::string url;
  std::string url_file;  // paths are absolute
  std::string secret_file;
  std::string ca_file;
  uint32_t timeout_ms = 5000;
};

struct NotifyConfig {
  Wall wall = Wall::kOwners;
  WebhookConfig webhook;
};

// The decision table: a row for what an act does, a column for where.
enum class Row {
  kRead,
  kWrite,
  kUseCredential,
  kExpose,
  kEscalate,
  kDestroyRegenerable,
  kDestroyRecoverable,
  kDestroyIrreversible,
  kUnseen,
};
enum class Column { kLocal, kOrdinary, kUnknown, kProtected };
inline constexpr size_t kRows = 9;
inline constexpr size_t kColumns = 4;
inline constexpr std::array<absl::string_view, kRows> kRowNames = {"read",
                                                                   "write",
                                                                   "use_credential",
                                                                   "expose",
                                                                   "escalate",
                                                                   "destroy_regenerable",
                                                                   "destroy_recoverable",
                                                                   "destroy_irreversible",
                                                                   "unseen"};
inline constexpr std::array<absl::string_view, kColumns> kColumnNames = {"local", "ordinary", "unknown", "protected"};

using DecisionTable = std::array<std::array<v1::Verdict, kColumns>, kRows>;

enum class RuleMode { kEnforce, kObserve, kOff };

// What a rule that has changed since it was promoted did before.
struct PromotedOutcome {
  v1::Effect effect = v1::EFFECT_UNSPECIFIED;
  v1::Recoverability recoverability = v1::RECOVERABILITY_UNSPECIFIED;
  v1::Verdict verdict = v1::VERDICT_UNSPECIFIED;
  bool same_resource = false;  // it still looks for the resource, and for what shows its loss, in the same way
  std::vector<std::string> replaces;
};

struct PolicyConfig {
  DecisionTable table;                    // of design's defaults, with the file's cells in place
  std::map<std::string, RuleMode> rules;  // by rule id; others as their pack says
  std::map<std::string, PromotedOutcome> changed;  // by rule id; this is enforced of them, the rest observed
  v1::Verdict Cell(Row row, Column column) const {
    return table[static_cast<size_t>(row)][static_cast<size_t>(column)];
  }
};

struct RecordConfig {
  bool allowed_in_full = false;  // allowed execs and connects one by one, not only counted
  uint32_t max_mib = 1024;            // of the spool on this host
  uint32_t max_days = 30;             // of ordinary records in it; 0 is no bound
  uint32_t decisions_max_days = 400;  // of refusals, holds and decisions; 0 is no bound
};

struct Configuration {
  std::vector<EnvironmentConfig> environments;
  SessionConfig sessions;
  std::vector<DestinationConfig> destinations;
  std::vector<CredentialConfig> credentials;
  std::vector<ResourceConfig> resources;
  LookAlike look_alike;
  PolicyConfig policy;
  LimitsConfig limits;
  IntentConfig intent;
  KafkaConfig kafka;
  std::vector<SinkConfig> sinks;
  RecordConfig record;
  NotifyConfig notify;

  // Null where there is no such environment.
  const EnvironmentConfig* Find(absl::string_view name) const {
    for (const EnvironmentConfig& environment : environments) {
      if (environment.name == name) return &environment;
    }
    return nullptr;
  }
};

// The table of the documentation, before any configuration.
DecisionTable DefaultDecisionTable();

}  // namespace holdpoint
