#include "agent/policy/rule_reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/base/sha256.h"
#include "agent/base/status.h"
#include "agent/environment/yaml.h"
#include "agent/policy/sigma_pack.h"
#include "agent/policy/test_reader.h"

namespace holdpoint {
namespace {

constexpr std::array<absl::string_view, 7> kEffects = {"read",     "write",   "use_credential", "expose",
                                                       "escalate", "destroy", "unseen"};
constexpr std::array<absl::string_view, 4> kRecoverability = {"by-facts", "regenerable", "recoverable", "irreversible"};
constexpr std::array<absl::string_view, 7> kVerdicts = {"", "allow", "audit", "hold", "refuse", "kill", "kill_session"};
constexpr std::array<absl::string_view, 24> kEvidence = {
    "none",           "path",    "overwrite",       "tree-part",      "worktree",        "untracked",
    "git-path",       "repository", "remote-ref",   "database",       "project-database", "compose-project",
    "volume",         "container-store", "cluster", "infrastructure", "plan",            "process",
    "unit",           "package-data",    "crontab", "python-environment", "linked-project", "remote-host"};
constexpr std::array<absl::string_view, 3> kModes = {"enforce", "observe", "off"};

bool IsRuleId(absl::string_view id) {
  if (id.empty() || id.size() > 100 || id.front() == '.' || id.back() == '.') return false;
  for (const char c : id) {
    if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '-') return false;
  }
  return id.find('.') != absl::string_view::npos;
}

// Puts "rule ID: " behind the place of an error.
absl::Status InRule(absl::string_view file, absl::string_view id, const absl::Status& status) {
  if (status.ok()) return status;
  absl::string_view text = status.message();
  size_t cut = file.size();
  for (int colons = 0; cut < text.size() && colons < 3; ++cut) {
    if (text[cut] == ':') ++colons;
  }
  if (text.substr(0, file.size()) != file || cut >= text.size()) return status;
  return absl::Status(status.code(), absl::StrCat(text.substr(0, cut), " rule ", id, ":", text.substr(cut)));
}

absl::Status ReadResource(const YamlValue& value, Rule* rule) {
  HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map({"type", "from", "evidence", "folders"}));
  HP_ASSIGN_OR_RETURN(const YamlValue type, map.Get("type"));
  HP_ASSIGN_OR_RETURN(rule->resource_type, type.Text());
  HP_ASSIGN_OR_RETURN(const YamlValue from, map.Get("from"));
  using Kind = ResourceSource::Kind;
  ResourceSource& source = rule->resource;
  if (from.node().kind == YamlNode::Kind::kMap) {
    HP_ASSIGN_OR_RETURN(const YamlMap at, from.Map({"fixed", "operand", "operand_prefix", "option", "argument", "json",
                                                    "query", "path"}));
    if (from.node().entries.size() != 1) return from.Wrong("one place where the id stands");
    const std::string& key = from.node().entries[0].key;
    HP_ASSIGN_OR_RETURN(const YamlValue place, at.Get(key));
    HP_ASSIGN_OR_RETURN(source.id, place.Scalar());
    if (key == "fixed") source.kind = Kind::kFixed;
    if (key == "operand") {
      source.kind = Kind::kOperand;
      if (source.id == "last") {
        source.index = -1;
      } else if (!absl::SimpleAtoi(source.id, &source.index)) {
        return place.Wrong("the number of an operand, or last");
      }
    }
    if (key == "operand_prefix") source.kind = Kind::kOperandPrefix;
    if (key == "option") source.kind = Kind::kOption;
    if (key == "argument") source.kind = Kind::kArgument;
    if (key == "json") source.kind = Kind::kJson;
    if (key == "query") source.kind = Kind::kQuery;
    if (key == "path") source.kind = Kind::kPath;
  } else {
    HP_ASSIGN_OR_RETURN(const size_t index, from.OneOf({"operands", "cwd", "url", "statement", "program"}));
    source.kind = std::array<Kind, 5>{Kind::kOperands, Kind::kWorkingDirectory, Kind::kUrl, Kind::kStatement,
                                      Kind::kProgram}[index];
  }
  if (map.Has("evidence")) {
    HP_ASSIGN_OR_RETURN(const YamlValue evidence, map.Get("evidence"));
    HP_ASSIGN_OR_RETURN(const size_t index, evidence.OneOf(kEvidence));
    rule->evidence = static_cast<Evidence>(index);
  } else if (rule->resource_type == "path") {
    rule->evidence = Evidence::kPath;
  }
  if (map.Has("folders")) {
    HP_ASSIGN_OR_RETURN(const YamlValue folders, map.Get("folders"));
    HP_ASSIGN_OR_RETURN(rule->folder_options, folders.Texts());
    if (rule->evidence != Evidence::kPath) return folders.Error("folders belongs to evidence: path only");
  }
  return absl::OkStatus();
}

// Names divided by white space.
absl::Status ReadPlain(const YamlMap& map, std::vector<std::string>* out) {
  if (!map.Has("plain")) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const YamlValue value, map.Get("plain"));
  HP_ASSIGN_OR_RETURN(const std::string text, value.Text());
  for (const absl::string_view name : absl::StrSplit(text, absl::ByAnyChar(" \t\n"), absl::SkipEmpty())) {
    if (name.find('/') != name.npos) return value.Wrong("names of programs without a folder");
    out->emplace_back(name);
  }
  return absl::OkStatus();
}

// Keys that say nothing of when a rule fires and what follows; `mode` has a life of its own.
constexpr absl::string_view kOnlyForPeople[] = {"title", "why", "references", "techniques", "blind_spots", "cases", "mode"};

// One text for one meaning: spaces, comments and places in the file do not count.
void AppendCanonical(const YamlNode& node, absl::Span<const absl::string_view> without, std::string* out) {
  switch (node.kind) {
    case YamlNode::Kind::kList:
      absl::StrAppend(out, "[", node.items.size(), ";");
      for (const YamlNode& item : node.items) AppendCanonical(item, {}, out);
      return;
    case YamlNode::Kind::kMap:
      out->push_back('{');
      for (const YamlEntry& entry : node.entries) {
        if (std::find(without.begin(), without.end(), entry.key) != without.end()) continue;
        absl::StrAppend(out, entry.key.size(), ":", entry.key, "=");
        AppendCanonical(entry.value, {}, out);
      }
      out->push_back('}');
      return;
    default:
      absl::StrAppend(out, static_cast<int>(node.kind), "/", node.text.size(), ":", node.text, ";");
  }
}

std::string HashOf(const YamlNode& node, absl::Span<const absl::string_view> without) {
  std::string canonical;
  AppendCanonical(node, without, &canonical);
  return Hex(Sha256(canonical));
}

absl::Status ReadTextMap(const YamlMap& map, absl::string_view key, std::map<std::string, std::string>* out) {
  if (!map.Has(key)) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const YamlValue value, map.Get(key));
  HP_ASSIGN_OR_RETURN(const auto entries, value.FreeMap());
  for (const auto& [name, item] : entries) {
    HP_ASSIGN_OR_RETURN((*out)[name], item.Scalar());
  }
  return absl::OkStatus();
}

absl::StatusOr<RuleCase> ReadCase(const YamlValue& value, bool fires) {
  HP_ASSIGN_OR_RETURN(const YamlMap map,
                      value.Map({"argv", "cwd", "env", "paths", "files", "host", "input", "git", "tags", "verdict", "resource"}));
  RuleCase c;
  c.fires = fires;
  c.line = value.node().line;
  c.column = value.node().column;
  HP_ASSIGN_OR_RETURN(const YamlValue argv, map.Get("argv"));
  HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> words, argv.List());
  for (const YamlValue& word : words) {
    // An empty word is an argument too.
    if (word.node().kind == YamlNode::Kind::kText && word.node().text.empty()) {
      c.argv.emplace_back();
    } else {
      HP_ASSIGN_OR_RETURN(std::string text, word.Scalar());
      c.argv.push_back(std::move(text));
    }
  }
  if (c.argv.empty()) return argv.Wrong("a command line, as a list of words");
  c.cwd = "/srv/shop";
  HP_RETURN_IF_ERROR(map.Optional("cwd", &c.cwd));
  std::map<std::string, std::string> environment;
  HP_RETURN_IF_ERROR(ReadTextMap(map, "env", &environment));
  for (const auto& [name, text] : environment) c.environment.push_back(absl::StrCat(name, "=", text));
  HP_RETURN_IF_ERROR(ReadTextMap(map, "paths", &c.paths));
  HP_RETURN_IF_ERROR(ReadTextMap(map, "files", &c.files));
  HP_RETURN_IF_ERROR(ReadTextMap(map, "host", &c.host));
  if (map.Has("input")) HP_RETURN_IF_ERROR(map.Optional("input", &c.input.emplace()));
  c.git_known = map.Has("git");
  HP_RETURN_IF_ERROR(ReadTextMap(map, "git", &c.git));
  HP_RETURN_IF_ERROR(ReadTextMap(map, "tags", &c.tags));
  if (map.Has("verdict")) {
    HP_ASSIGN_OR_RETURN(const YamlValue verdict, map.Get("verdict"));
    HP_ASSIGN_OR_RETURN(const size_t index, verdict.OneOf(absl::MakeConstSpan(kVerdicts).subspan(1)));
    c.verdict = std::string(kVerdicts[index + 1]);
  }
  if (map.Has("resource")) {
    HP_ASSIGN_OR_RETURN(const YamlValue resource, map.Get("resource"));
    HP_ASSIGN_OR_RETURN(c.resource, resource.Scalar());
  }
  return c;
}

absl::Status ReadCases(const YamlMap& rule_map, Rule* rule) {
  const char* wanted = "wanted at least one case under cases.fires and one under cases.passes, got ";
  if (!rule_map.Has("cases")) return rule_map.Error(absl::StrCat(wanted, "none"));
  HP_ASSIGN_OR_RETURN(const YamlValue cases, rule_map.Get("cases"));
  HP_ASSIGN_OR_RETURN(const YamlMap map, cases.Map({"fires", "passes"}));
  for (const bool fires : {true, false}) {
    const absl::string_view key = fires ? "fires" : "passes";
    if (!map.Has(key)) return cases.Error(absl::StrCat(wanted, "no ", key));
    HP_ASSIGN_OR_RETURN(const YamlValue list, map.Get(key));
    HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> items, list.List());
    if (items.empty()) return list.Error(absl::StrCat(wanted, "an empty list of ", key));
    for (const YamlValue& item : items) {
      HP_ASSIGN_OR_RETURN(RuleCase c, ReadCase(item, fires));
      rule->cases.push_back(std::move(c));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadBody(const YamlMap& map, RuleMode file_mode, Rule* rule) {
  HP_RETURN_IF_ERROR(map.Optional("title", &rule->title));
  HP_ASSIGN_OR_RETURN(const YamlValue why, map.Get("why"));
  HP_ASSIGN_OR_RETURN(rule->why, why.Text());
  HP_ASSIGN_OR_RETURN(const YamlValue effect, map.Get("effect"));
  HP_ASSIGN_OR_RETURN(const size_t effect_index, effect.OneOf(kEffects));
  rule->effect = static_cast<v1::Effect>(effect_index + 1);
  if (map.Has("resource")) {
    HP_ASSIGN_OR_RETURN(const YamlValue resource, map.Get("resource"));
    HP_RETURN_IF_ERROR(ReadResource(resource, rule));
  }
  if (rule->effect == v1::EFFECT_DESTROY) {
    HP_ASSIGN_OR_RETURN(const YamlValue recoverability, map.Get("recoverability"));
    HP_ASSIGN_OR_RETURN(const size_t index, recoverability.OneOf(kRecoverability));
    rule->recoverability = static_cast<v1::Recoverability>(index);
    if (index == 0 && rule->evidence == Evidence::kNone) {
      return recoverability.Error("by-facts wants a resource with evidence; without one say irreversible");
    }
  } else if (map.Has("recoverability")) {
    return map.Error("recoverability belongs to effect: destroy only");
  }
  HP_RETURN_IF_ERROR(map.Optional("techniques", &rule->techniques));
  HP_RETURN_IF_ERROR(map.Optional("references", &rule->references));
  HP_RETURN_IF_ERROR(map.Optional("blind_spots", &rule->blind_spots));
  HP_RETURN_IF_ERROR(map.Optional("replaces", &rule->replaces));
  rule->mode = file_mode;
  if (map.Has("mode")) {
    HP_ASSIGN_OR_RETURN(const YamlValue mode, map.Get("mode"));
    HP_ASSIGN_OR_RETURN(const size_t index, mode.OneOf(kModes));
    rule->mode = static_cast<RuleMode>(index);
  }
  if (map.Has("verdict")) {
    HP_ASSIGN_OR_RETURN(const YamlValue verdict, map.Get("verdict"));
    HP_ASSIGN_OR_RETURN(const size_t index, verdict.OneOf(absl::MakeConstSpan(kVerdicts).subspan(1)));
    rule->verdict = static_cast<v1::Verdict>(index + 1);
  }
  HP_ASSIGN_OR_RETURN(const YamlValue when, map.Get("when"));
  HP_RETURN_IF_ERROR(ReadWhen(when, rule));
  return ReadCases(map, rule);
}

absl::StatusOr<Rule> ReadRule(absl::string_view name, const YamlValue& value, RuleMode mode, absl::string_view family) {
  HP_ASSIGN_OR_RETURN(const YamlMap map,
                      value.Map({"id", "title", "why", "effect", "recoverability", "resource", "techniques",
                                 "references", "blind_spots", "replaces", "mode", "verdict", "when", "cases"}));
  Rule rule;
  rule.file = std::string(name);
  rule.line = value.node().line;
  rule.family = std::string(family);
  rule.hash = HashOf(value.node(), kOnlyForPeople);
  HP_ASSIGN_OR_RETURN(const YamlValue id, map.Get("id"));
  HP_ASSIGN_OR_RETURN(rule.id, id.Text());
  if (!IsRuleId(rule.id)) return id.Wrong("an id of lower-case words with dots between, as files.rm");
  HP_RETURN_IF_ERROR(InRule(name, rule.id, ReadBody(map, mode, &rule)));
  return rule;
}

}  // namespace

absl::StatusOr<Pack> ReadPack(absl::string_view name, absl::string_view bytes) {
  HP_ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(name, bytes));
  const YamlValue document(name, "", root);
  if (SigmaRule::Is(root)) {
    HP_ASSIGN_OR_RETURN(Pack sigma, ReadSigmaPack(name, document));
    sigma.rules[0].hash = HashOf(root, kOnlyForPeople);
    return sigma;
  }
  HP_ASSIGN_OR_RETURN(const YamlMap map, document.Map({"schema", "family", "title", "mode", "tools", "plain", "rules"}));
  HP_ASSIGN_OR_RETURN(const YamlValue schema, map.Get("schema"));
  HP_ASSIGN_OR_RETURN(const uint32_t version, schema.Integer(1, 1));
  (void)version;
  Pack pack;
  HP_ASSIGN_OR_RETURN(const YamlValue family, map.Get("family"));
  HP_ASSIGN_OR_RETURN(pack.family, family.Text());
  HP_RETURN_IF_ERROR(map.Optional("title", &pack.title));
  RuleMode mode = RuleMode::kObserve;  // New rules are watched before they stop anything.
  if (map.Has("mode")) {
    HP_ASSIGN_OR_RETURN(const YamlValue value, map.Get("mode"));
    HP_ASSIGN_OR_RETURN(const size_t index, value.OneOf(kModes));
    mode = static_cast<RuleMode>(index);
  }
  if (map.Has("tools")) {
    HP_ASSIGN_OR_RETURN(const YamlValue tools, map.Get("tools"));
    HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> items, tools.List());
    for (const YamlValue& item : items) {
      HP_ASSIGN_OR_RETURN(ToolModel tool, ReadToolModel(item, pack.family));
      tool.hash = HashOf(item.node(), {});
      pack.tools.push_back(std::move(tool));
    }
  }
  HP_RETURN_IF_ERROR(ReadPlain(map, &pack.plain));
  if (map.Has("rules")) {
    HP_ASSIGN_OR_RETURN(const YamlValue rules, map.Get("rules"));
    HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> items, rules.List());
    for (const YamlValue& item : items) {
      HP_ASSIGN_OR_RETURN(Rule rule, ReadRule(name, item, mode, pack.family));
      pack.rules.push_back(std::move(rule));
    }
  }
  return pack;
}

}  // namespace holdpoint
