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
#include "agent/environment/load_delivery.h"
#include "agent/environment/load_keys.h"
#include "agent/environment/load_value.h"
#include "agent/environment/yaml.h"
#include "re2/re2.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxEnvironments = 64;
constexpr size_t kMaxRanges = 4096;  // What the kernel's table takes.

constexpr absl::string_view kModeWords[] = {"enforce", "observe"};
constexpr absl::string_view kEscalateWords[] = {"refuse", "kill_session", "record"};
constexpr absl::string_view kFailWords[] = {"closed", "open"};
constexpr absl::string_view kRefuseWords[] = {"crossing", "always", "never"};
constexpr absl::string_view kRuleModeWords[] = {"enforce", "observe", "off"};
constexpr absl::string_view kVerdictWords[] = {"allow", "audit", "hold", "refuse", "kill", "kill_session"};
constexpr v1::Verdict kVerdicts[] = {v1::VERDICT_ALLOW,  v1::VERDICT_AUDIT, v1::VERDICT_HOLD,
                                     v1::VERDICT_REFUSE, v1::VERDICT_KILL,  v1::VERDICT_KILL_SESSION};

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
    HP_RETURN_IF_ERROR(LoadKafka(map, configuration_.kafka));
    HP_RETURN_IF_ERROR(LoadSinks(map, configuration_.sinks));
    HP_RETURN_IF_ERROR(LoadPresence(map));
    HP_RETURN_IF_ERROR(LoadPolicy(map));
    HP_RETURN_IF_ERROR(LoadRecord(map, configuration_.record));
    HP_RETURN_IF_ERROR(LoadNotify(map, configuration_.notify));
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

  absl::Status LoadPresence(const YamlMap& top) {
    if (!top.Has("presence")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const YamlMap map, top.Get("presence")->Map(kPresenceKeys));
    if (!map.Has("service")) return absl::OkStatus();
    HP_ASSIGN_OR_RETURN(const std::string service, map.Get("service")->Scalar());
    if (service == "holdpoint") return absl::OkStatus();
    return map.Get("service")->Error(
        "only holdpoint: another PAM service is named in presence.d/service beside this file, which no other process reads");
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
