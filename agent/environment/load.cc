#include "agent/environment/load.h"

#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/environment/address.h"
#include "agent/environment/embedded.h"
#include "agent/environment/fingerprint.h"
#include "agent/environment/glob.h"
#include "agent/environment/load_keys.h"
#include "agent/environment/yaml.h"
#include "re2/re2.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxEnvironments = 64;
constexpr size_t kMaxSinks = 16;
constexpr size_t kMaxRanges = 4096;  // What the kernel's table takes.

constexpr absl::string_view kModeWords[] = {"enforce", "observe"};
constexpr absl::string_view kAllowedWords[] = {"rolled", "full"};
constexpr absl::string_view kSinkFormatWords[] = {"json", "cef", "ocsf", "ecs"};
constexpr absl::string_view kSeverityWords[] = {"informational", "low", "medium", "high", "critical"};
constexpr absl::string_view kWallWords[] = {"owners", "all", "off"};
constexpr absl::string_view kEscalateWords[] = {"refuse", "kill_session", "record"};
constexpr absl::string_view kFailWords[] = {"closed", "open"};
constexpr absl::string_view kRefuseWords[] = {"crossing", "always", "never"};
constexpr absl::string_view kRuleModeWords[] = {"enforce", "observe", "off"};
constexpr absl::string_view kVerdictWords[] = {"allow", "audit", "hold", "refuse", "kill", "kill_session"};
constexpr v1::Verdict kVerdicts[] = {v1::VERDICT_ALLOW,  v1::VERDICT_AUDIT, v1::VERDICT_HOLD,
                                     v1::VERDICT_REFUSE, v1::VERDICT_KILL,  v1::VERDICT_KILL_SESSION};

// The text of `value` where it matches the whole pattern, else "wanted WANTED, got ...".
absl::StatusOr<std::string> Matching(const YamlValue& value, const RE2& pattern, absl::string_view wanted) {
  HP_ASSIGN_OR_RETURN(std::string text, value.Text());
  if (!RE2::FullMatch(text, pattern)) return value.Wrong(wanted);
  return text;
}

absl::StatusOr<std::vector<std::string>> MatchingList(const YamlMap& map, absl::string_view key, const RE2& pattern,
                                                      absl::string_view wanted) {
  std::vector<std::string> texts;
  if (!map.Has(key)) return texts;
  HP_ASSIGN_OR_RETURN(const YamlValue list, map.Get(key));
  HP_RETURN_IF_ERROR(list.Texts().status());
  HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> values, list.List());
  for (const YamlValue& value : values) {
    HP_ASSIGN_OR_RETURN(std::string text, Matching(value, pattern, wanted));
    texts.push_back(std::move(text));
  }
  return texts;
}

absl::StatusOr<std::string> Glob(const YamlValue& value) {
  HP_ASSIGN_OR_RETURN(std::string glob, value.Text());
  if (const absl::Status status = CheckGlob(glob); !status.ok()) {
    return value.Error(absl::StrCat("wanted a glob, got ", status.message()));
  }
  return glob;
}

absl::StatusOr<std::vector<std::string>> Globs(const YamlMap& map, absl::string_view key) {
  std::vector<std::string> globs;
  if (!map.Has(key)) return globs;
  HP_ASSIGN_OR_RETURN(const YamlValue list, map.Get(key));
  HP_RETURN_IF_ERROR(list.Texts().status());
  HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> values, list.List());
  for (const YamlValue& value : values) {
    HP_ASSIGN_OR_RETURN(std::string glob, Glob(value));
    globs.push_back(std::move(glob));
  }
  return globs;
}

// The path globs of a list are absolute, below "~/" or a base name: "src/x" would never match anything.
absl::Status CheckPathGlob(const YamlValue& value) {
  HP_ASSIGN_OR_RETURN(const std::string glob, Glob(value));
  const bool anchored = glob[0] == '/' || glob[0] == '~' || absl::StartsWith(glob, "**/");
  if (!anchored && absl::StrContains(glob, '/')) return value.Wrong("a path glob that begins with /, ~/ or **/");
  return absl::OkStatus();
}

const RE2& OwnerPattern() {
  static const auto* const pattern = new RE2("%?[A-Za-z_][A-Za-z0-9_.@+-]{0,63}");
  return *pattern;
}

class Loader {
 public:
  explicit Loader(Configuration base) : configuration_(std::move(base)) {}

  absl::StatusOr<Configuration> Load(const YamlValue& root) {
    HP_ASSIGN_OR_RETURN(const YamlMap map, root.Map(kTopKeys));
    if (map.Has("version")) HP_RETURN_IF_ERROR(map.Get("version")->Integer(1, 1).status());
    HP_RETURN_IF_ERROR(LoadEnvironments(map));
    HP_RETURN_IF_ERROR(LoadSessions(map));
    HP_RETURN_IF_ERROR(LoadList(map, "destinations", &Configuration::destinations, &Loader::ReadDestination));
    HP_RETURN_IF_ERROR(LoadList(map, "credentials", &Configuration::credentials, &Loader::ReadCredential));
    HP_RETURN_IF_ERROR(LoadList(map, "resources", &Configuration::resources, &Loader::ReadResource));
    HP_RETURN_IF_ERROR(CheckCounts(map));
    HP_RETURN_IF_ERROR(LoadLookAlike(map));
    HP_RETURN_IF_ERROR(LoadLimits(map));
    HP_RETURN_IF_ERROR(LoadIntent(map));
    HP_RETURN_IF_ERROR(LoadKafka(map));
    HP_RETURN_IF_ERROR(LoadList(map, "sinks", &Configuration::sinks, &Loader::ReadSink));
    HP_RETURN_IF_ERROR(CheckSinks(map));
    HP_RETURN_IF_ERROR(LoadPresence(map));
    HP_RETURN_IF_ERROR(LoadPolicy(map));
    HP_RETURN_IF_ERROR(LoadRecord(map));
    HP_RETURN_IF_ERROR(LoadNotify(map));
    return std::move(configuration_);
  }

 private:
  // Owners of `value`; roles it leaves out come from `base`, and from its own approval where base has none.
  absl::StatusOr<Owners> ReadOwners(const YamlValue& value, Owners base) {
    HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map(kOwnerKeys));
    constexpr absl::string_view kWanted = "a user's name, or %group";
    for (const auto& [key, role] : {std::pair("approval", &Owners::approval), std::pair("rollback", &Owners::rollback),
                                    std::pair("incident", &Owners::incident)}) {
      HP_ASSIGN_OR_RETURN(std::vector<std::string> names, MatchingList(map, key, OwnerPattern(), kWanted));
      if (!names.empty()) base.*role = std::move(names);
    }
    if (base.approval.empty()) return map.Error("wanted the key approval, got none");
    return base;
  }

  absl::Status LoadEnvironments(const YamlMap& map) {
    Owners owners;
    owners.approval = {"%sudo"};
    if (map.Has("owners")) {
      HP_ASSIGN_OR_RETURN(owners, ReadOwners(*map.Get("owners"), Owners()));
    }
    if (!map.Has("environments")) {
      if (map.Has("owners")) {
        for (EnvironmentConfig& environment : configuration_.environments) environment.owners = Filled(owners);
      }
      return absl::OkStatus();
    }
    configuration_.environments.clear();
    HP_ASSIGN_OR_RETURN(const YamlValue list, map.Get("environments"));
    HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> values, list.List());
    if (values.empty() || values.size() > kMaxEnvironments) {
      return list.Wrong(absl::StrCat("a list of 1 to ", kMaxEnvironments, " environments"));
    }
    for (const YamlValue& value : values) {
      HP_ASSIGN_OR_RETURN(EnvironmentConfig environment, ReadEnvironment(value, owners));
      configuration_.environments.push_back(std::move(environment));
    }
    ForgetMissing(&configuration_.sessions.default_environment);
    ForgetMissing(&configuration_.sessions.unattended_environment);
    ForgetMissing(&configuration_.look_alike.environment);
    for (const EnvironmentConfig& environment : configuration_.environments) {
      if (configuration_.look_alike.environment.empty() && environment.is_protected) {
        configuration_.look_alike.environment = environment.name;
      }
    }
    return absl::OkStatus();
  }

  static Owners Filled(Owners owners) {
    if (owners.rollback.empty()) owners.rollback = owners.approval;
    if (owners.incident.empty()) owners.incident = owners.approval;
    return owners;
  }

  // A built-in choice of an environment that this file does not have.
  void ForgetMissing(std::string* name) {
    if (configuration_.Find(*name) == nullptr) name->clear();
  }

  absl::StatusOr<EnvironmentConfig> ReadEnvironment(const YamlValue& value, const Owners& owners) {
    static const auto* const pattern = new RE2("[a-z][a-z0-9_.-]{0,31}");
    HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map(kEnvironmentKeys));
    EnvironmentConfig environment;
    HP_ASSIGN_OR_RETURN(const YamlValue name, map.Get("name"));
    HP_ASSIGN_OR_RETURN(environment.name, Matching(name, *pattern, "a name of a-z, 0-9, _ . and -, at most 32 long"));
    if (configuration_.Find(environment.name) != nullptr) {
      return name.Error(absl::StrCat("wanted a new name, got ", environment.name, " for the second time"));
    }
    HP_RETURN_IF_ERROR(map.Optional("protected", &environment.is_protected));
    if (map.Has("mode")) {
      HP_ASSIGN_OR_RETURN(const size_t word, map.Get("mode")->OneOf(kModeWords));
      environment.mode = word == 0 ? Mode::kEnforce : Mode::kObserve;
    }
    environment.fail_closed = environment.is_protected;
    if (map.Has("fail")) {
      HP_ASSIGN_OR_RETURN(const size_t word, map.Get("fail")->OneOf(kFailWords));
      environment.fail_closed = word == 0;
    }
    HP_RETURN_IF_ERROR(map.Optional("two_persons", &environment.two_persons));
    environment.owners = owners;
    if (map.Has("owners")) {
      HP_ASSIGN_OR_RETURN(environment.owners, ReadOwners(*map.Get("owners"), owners));
    }
    environment.owners = Filled(std::move(environment.owners));
    return environment;
  }

  // The name of an environment that exists.
  absl::StatusOr<std::string> ReadEnvironmentName(const YamlValue& value) {
    HP_ASSIGN_OR_RETURN(std::string name, value.Text());
    if (configuration_.Find(name) != nullptr) return name;
    std::vector<absl::string_view> names;
    for (const EnvironmentConfig& environment : configuration_.environments) names.push_back(environment.name);
    return value.Wrong(absl::StrCat("one of the environments ", absl::StrJoin(names, ", ")));
  }

  absl::Status OptionalEnvironment(const YamlMap& map, absl::string_view key, std::string* out) {
    if (!map.Has(key)) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(*out, ReadEnvironmentName(*map.Get(key)));
    return absl::OkStatus();
  }

  absl::Status ReadSessionRules(const YamlMap& map, absl::string_view key, bool paths, std::vector<SessionRule>* out) {
    if (!map.Has(key)) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> values, map.Get(key)->List());
    out->clear();
    for (const YamlValue& value : values) {
      HP_ASSIGN_OR_RETURN(const YamlMap rule, value.Map(kSessionRuleKeys));
      HP_ASSIGN_OR_RETURN(const YamlValue glob, rule.Get("glob"));
      HP_ASSIGN_OR_RETURN(std::string text, Glob(glob));
      if (paths) HP_RETURN_IF_ERROR(CheckPathGlob(glob));
      HP_ASSIGN_OR_RETURN(const YamlValue environment, rule.Get("environment"));
      HP_ASSIGN_OR_RETURN(std::string name, ReadEnvironmentName(environment));
      out->push_back(SessionRule{std::move(text), std::move(name)});
    }
    return absl::OkStatus();
  }

  absl::Status LoadSessions(const YamlMap& top) {
    if (!top.Has("sessions")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const YamlMap map, top.Get("sessions")->Map(kSessionKeys));
    SessionConfig& sessions = configuration_.sessions;
    HP_RETURN_IF_ERROR(OptionalEnvironment(map, "default", &sessions.default_environment));
    HP_RETURN_IF_ERROR(OptionalEnvironment(map, "launch_default", &sessions.launch_default));
    HP_RETURN_IF_ERROR(ReadSessionRules(map, "workspaces", /*paths=*/true, &sessions.workspaces));
    HP_RETURN_IF_ERROR(ReadSessionRules(map, "branches", /*paths=*/false, &sessions.branches));
    if (!map.Has("unattended")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const YamlMap unattended, map.Get("unattended")->Map(kUnattendedKeys));
    if (unattended.Has("variables")) {
      HP_ASSIGN_OR_RETURN(sessions.unattended_variables, Variables(unattended));
    }
    return OptionalEnvironment(unattended, "environment", &sessions.unattended_environment);
  }

  absl::StatusOr<std::vector<std::string>> Variables(const YamlMap& map) {
    static const auto* const pattern = new RE2("[A-Za-z_][A-Za-z0-9_]{0,127}");
    return MatchingList(map, "variables", *pattern, "the name of an environment variable");
  }

  template <typename T>
  absl::Status LoadList(const YamlMap& top, absl::string_view key, std::vector<T> Configuration::*member,
                        absl::StatusOr<T> (Loader::*read)(const YamlValue&)) {
    if (!top.Has(key)) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> values, top.Get(key)->List());
    std::vector<T>& items = configuration_.*member;
    items.clear();
    for (const YamlValue& value : values) {
      HP_ASSIGN_OR_RETURN(T item, (this->*read)(value));
      items.push_back(std::move(item));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<DestinationConfig> ReadDestination(const YamlValue& value) {
    HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map(kDestinationKeys));
    DestinationConfig destination;
    HP_ASSIGN_OR_RETURN(destination.hosts, Globs(map, "hosts"));
    for (std::string& host : destination.hosts) absl::AsciiStrToLower(&host);
    if (map.Has("cidr")) {
      HP_RETURN_IF_ERROR(map.Get("cidr")->Texts().status());
      HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> ranges, map.Get("cidr")->List());
      for (const YamlValue& text : ranges) {
        absl::StatusOr<AddressRange> range = ParseRange(text.node().text);
        if (!range.ok()) return text.Wrong(range.status().message());
        destination.ranges.push_back(*std::move(range));
      }
    }
    if (destination.hosts.empty() && destination.ranges.empty()) return map.Error("wanted hosts or cidr, got neither");
    if (map.Has("ports")) {
      HP_ASSIGN_OR_RETURN(const YamlValue ports, map.Get("ports"));
      HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> items, ports.List());
      if (items.empty()) return ports.Wrong("a list of ports");
      for (const YamlValue& item : items) {
        HP_ASSIGN_OR_RETURN(const std::string text, item.Scalar());
        absl::StatusOr<PortRange> range = ParsePorts(text);
        if (!range.ok()) return item.Wrong(range.status().message());
        destination.ports.push_back(*range);
      }
    } else {
      destination.ports.push_back(PortRange{});
    }
    if (map.Has("refuse")) {
      HP_ASSIGN_OR_RETURN(const size_t word, map.Get("refuse")->OneOf(kRefuseWords));
      destination.refuse = static_cast<ConnectRefusal>(word);
    }
    HP_ASSIGN_OR_RETURN(const YamlValue environment, map.Get("environment"));
    HP_ASSIGN_OR_RETURN(destination.environment, ReadEnvironmentName(environment));
    return destination;
  }

  absl::StatusOr<CredentialConfig> ReadCredential(const YamlValue& value) {
    static const auto* const name_pattern = new RE2("[A-Za-z0-9][A-Za-z0-9 _./:@-]{0,63}");
    static const auto* const fingerprint_pattern = new RE2("fp:[0-9a-f]{16}");
    HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map(kCredentialKeys));
    CredentialConfig credential;
    HP_ASSIGN_OR_RETURN(const YamlValue name, map.Get("name"));
    HP_ASSIGN_OR_RETURN(credential.name, Matching(name, *name_pattern, "a name of letters, digits and _ . / : @ -"));
    HP_ASSIGN_OR_RETURN(credential.files, Globs(map, "files"));
    if (map.Has("files")) {
      HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> files, map.Get("files")->List());
      for (const YamlValue& file : files) HP_RETURN_IF_ERROR(CheckPathGlob(file));
    }
    HP_ASSIGN_OR_RETURN(credential.variables, Variables(map));
    HP_ASSIGN_OR_RETURN(credential.fingerprints,
                        MatchingList(map, "fingerprints", *fingerprint_pattern,
                                     "fp: and 16 hexadecimal digits, as `holdpoint fingerprint` prints"));
    if (credential.files.empty() && credential.variables.empty() && credential.fingerprints.empty()) {
      return map.Error("wanted files, variables or fingerprints, got none of them");
    }
    HP_ASSIGN_OR_RETURN(const YamlValue environment, map.Get("environment"));
    HP_ASSIGN_OR_RETURN(credential.environment, ReadEnvironmentName(environment));
    return credential;
  }

  absl::StatusOr<ResourceConfig> ReadResource(const YamlValue& value) {
    static const auto* const type_pattern = new RE2("\\*|[a-z][a-z0-9_-]{0,63}");
    HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map(kResourceKeys));
    ResourceConfig resource;
    HP_ASSIGN_OR_RETURN(const YamlValue type, map.Get("type"));
    HP_ASSIGN_OR_RETURN(resource.type, Matching(type, *type_pattern, "a type such as volume, database or path, or *"));
    HP_ASSIGN_OR_RETURN(const YamlValue id, map.Get("id"));
    HP_ASSIGN_OR_RETURN(resource.id, Glob(id));
    if (resource.type == "path") HP_RETURN_IF_ERROR(CheckPathGlob(id));
    HP_RETURN_IF_ERROR(map.Optional("backups", &resource.backups));
    HP_ASSIGN_OR_RETURN(const YamlValue environment, map.Get("environment"));
    HP_ASSIGN_OR_RETURN(resource.environment, ReadEnvironmentName(environment));
    return resource;
  }

  absl::Status CheckCounts(const YamlMap& map) {
    size_t ranges = 0;
    for (const DestinationConfig& destination : configuration_.destinations) {
      ranges += destination.ranges.size() * destination.ports.size();
    }
    if (ranges <= kMaxRanges) return absl::OkStatus();
    return map.Get("destinations")
        ->Error(absl::StrCat("wanted at most ", kMaxRanges, " pairs of range and ports, got ", ranges));
  }

  absl::Status LoadLookAlike(const YamlMap& top) {
    if (!top.Has("production_names")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const YamlMap map, top.Get("production_names")->Map(kLookAlikeKeys));
    LookAlike& words = configuration_.look_alike;
    HP_RETURN_IF_ERROR(OptionalEnvironment(map, "environment", &words.environment));
    if (map.Has("patterns")) {
      HP_ASSIGN_OR_RETURN(words.patterns, Globs(map, "patterns"));
    }
    if (map.Has("except")) {
      HP_ASSIGN_OR_RETURN(words.except, Globs(map, "except"));
    }
    for (std::string& word : words.patterns) absl::AsciiStrToLower(&word);
    for (std::string& word : words.except) absl::AsciiStrToLower(&word);
    return absl::OkStatus();
  }

  absl::Status LoadLimits(const YamlMap& top) {
    if (!top.Has("limits")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const YamlMap map, top.Get("limits")->Map(kLimitKeys));
    LimitsConfig& limits = configuration_.limits;
    HP_RETURN_IF_ERROR(map.Optional("consult_ms", 1, 10'000, &limits.consult_ms));
    HP_RETURN_IF_ERROR(map.Optional("hold_ms", 0, 600'000, &limits.hold_ms));
    HP_RETURN_IF_ERROR(map.Optional("ticket_minutes", 1, 10'080, &limits.ticket_minutes));
    HP_RETURN_IF_ERROR(map.Optional("max_holds", 0, 1'024, &limits.max_holds));
    return map.Optional("two_persons", &limits.two_persons);
  }

  absl::Status LoadIntent(const YamlMap& top) {
    if (!top.Has("intent")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const YamlMap map, top.Get("intent")->Map(kIntentKeys));
    IntentConfig& intent = configuration_.intent;
    if (map.Has("escalate")) {
      HP_ASSIGN_OR_RETURN(const size_t word, map.Get("escalate")->OneOf(kEscalateWords));
      intent.escalate = static_cast<IntentConfig::Escalate>(word);
    }
    HP_RETURN_IF_ERROR(map.Optional("kill_after", 1, 100, &intent.kill_after));
    HP_RETURN_IF_ERROR(map.Optional("small_losses", 0, 400, &intent.small_losses));
    return map.Optional("window_s", 1, 86'400, &intent.window_s);
  }

  absl::Status LoadKafka(const YamlMap& top) {
    static const auto* const broker_pattern = new RE2("[^\\s,/]+:[0-9]{1,5}");
    static const auto* const topic_pattern = new RE2("[A-Za-z0-9._-]{1,249}");
    if (!top.Has("kafka")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const YamlMap map, top.Get("kafka")->Map(kKafkaKeys));
    KafkaConfig& kafka = configuration_.kafka;
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
    HP_RETURN_IF_ERROR(LoadRegistry(map));
    if (!map.Has("settings")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const auto settings, map.Get("settings")->FreeMap());
    for (const auto& [key, value] : settings) HP_RETURN_IF_ERROR(ReadKafkaSetting(key, value));
    return absl::OkStatus();
  }

  absl::Status LoadRegistry(const YamlMap& kafka) {
    static constexpr absl::string_view kForms[] = {"protobuf", "confluent"};
    static const auto* const url_pattern = new RE2(
        "(https://[!-.0-?A-~]+|http://(127\\.0\\.0\\.1|localhost|\\[::1\\])(:[0-9]{1,5})?)(/[!-~]*)?");
    static const auto* const path_pattern = new RE2("/[^\\x00-\\x1f]{1,1000}");
    RegistryConfig& registry = configuration_.kafka.registry;
    if (kafka.Has("wire_form")) {
      HP_ASSIGN_OR_RETURN(const size_t form, kafka.Get("wire_form")->OneOf(kForms));
      configuration_.kafka.confluent = form == 1;
      if (form == 1 && !kafka.Has("registry")) {
        return kafka.Get("wire_form")->Error("wanted kafka.registry beside it: that is where the schema's id comes from");
      }
    }
    if (!kafka.Has("registry")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const YamlMap map, kafka.Get("registry")->Map(kRegistryKeys));
    if (!map.Has("url")) return kafka.Get("registry")->Error("wanted url in it");
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

  absl::Status ReadKafkaSetting(const std::string& key, const YamlValue& value) {
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
    configuration_.kafka.settings[key] = text;
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

  // Each has a cursor of its own by its name.
  absl::Status CheckSinks(const YamlMap& top) {
    std::set<std::string> names;
    for (size_t i = 0; i < configuration_.sinks.size(); ++i) {
      if (names.insert(configuration_.sinks[i].name).second) continue;
      HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> values, top.Get("sinks")->List());
      HP_ASSIGN_OR_RETURN(const YamlMap map, values[i].Map(kSinkKeys));
      return map.Get("name")->Error("wanted a name that no other sink has");
    }
    if (configuration_.sinks.size() > kMaxSinks) return top.Get("sinks")->Error("wanted at most 16 sinks");
    return absl::OkStatus();
  }

  absl::Status LoadPresence(const YamlMap& top) {
    if (!top.Has("presence")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const YamlMap map, top.Get("presence")->Map(kPresenceKeys));
    if (!map.Has("service")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const std::string service, map.Get("service")->Scalar());
    if (service == "holdpoint") return absl::OkStatus();
    return map.Get("service")->Error(
        "only holdpoint: another PAM service is named in presence.d/service beside this file, which no other process reads");
  }

  absl::Status LoadRecord(const YamlMap& top) {
    if (!top.Has("record")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const YamlMap map, top.Get("record")->Map(kRecordKeys));
    RecordConfig& record = configuration_.record;
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

  absl::Status LoadNotify(const YamlMap& top) {
    if (!top.Has("notify")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const YamlMap map, top.Get("notify")->Map(kNotifyKeys));
    if (map.Has("wall")) {
      HP_ASSIGN_OR_RETURN(const size_t word, map.Get("wall")->OneOf(kWallWords));
      configuration_.notify.wall = static_cast<Wall>(word);
    }
    if (!map.Has("webhook")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(configuration_.notify.webhook, ReadWebhook(*map.Get("webhook")));
    return absl::OkStatus();
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

  absl::Status LoadPolicy(const YamlMap& top) {
    static const auto* const rule_pattern = new RE2("[a-z0-9][a-z0-9._/-]{0,127}");
    if (!top.Has("policy")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const YamlMap map, top.Get("policy")->Map(kPolicyKeys));
    if (map.Has("table")) {
      HP_ASSIGN_OR_RETURN(const YamlMap table, map.Get("table")->Map(kRowNames));
      for (size_t row = 0; row < kRows; ++row) HP_RETURN_IF_ERROR(ReadRow(table, row));
    }
    if (!map.Has("rules")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const auto rules, map.Get("rules")->FreeMap());
    for (const auto& [id, value] : rules) {
      if (!RE2::FullMatch(id, *rule_pattern)) return value.Error("wanted the id of a rule, such as git-push-force");
      HP_ASSIGN_OR_RETURN(const size_t word, value.OneOf(kRuleModeWords));
      configuration_.policy.rules[id] = static_cast<RuleMode>(word);
    }
    return absl::OkStatus();
  }

  absl::Status ReadRow(const YamlMap& table, size_t row) {
    if (!table.Has(kRowNames[row])) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const YamlMap cells, table.Get(kRowNames[row])->Map(kColumnNames));
    for (size_t column = 0; column < kColumns; ++column) {
      if (!cells.Has(kColumnNames[column])) continue;
      HP_ASSIGN_OR_RETURN(const size_t word, cells.Get(kColumnNames[column])->OneOf(kVerdictWords));
      configuration_.policy.table[row][column] = kVerdicts[word];
    }
    return absl::OkStatus();
  }

  Configuration configuration_;
};

absl::StatusOr<Configuration> LoadOver(Configuration base, absl::string_view name, absl::string_view bytes) {
  HP_ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(name, bytes));
  if (root.kind == YamlNode::Kind::kNull) return base;
  return Loader(std::move(base)).Load(YamlValue(name, "", root));
}

}  // namespace

DecisionTable DefaultDecisionTable() { return BuiltInConfiguration().policy.table; }

absl::string_view BuiltInConfigurationText() { return embedded::HoldpointYaml(); }

const Configuration& BuiltInConfiguration() {
  static const Configuration* const configuration = [] {
    Configuration bare;
    // Strict for cells that the embedded file might leave out.
    for (auto& row : bare.policy.table) row.fill(v1::VERDICT_HOLD);
    absl::StatusOr<Configuration> loaded = LoadOver(std::move(bare), "holdpoint.yaml", embedded::HoldpointYaml());
    // A test keeps the embedded file well formed; without it nothing sensible can be decided.
    return new Configuration(*std::move(loaded));
  }();
  return *configuration;
}

absl::StatusOr<Configuration> LoadConfiguration(absl::string_view name, absl::string_view bytes) {
  return LoadOver(BuiltInConfiguration(), name, bytes);
}

}  // namespace holdpoint
