#include "agent/environment/load.h"

#include <gtest/gtest.h>

#include <string>

namespace holdpoint {
namespace {

// The table of the documentation, written out again: a slip in config/holdpoint.yaml is a change of what is stopped.
TEST(BuiltInConfigurationTest, HasTheDecisionTable) {
  const v1::Verdict allow = v1::VERDICT_ALLOW, audit = v1::VERDICT_AUDIT, hold = v1::VERDICT_HOLD;
  const DecisionTable wanted = {{{allow, allow, allow, audit},
                                 {allow, allow, audit, audit},
                                 {audit, audit, audit, hold},
                                 {audit, audit, hold, hold},
                                 {audit, audit, hold, hold},
                                 {allow, allow, audit, audit},
                                 {audit, audit, hold, hold},
                                 {audit, hold, hold, hold},
                                 {audit, audit, audit, hold}}};
  EXPECT_EQ(DefaultDecisionTable(), wanted);
}

TEST(BuiltInConfigurationTest, IsWhatNoFileMeans) {
  const Configuration configuration = *LoadConfiguration("none", "");
  ASSERT_EQ(configuration.environments.size(), 4u);
  EXPECT_EQ(configuration.environments[0].name, "production");
  EXPECT_TRUE(configuration.environments[0].is_protected);
  EXPECT_TRUE(configuration.environments[0].fail_closed);
  EXPECT_FALSE(configuration.environments[1].fail_closed);
  for (const EnvironmentConfig& environment : configuration.environments) {
    EXPECT_EQ(environment.owners.approval, std::vector<std::string>{"%sudo"});
    EXPECT_EQ(environment.owners.rollback, std::vector<std::string>{"%sudo"});
    EXPECT_EQ(environment.mode, Mode::kEnforce);
  }
  EXPECT_EQ(configuration.sessions.default_environment, "development");
  EXPECT_EQ(configuration.look_alike.environment, "production");
  EXPECT_EQ(configuration.limits.hold_ms, 20'000u);
  EXPECT_TRUE(configuration.kafka.brokers.empty());
}

TEST(LoadTest, TopicsAndWireFormOfKafka) {
  const KafkaConfig built_in = BuiltInConfiguration().kafka;
  EXPECT_EQ(built_in.topic, "holdpoint.events.v1");
  EXPECT_EQ(built_in.heartbeats_topic, "holdpoint.heartbeats.v1");
  EXPECT_EQ(built_in.decisions_topic, "holdpoint.decisions.v1");
  EXPECT_FALSE(built_in.confluent);
  const auto configuration = LoadConfiguration("x.yaml", R"(
kafka:
  heartbeats_topic: "off"
  wire_form: confluent
  registry: {url: "https://r.example.com/apis", user: u, password_file: /etc/p, register: false}
)");
  ASSERT_TRUE(configuration.ok()) << configuration.status();
  EXPECT_EQ(configuration->kafka.heartbeats_topic, "off");
  EXPECT_TRUE(configuration->kafka.confluent);
  EXPECT_EQ(configuration->kafka.registry.url, "https://r.example.com/apis");
  EXPECT_EQ(configuration->kafka.registry.password_file, "/etc/p");
  EXPECT_FALSE(configuration->kafka.registry.register_schema);
}

TEST(LoadTest, WhatTheFileNamesReplacesWhatIsBuiltIn) {
  const auto configuration = LoadConfiguration("x.yaml", R"(
owners: {approval: [dana, "%sre"], rollback: [lee]}
environments:
  - {name: live, protected: true, mode: observe, fail: open, owners: {incident: [kim]}}
  - {name: sandbox, owners: {approval: [ann]}}
destinations:
  - {cidr: ["10.1.0.0/16"], ports: [5432, "8000-8100"], environment: live, refuse: always}
kafka: {brokers: ["b1:9092"], settings: {linger.ms: 5, security.protocol: ssl}}
policy:
  table: {read: {protected: hold}}
  rules: {git-push-force: observe}
)");
  ASSERT_TRUE(configuration.ok()) << configuration.status();
  const EnvironmentConfig& live = configuration->environments[0];
  EXPECT_EQ(live.mode, Mode::kObserve);
  EXPECT_FALSE(live.fail_closed);
  EXPECT_EQ(live.owners.approval, (std::vector<std::string>{"dana", "%sre"}));
  EXPECT_EQ(live.owners.rollback, std::vector<std::string>{"lee"});
  EXPECT_EQ(live.owners.incident, std::vector<std::string>{"kim"});
  EXPECT_EQ(configuration->environments[1].owners.incident, std::vector<std::string>{"ann"});
  EXPECT_EQ(configuration->sessions.default_environment, "") << "development is not in this file";
  EXPECT_EQ(configuration->look_alike.environment, "live");
  ASSERT_EQ(configuration->destinations.size(), 1u);
  EXPECT_EQ(configuration->destinations[0].ports[1].low, 8000);
  EXPECT_EQ(configuration->destinations[0].refuse, ConnectRefusal::kAlways);
  EXPECT_EQ(configuration->kafka.settings.at("linger.ms"), "5");
  EXPECT_EQ(configuration->policy.Cell(Row::kRead, Column::kProtected), v1::VERDICT_HOLD);
  EXPECT_EQ(configuration->policy.Cell(Row::kRead, Column::kLocal), v1::VERDICT_ALLOW);
  EXPECT_EQ(configuration->policy.rules.at("git-push-force"), RuleMode::kObserve);
}

struct Bad {
  const char* text;
  const char* problem;
};

TEST(LoadTest, EachMistakeHasItsPlaceAndWhatWasWanted) {
  for (const Bad& bad : {
           Bad{"enviroments: []\n", "x.yaml:1:1: enviroments: wanted one of the keys version, owners, environments"},
           Bad{"environments:\n  - name: a\n    mode: watch\n",
               "x.yaml:3:11: environments[0].mode: wanted one of enforce, observe, got the text \"watch\""},
           Bad{"environments:\n  - name: a\n    protected: \"yes\"\n",
               "x.yaml:3:16: environments[0].protected: wanted true or false"},
           Bad{"environments: []\n",
               "x.yaml:1:15: environments: wanted a list of 1 to 64 environments, got an empty list"},
           Bad{"environments: [{name: A}]\n", "environments[0].name: wanted a name of a-z"},
           Bad{"environments: [{name: a}, {name: a}]\n", "got a for the second time"},
           Bad{"environments: [{protected: true}]\n", "environments[0].name: wanted this key, got none"},
           Bad{"owners: {approval: []}\n", "x.yaml:1:20: owners.approval: wanted a list of texts, got an empty list"},
           Bad{"owners: {approval: [\"\"]}\n", "owners.approval[0]: wanted text, got an empty text"},
           Bad{"owners: {rollback: [a]}\n", "owners: wanted the key approval, got none"},
           Bad{"owners: {approval: [\"a b\"]}\n", "wanted a user's name, or %group"},
           Bad{"sessions: {default: prod}\n",
               "wanted one of the environments production, staging, development, ci, got the text \"prod\""},
           Bad{"sessions: {workspaces: [{glob: \"a[b\", environment: ci}]}\n",
               "wanted a glob, got an open [ at character 2"},
           Bad{"sessions: {workspaces: [{glob: \"src/x\", environment: ci}]}\n",
               "wanted a path glob that begins with /, ~/ or **/"},
           Bad{"destinations: [{cidr: [\"10.1.0.0/8\"], environment: ci}]\n",
               "destinations[0].cidr[0]: wanted an address range whose bits behind /8 are zero"},
           Bad{"destinations: [{cidr: [\"10.1.0.0/33\"], environment: ci}]\n", "wanted a prefix length from 0 to 32"},
           Bad{"destinations: [{cidr: [\"db.example\"], environment: ci}]\n", "wanted an address range such as"},
           Bad{"destinations: [{environment: ci}]\n", "destinations[0]: wanted hosts or cidr, got neither"},
           Bad{"destinations: [{hosts: [a], ports: [0], environment: ci}]\n", "wanted a port from 1 to 65535"},
           Bad{"destinations: [{hosts: [a], ports: [9-1], environment: ci}]\n", "wanted a port from 1 to 65535"},
           Bad{"destinations: [{hosts: [a]}]\n", "destinations[0].environment: wanted this key, got none"},
           Bad{"credentials: [{name: t, environment: ci}]\n",
               "wanted files, variables or fingerprints, got none of them"},
           Bad{"credentials: [{name: t, environment: ci, fingerprints: [\"fp:12\"]}]\n",
               "as `holdpoint fingerprint` prints"},
           Bad{"credentials: [{name: t, environment: ci, variables: [\"A-B\"]}]\n",
               "wanted the name of an environment variable"},
           Bad{"limits: {hold_ms: -1}\n", "wanted a whole number from 0 to 600000, got the number -1"},
           Bad{"limits: {consult_ms: 1.5}\n", "wanted a whole number"},
           Bad{"limits: {consult_ms: 99999999999999999999}\n", "wanted a whole number"},
           Bad{"kafka: {brokers: [b1]}\n", "kafka.brokers[0]: wanted HOST:PORT"},
           Bad{"kafka: {wire_form: avro}\n", "kafka.wire_form: wanted one of protobuf, confluent"},
           Bad{"kafka:\n  wire_form: confluent\n", "x.yaml:2:14: kafka.wire_form: wanted kafka.registry beside it"},
           Bad{"kafka: {registry: {ca_file: /a}}\n", "kafka.registry: wanted url in it"},
           Bad{"kafka: {registry: {url: \"http://r.example.com/\"}}\n", "kafka.registry.url: wanted https://..."},
           Bad{"kafka: {registry: {url: \"https://r/\", key_file: key}}\n", "key_file: wanted an absolute path"},
           Bad{"sinks: [{name: a, format: cef}]\n", "sinks[0]"},
           Bad{"sinks:\n  - {name: a, format: leef, target: unix:/a}\n",
               "x.yaml:2:23: sinks[0].format: wanted one of json, cef, ocsf, ecs"},
           Bad{"sinks: [{name: A b, format: cef, target: unix:/a}]\n", "sinks[0].name: wanted a name of a-z"},
           Bad{"sinks: [{name: a, format: cef, target: \"http://x:1\"}]\n", "sinks[0].target: wanted file:/PATH"},
           Bad{"sinks: [{name: a, format: cef, target: \"tcp://x:1\", ca_file: /a}]\n",
               "sinks[0].ca_file: wanted only beside a target tls://"},
           Bad{"sinks: [{name: a, format: cef, target: unix:/a, minimum: loud}]\n", "minimum: wanted one of informational"},
           Bad{"sinks:\n  - {name: a, format: cef, target: unix:/a}\n  - {name: a, format: ecs, target: unix:/a}\n",
               "x.yaml:3:12: sinks[1].name: wanted a name that no other sink has"},
           Bad{"kafka: {settings: {acks: 0}}\n", "kafka.settings.acks: wanted a setting that is free"},
           Bad{"kafka: {settings: {sasl.password: x}}\n", "write sasl.password.file: PATH"},
           Bad{"record: {max_mib: 1}\n", "x.yaml:1:19: record.max_mib: wanted a whole number from 64 to 1048576"},
           Bad{"record:\n  max_days: -1\n", "x.yaml:2:13: record.max_days: wanted a whole number from 0"},
           Bad{"record: {max_days: 30, decisions_max_days: 7}\n",
               "wanted decisions_max_days as long as max_days or longer, got 7 and 30"},
           Bad{"record: {max_days: 0, decisions_max_days: 7}\n", "wanted decisions_max_days as long as max_days"},
           Bad{"policy: {table: {read: {here: hold}}}\n", "policy.table.read.here: wanted one of the keys local"},
           Bad{"policy: {table: {read: {local: stop}}}\n",
               "wanted one of allow, audit, hold, refuse, kill, kill_session"},
           Bad{"policy: {rules: {a: maybe}}\n", "wanted one of enforce, observe, off"},
           Bad{"limits:\n  hold_ms: 1\n  hold_ms: 2\n", "x.yaml:3:3: key 'hold_ms' stands here twice, first in line 2"},
           Bad{"a: &x 1\nb: *x\n", "got an alias"},
           Bad{"limits: {}\n---\nlimits: {}\n", "wanted one document, got a second one"},
           Bad{"limits: !!map {}\nkafka: !!str x\n", "x.yaml:2:8"},
           Bad{"limits: [\n", "x.yaml:2:1: wanted YAML"},
           Bad{"- a\n", "x.yaml:1:1: wanted a map with version"},
           Bad{"limits:\n",
               "limits: wanted a map with consult_ms, hold_ms, ticket_minutes, max_holds, two_persons, got nothing"},
           Bad{"version: 2\n", "version: wanted a whole number from 1 to 1, got the number 2"},
       }) {
    const auto loaded = LoadConfiguration("x.yaml", bad.text);
    ASSERT_FALSE(loaded.ok()) << bad.text;
    EXPECT_EQ(loaded.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_NE(std::string(loaded.status().message()).find(bad.problem), std::string::npos)
        << bad.text << "\ngave: " << loaded.status().message();
    EXPECT_EQ(loaded.status().message().substr(0, 7), "x.yaml:");
    EXPECT_EQ(std::string(loaded.status().message()).find('\n'), std::string::npos);
  }
}

TEST(LoadTest, ManyOpenBracketsAreAnErrorAndNoCrash) {
  EXPECT_FALSE(LoadConfiguration("x.yaml", std::string(100'000, '[')).ok());
  EXPECT_FALSE(LoadConfiguration("x.yaml", std::string("a\0b", 3)).ok());
}

TEST(CheckConfigurationTest, SaysWhatAFileMeansAndWhatIsProbablyNotMeant) {
  const ConfigurationReport report = CheckConfiguration(
      "x.yaml", "environments: [{name: live, protected: true, mode: observe, owners: {approval: [root]}}]\n");
  EXPECT_TRUE(report.accepted);
  EXPECT_EQ(report.summary[0], "environment live: protected, observe, fails closed, approval root");
  EXPECT_EQ(report.warnings.size(), 3u);
  EXPECT_FALSE(CheckConfiguration("x.yaml", "a: b\n").accepted);
  EXPECT_TRUE(CheckConfiguration("x.yaml", "").warnings.empty());
}

}  // namespace
}  // namespace holdpoint
