// schemas/rules/pack.schema.json says what the reader takes: every shipped pack fits it, and what the reader refuses
// for its shape does not.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/environment/yaml.h"
#include "agent/policy/rule_reader.h"

namespace holdpoint {
namespace {

using Json = nlohmann::json;

std::string ReadText(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::filesystem::path Source() {
  const char* source = getenv("HP_SOURCE_DIR");
  return source == nullptr ? "." : source;
}

Json ToJson(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kMap: {
      Json object = Json::object();
      for (const YamlEntry& entry : node.entries) object[entry.key] = ToJson(entry.value);
      return object;
    }
    case YamlNode::Kind::kList: {
      Json list = Json::array();
      for (const YamlNode& item : node.items) list.push_back(ToJson(item));
      return list;
    }
    case YamlNode::Kind::kBool:
      return node.text == "true" || node.text == "True" || node.text == "TRUE";
    case YamlNode::Kind::kInteger:
      return std::stoll(node.text);
    case YamlNode::Kind::kNumber:
      return std::stod(node.text);
    case YamlNode::Kind::kNull:
      return nullptr;
    case YamlNode::Kind::kText:
      return node.text;
  }
  return nullptr;
}

bool IsType(const Json& value, const std::string& type) {
  return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
         (type == "string" && value.is_string()) || (type == "boolean" && value.is_boolean()) ||
         (type == "integer" && value.is_number_integer()) || (type == "number" && value.is_number());
}

// The part of JSON Schema that the pack's schema uses. Empty where the value fits, else where it does not.
std::string Misfit(const Json& root, const Json& schema, const Json& value, const std::string& at) {
  if (schema.contains("$ref")) {
    const std::string ref = schema["$ref"].get<std::string>().substr(1);
    if (std::string bad = Misfit(root, root.at(Json::json_pointer(ref)), value, at); !bad.empty()) return bad;
  }
  if (schema.contains("const") && schema["const"] != value) return at;
  if (schema.contains("enum")) {
    bool found = false;
    for (const Json& each : schema["enum"]) found |= each == value;
    if (!found) return at;
  }
  if (schema.contains("type")) {
    const Json types = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
    bool fits = false;
    for (const Json& type : types) fits |= IsType(value, type);
    if (!fits) return at;
  }
  if (schema.contains("anyOf")) {
    bool fits = false;
    for (const Json& each : schema["anyOf"]) fits |= Misfit(root, each, value, at).empty();
    if (!fits) return at;
  }
  if (value.is_array()) {
    if (value.size() < schema.value("minItems", size_t{0})) return at;
    for (size_t i = 0; schema.contains("items") && i < value.size(); ++i) {
      if (std::string bad = Misfit(root, schema["items"], value[i], absl::StrCat(at, "/", i)); !bad.empty()) return bad;
    }
  }
  if (value.is_object()) {
    for (const Json& key : schema.value("required", Json::array())) {
      if (!value.contains(key.get<std::string>())) return absl::StrCat(at, "/", key.get<std::string>());
    }
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [key, item] : value.items()) {
      const std::string inner = absl::StrCat(at, "/", key);
      if (properties.contains(key)) {
        if (std::string bad = Misfit(root, properties[key], item, inner); !bad.empty()) return bad;
      } else if (schema.contains("additionalProperties")) {
        const Json& more = schema["additionalProperties"];
        if (more.is_boolean() && !more.get<bool>()) return inner;
        if (more.is_object()) {
          if (std::string bad = Misfit(root, more, item, inner); !bad.empty()) return bad;
        }
      }
    }
  }
  return "";
}

class PackSchemaTest : public testing::Test {
 protected:
  void SetUp() override {
    schema_ = Json::parse(ReadText(Source() / "schemas/rules/pack.schema.json"), nullptr, false);
    ASSERT_TRUE(schema_.is_object());
  }
  std::string Check(const std::string& yaml) {
    const auto node = ParseYaml("x.yaml", yaml);
    EXPECT_TRUE(node.ok()) << node.status();
    return node.ok() ? Misfit(schema_, schema_, ToJson(*node), "") : "no YAML";
  }
  Json schema_;
};

TEST_F(PackSchemaTest, EveryShippedPackFits) {
  int packs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Source() / "rules")) {
    if (entry.path().extension() != ".yaml") continue;
    ++packs;
    EXPECT_EQ(Check(ReadText(entry.path())), "") << entry.path();
  }
  EXPECT_GE(packs, 4);
}

TEST_F(PackSchemaTest, WhatTheReaderRefusesForItsShapeDoesNotFit) {
  const std::string good =
      "schema: 1\nfamily: x\ntools:\n  - {names: [t], options: \"a\"}\nrules:\n  - {id: x.y, effect: destroy, "
      "recoverability: irreversible, why: w, when: {tool: t, options: {any: [a]}}, cases: {fires: [{argv: [t, -a]}], "
      "passes: [{argv: [t]}]}}\n";
  EXPECT_EQ(Check(good), "");
  EXPECT_TRUE(ReadPack("x.yaml", good).ok()) << ReadPack("x.yaml", good).status();
  const struct {
    std::string from, to;
  } changes[] = {{"schema: 1", "schema: 2"},
                 {"family: x\n", ""},
                 {"family: x", "family: x\nnew: y"},
                 {"names: [t]", "name: t"},
                 {"names: [t]", "names: [t], option: x"},
                 {"effect: destroy", "effect: break"},
                 {"why: w", "way: w"},
                 {"any: [a]", "some: [a]"},
                 {"passes: [{argv: [t]}]", "passes: []"},
                 {"passes: [{argv: [t]}]", "pass: [{argv: [t]}]"},
                 {"{argv: [t]}", "{argv: [t], verdict: stop}"}};
  for (const auto& [from, to] : changes) {
    std::string bad = good;
    ASSERT_NE(bad.find(from), std::string::npos) << from;
    bad.replace(bad.find(from), from.size(), to);
    EXPECT_NE(Check(bad), "") << to;
    EXPECT_FALSE(ReadPack("x.yaml", bad).ok()) << to;
  }
}

}  // namespace
}  // namespace holdpoint
