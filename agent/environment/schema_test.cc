// The JSON Schema that editors use and the loader say the same: the same keys, and the same answer to a table of files.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/environment/load.h"
#include "agent/environment/yaml.h"
#include "re2/re2.h"

namespace holdpoint {
namespace {

using Json = nlohmann::json;

std::string Read(const std::string& path) {
  std::ifstream file(absl::StrCat(std::getenv("HP_SOURCE_DIR"), "/", path));
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

const Json& Schema() {
  static const auto* const schema = new Json(Json::parse(Read("schemas/config/holdpoint.schema.json")));
  return *schema;
}

Json ToJson(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return nullptr;
    case YamlNode::Kind::kBool:
      return node.text[0] == 't' || node.text[0] == 'T';
    case YamlNode::Kind::kInteger: {
      int64_t value = 0;
      return absl::SimpleAtoi(node.text, &value) ? Json(value) : Json(1e30);
    }
    case YamlNode::Kind::kNumber: {
      double value = 0;
      return absl::SimpleAtod(node.text, &value) ? Json(value) : Json(nullptr);
    }
    case YamlNode::Kind::kText:
      return node.text;
    case YamlNode::Kind::kList: {
      Json list = Json::array();
      for (const YamlNode& item : node.items) list.push_back(ToJson(item));
      return list;
    }
    case YamlNode::Kind::kMap: {
      Json map = Json::object();
      for (const YamlEntry& entry : node.entries) map[entry.key] = ToJson(entry.value);
      return map;
    }
  }
  return nullptr;
}

const Json& Resolve(const Json& schema) {
  if (!schema.contains("$ref")) return schema;
  const std::string name = schema["$ref"];
  return Schema().at("$defs").at(name.substr(std::string("#/$defs/").size()));
}

bool IsType(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return value.is_number_integer();
  EXPECT_EQ(type, "number");
  return value.is_number();
}

// As much of JSON Schema as our schema uses; a keyword that it does not know fails the test.
class Validator {
 public:
  bool Valid(const Json& value, const Json& reference) {
    if (reference.is_boolean()) return reference.get<bool>();
    const Json& schema = Resolve(reference);
    for (const auto& [keyword, rule] : schema.items()) {
      if (!Check(keyword, rule, value, schema)) return false;
    }
    return true;
  }

 private:
  bool Check(const std::string& keyword, const Json& rule, const Json& value, const Json& schema) {
    if (keyword == "title" || keyword == "description" || keyword[0] == '$') return true;
    if (keyword == "type") {
      if (rule.is_string()) return IsType(value, rule);
      return std::any_of(rule.begin(), rule.end(), [&](const Json& type) { return IsType(value, type); });
    }
    if (keyword == "enum") return std::find(rule.begin(), rule.end(), value) != rule.end();
    if (keyword == "pattern") {
      if (!value.is_string()) return true;
      std::unique_ptr<RE2>& pattern = patterns_[rule];
      if (pattern == nullptr) pattern = std::make_unique<RE2>(rule.get<std::string>());
      return RE2::PartialMatch(value.get<std::string>(), *pattern);
    }
    if (keyword == "minLength") return !value.is_string() || value.get<std::string>().size() >= rule.get<size_t>();
    if (keyword == "maxLength") return !value.is_string() || value.get<std::string>().size() <= rule.get<size_t>();
    if (keyword == "minimum") return !value.is_number() || value.get<double>() >= rule.get<double>();
    if (keyword == "maximum") return !value.is_number() || value.get<double>() <= rule.get<double>();
    if (keyword == "minItems") return !value.is_array() || value.size() >= rule.get<size_t>();
    if (keyword == "maxItems") return !value.is_array() || value.size() <= rule.get<size_t>();
    if (keyword == "items") {
      return !value.is_array() ||
             std::all_of(value.begin(), value.end(), [&](const Json& item) { return Valid(item, rule); });
    }
    if (keyword == "anyOf") {
      return std::any_of(rule.begin(), rule.end(), [&](const Json& one) { return Valid(value, one); });
    }
    if (keyword == "oneOf") {
      return std::count_if(rule.begin(), rule.end(), [&](const Json& one) { return Valid(value, one); }) == 1;
    }
    if (keyword == "required") {
      return std::all_of(rule.begin(), rule.end(), [&](const Json& key) { return value.contains(key); });
    }
    if (keyword == "propertyNames") {
      const auto items = value.items();
      return !value.is_object() ||
             std::all_of(items.begin(), items.end(), [&](const auto& item) { return Valid(Json(item.key()), rule); });
    }
    if (keyword == "properties" || keyword == "additionalProperties" || keyword == "patternProperties") {
      return Properties(value, schema);
    }
    ADD_FAILURE() << "the test knows no keyword " << keyword;
    return false;
  }

  bool Properties(const Json& value, const Json& schema) {
    if (!value.is_object()) return true;
    const auto properties = schema.find("properties");
    for (const auto& [key, item] : value.items()) {
      if (properties != schema.end() && properties->contains(key)) {
        if (!Valid(item, properties->at(key))) return false;
      } else if (const Json* const rule = ByPattern(schema, key); !Valid(item, *rule)) {
        return false;
      }
    }
    return true;
  }

  static const Json* ByPattern(const Json& schema, const std::string& key) {
    if (const auto patterns = schema.find("patternProperties"); patterns != schema.end()) {
      for (const auto& [pattern, rule] : patterns->items()) {
        if (RE2::PartialMatch(key, pattern)) return &rule;
      }
    }
    return &schema.at("additionalProperties");
  }

  std::map<std::string, std::unique_ptr<RE2>> patterns_;
};

// Keys as ConfigurationKeys() names them.
void CollectKeys(const Json& reference, const std::string& path, std::set<std::string>* keys) {
  const Json& schema = Resolve(reference);
  if (schema.contains("items")) CollectKeys(schema["items"], path + "[]", keys);
  if (!schema.contains("properties")) return;
  EXPECT_EQ(schema.value("additionalProperties", Json(true)), Json(false)) << path << " takes any key";
  for (const auto& [key, value] : schema["properties"].items()) {
    const std::string below = path.empty() ? key : path + "." + key;
    keys->insert(below);
    CollectKeys(value, below, keys);
  }
}

TEST(SchemaTest, HasTheLoadersKeys) {
  std::set<std::string> of_schema;
  CollectKeys(Schema(), "", &of_schema);
  const std::vector<std::string> list = ConfigurationKeys();
  const std::set<std::string> of_loader(list.begin(), list.end());
  EXPECT_EQ(of_schema, of_loader);
  EXPECT_GT(of_loader.size(), 90u);
}

bool LoaderTakes(const std::string& text) { return LoadConfiguration("x", text).ok(); }
bool SchemaTakes(const std::string& text) {
  const auto root = ParseYaml("x", text);
  static auto* const validator = new Validator();
  return root.ok() && validator->Valid(ToJson(*root), Schema());
}

TEST(SchemaTest, ShippedFilesAreGoodForBoth) {
  for (const char* path : {"config/holdpoint.yaml", "schemas/config/example.yaml"}) {
    const std::string text = Read(path);
    EXPECT_TRUE(LoadConfiguration(path, text).ok()) << LoadConfiguration(path, text).status();
    EXPECT_TRUE(SchemaTakes(text)) << path;
    EXPECT_TRUE(CheckConfiguration(path, text).warnings.size() <= 1) << path;
  }
}

// Every key of the example, taken away or given a value of another kind: both answer alike.
void Mutate(const YamlNode& root, YamlNode* node, int* cases) {
  const auto render = [](const YamlNode& tree) { return ToJson(tree).dump(); };  // JSON is YAML.
  const auto compare = [&] {
    const std::string text = render(root);
    EXPECT_EQ(LoaderTakes(text), SchemaTakes(text)) << text << "\nloader: " << LoadConfiguration("x", text).status();
    ++*cases;
  };
  const YamlNode kept = *node;
  for (const YamlNode::Kind kind : {YamlNode::Kind::kNull, YamlNode::Kind::kBool, YamlNode::Kind::kInteger,
                                    YamlNode::Kind::kText, YamlNode::Kind::kList, YamlNode::Kind::kMap}) {
    *node = YamlNode();
    node->kind = kind;
    node->text = kind == YamlNode::Kind::kBool ? "true" : kind == YamlNode::Kind::kInteger ? "-7" : "";
    if (node != &root || kind != YamlNode::Kind::kNull) compare();  // An empty file is a good one.
  }
  *node = kept;
  for (size_t i = 0; i < node->entries.size(); ++i) {
    const YamlEntry entry = node->entries[i];
    node->entries.erase(node->entries.begin() + static_cast<long>(i));
    // Without environments the built-in ones hold, which the example does not name all: no question of form.
    if (entry.key != "environments") compare();
    node->entries.insert(node->entries.begin() + static_cast<long>(i), entry);
    node->entries[i].key = "unknown Key";
    if (entry.key != "environments") compare();
    node->entries[i].key = entry.key;
    Mutate(root, &node->entries[i].value, cases);
  }
  for (YamlNode& item : node->items) Mutate(root, &item, cases);
}

TEST(SchemaTest, AgreesWithTheLoaderOnEveryMutationOfTheExample) {
  YamlNode root = *ParseYaml("x", Read("schemas/config/example.yaml"));
  int cases = 0;
  Mutate(root, &root, &cases);
  EXPECT_GT(cases, 500);
}

TEST(SchemaTest, AgreesOnATableOfFiles) {
  for (const char* good : {"{}", "environments: [{name: a}]", "destinations: []", "limits: {hold_ms: 0}",
                           "intent: {escalate: kill_session, kill_after: 2, small_losses: 0, window_s: 60}",
                           "destinations: [{hosts: [a], environment: ci, ports: [1, \"2-3\"]}]",
                           "kafka: {wire_form: protobuf}", "kafka: {registry: {url: \"http://localhost:8081\"}}",
                           "kafka: {wire_form: confluent, registry: {url: \"https://r.example.com/v7\"}}",
                           "sinks: []", "sinks: [{name: a, format: ecs, target: unix:/a}]",
                           "sinks: [{name: a, format: ecs, target: \"udp://[2001:db8::1]:514\", minimum: low}]",
                           "sinks: [{name: a, format: ocsf, target: \"kafka:soc.ocsf\"}, {name: b, format: cef, target: \"tcp://h:65535\"}]",
                           "notify: {wall: off}", "notify: {webhook: {url: \"http://127.0.0.1:8080/x\"}}",
                           "notify: {webhook: {url_file: /etc/holdpoint/webhook-url}}",
                           "sessions: {workspaces: [{glob: \".env\", environment: ci}]}"}) {
    EXPECT_TRUE(LoaderTakes(good)) << good << LoadConfiguration("x", good).status();
    EXPECT_TRUE(SchemaTakes(good)) << good;
  }
  for (const char* bad : {"[]",
                          "a",
                          "version: 2",
                          "environments: [{name: A}]",
                          "intent: {escalate: never}",
                          "intent: {small_losses: 401}",
                          "intent: {window_s: 0}",
                          "limits: {hold_ms: 600001}",
                          "limits: {hold_ms: 1.5}",
                          "owners: {rollback: [a]}",
                          "owners: {approval: [\"a b\"]}",
                          "kafka: {brokers: [b]}",
                          "kafka: {settings: {sasl.password: x}}",
                          "kafka: {settings: {acks: all}}",
                          "kafka: {settings: {sasl.password.file: x}}",
                          "kafka: {topic: \"a b\"}",
                          "presence: {service: other}",
                          "kafka: {heartbeats_topic: \"\"}",
                          "kafka: {wire_form: confluent}",
                          "kafka: {registry: {}}",
                          "kafka: {registry: {url: \"http://r.example.com/\"}}",
                          "kafka: {registry: {url: \"https://me:secret@r.example.com/\"}}",
                          "kafka: {registry: {url: \"https://r/\", password: x}}",
                          "sinks: [{name: a, format: ecs}]",
                          "sinks: [{name: a, format: ecs, target: \"file:x\"}]",
                          "sinks: [{name: a, format: ecs, target: \"tcp://u:p@h:1\"}]",
                          "sinks: [{name: a, format: ecs, target: \"tcp://h:0\"}]",
                          "sinks: [{name: a, format: ecs, target: \"tcp://h:65536\"}]",
                          "sinks: [{name: a, format: ecs, target: \"kafka:a b\"}]",
                          "sinks: [{name: a, format: ecs, target: unix:/a, ca_file: /a}]",
                          "notify: {wall: everybody}",
                          "notify: {webhook: {}}",
                          "notify: {webhook: {url: \"http://hooks.example.com/\"}}",
                          "notify: {webhook: {url: \"http://localhost.example.com/\"}}",
                          "notify: {webhook: {url: \"https://me:secret@hooks.example.com/\"}}",
                          "notify: {webhook: {url: \"https://a/ b\"}}",
                          "notify: {webhook: {url: \"https://a/\", url_file: /a}}",
                          "notify: {webhook: {url_file: a}}",
                          "notify: {webhook: {url: \"https://a/\", timeout_ms: 99}}",
                          "sessions: {workspaces: [{glob: \"a/b\", environment: ci}]}",
                          "destinations: [{environment: ci}]",
                          "destinations: [{hosts: [], environment: ci}]",
                          "credentials: [{name: a, environment: ci}]",
                          "policy: {table: {read: {local: no}}}",
                          "resources: [{type: A, id: x, environment: ci}]"}) {
    EXPECT_FALSE(LoaderTakes(bad)) << bad;
    EXPECT_FALSE(SchemaTakes(bad)) << bad;
  }
}

}  // namespace
}  // namespace holdpoint
