#include "agent/policy/policy.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/sha256.h"
#include "agent/base/status.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

absl::Status At(const Rule& rule, absl::string_view message) {
  return absl::FailedPreconditionError(absl::StrCat(rule.file, ":", rule.line, ":1: rule ", rule.id, ": ", message));
}

// Every name that an option of the tool or of one of its sub-commands is reported under.
void CollectOptions(const CommandModel& model, std::set<std::string>* options) {
  for (const OptionSpec& spec : model.options) options->insert(spec.names[0]);
  for (const CommandModel& command : model.commands) CollectOptions(command, options);
}

void CollectCommands(const CommandModel& model, const std::string& prefix, std::set<std::string>* commands) {
  for (const CommandModel& command : model.commands) {
    const std::string name = prefix.empty() ? command.names[0] : absl::StrCat(prefix, " ", command.names[0]);
    commands->insert(name);
    CollectCommands(command, name, commands);
  }
}

absl::Status CheckCall(const Rule& rule, const CallTest& test, const std::set<std::string>& options,
                       const std::set<std::string>& commands) {
  if (rule.unlisted.has_value() && test.commands.empty()) return absl::OkStatus();  // No model says what there is.
  for (const std::string& command : test.commands) {
    if (commands.count(command) == 0) {
      return At(rule, absl::StrCat("wanted a sub-command that the tool's model has, got \"", command, "\""));
    }
  }
  for (const auto* list : {&test.options_any, &test.options_all, &test.options_none}) {
    for (const OptionTest& option : *list) {
      if (options.count(option.name) == 0) {
        return At(rule, absl::StrCat("wanted an option by the first name that the tool's model has, got \"",
                                     option.name, "\""));
      }
    }
  }
  for (const auto* list : {&test.any_of, &test.none_of}) {
    for (const CallTest& inner : *list) HP_RETURN_IF_ERROR(CheckCall(rule, inner, options, commands));
  }
  return absl::OkStatus();
}

// What the model of an interpreter says of its own options.
absl::Status CheckScript(const ToolModel& tool) {
  if (!tool.script.has_value()) return absl::OkStatus();
  std::set<std::string> options;
  CollectOptions(tool, &options);
  std::vector<std::string> named = tool.script->unless;
  if (!tool.script->module.empty()) named.push_back(tool.script->module);
  for (const std::string& name : named) {
    if (options.count(name) != 0) continue;
    return absl::FailedPreconditionError(absl::StrCat("tool ", tool.names[0], " of the pack ", tool.family,
                                                      ": wanted an option by its first name in script, got \"", name, "\""));
  }
  return absl::OkStatus();
}

// What a model says of its own options.
absl::Status CheckSources(const ToolModel& tool) {
  std::set<std::string> options;
  CollectOptions(tool, &options);
  std::vector<std::string> named;
  if (tool.sql.has_value()) {
    for (const auto* list : {&tool.sql->options, &tool.sql->files, &tool.sql->idle, &tool.sql->database}) {
      named.insert(named.end(), list->begin(), list->end());
    }
  }
  if (tool.server.has_value()) {
    for (const auto* list : {&tool.server->options, &tool.server->ports}) named.insert(named.end(), list->begin(), list->end());
  }
  if (tool.program.has_value()) {
    for (const auto* list : {&tool.program->options, &tool.program->idle}) named.insert(named.end(), list->begin(), list->end());
  }
  for (const std::string& name : named) {
    if (options.count(name) != 0) continue;
    return absl::FailedPreconditionError(absl::StrCat("tool ", tool.names[0], " of the pack ", tool.family,
                                                      ": wanted an option by its first name in sql and server, got \"", name, "\""));
  }
  return absl::OkStatus();
}

// "-mNAME" and "NAME" name a module, "bin/NAME" a file.
absl::string_view ScriptName(const ToolModel& tool, absl::string_view word) {
  const std::string attached = absl::StrCat("-", tool.script->module);
  if (!tool.script->module.empty() && absl::StartsWith(word, attached)) word.remove_prefix(attached.size());
  return BaseName(word);
}

// "x86_64-linux-gnu-gcc-12" is gcc for a machine and in a version.
absl::string_view WithoutTarget(absl::string_view name) {
  constexpr absl::string_view kSystem = "-linux-gnu";
  if (const size_t at = name.find(kSystem); at != name.npos) {
    if (const size_t dash = name.find('-', at + kSystem.size()); dash != name.npos) name.remove_prefix(dash + 1);
  }
  const size_t dash = name.rfind('-');
  const bool version = dash != name.npos && dash + 1 < name.size() &&
                       name.find_first_not_of("0123456789.", dash + 1) == name.npos;
  return version ? name.substr(0, dash) : name;
}

// The word of argv that names the script; what stands before it is its interpreter's.
size_t ScriptWord(const ExecAct& act) {
  const size_t first = std::min<size_t>(1, act.argv.size());
  const auto word = std::find(act.argv.begin() + static_cast<ptrdiff_t>(first), act.argv.end(), act.script);
  return word == act.argv.end() ? first : static_cast<size_t>(word - act.argv.begin());
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Policy>> Policy::Compile(std::vector<Pack> packs) {
  std::shared_ptr<Policy> policy(new Policy());
  for (Pack& pack : packs) {
    std::move(pack.tools.begin(), pack.tools.end(), std::back_inserter(policy->tools_));
    std::move(pack.rules.begin(), pack.rules.end(), std::back_inserter(policy->rules_));
    policy->plain_.insert(pack.plain.begin(), pack.plain.end());
  }
  HP_RETURN_IF_ERROR(policy->IndexTools());
  HP_RETURN_IF_ERROR(policy->IndexRules());
  policy->HashRules();
  return std::shared_ptr<const Policy>(std::move(policy));
}

absl::Status Policy::IndexTools() {
  for (const ToolModel& tool : tools_) {
    HP_RETURN_IF_ERROR(CheckScript(tool));
    HP_RETURN_IF_ERROR(CheckSources(tool));
    for (const std::string& name : tool.names) {
      if (const auto [it, added] = tools_by_name_.emplace(name, &tool); !added) {
        return absl::FailedPreconditionError(absl::StrCat("tool ", name, ": described by the pack ", it->second->family,
                                                          " and again by the pack ", tool.family, "; want one"));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Policy::CheckRule(const Rule& rule) const {
  std::set<std::string> options, commands;
  for (const std::string& name : rule.tools) {
    const auto it = tools_by_name_.find(name);
    if (it == tools_by_name_.end()) {
      return At(rule, absl::StrCat("wanted a tool that a pack describes, got \"", name, "\""));
    }
    if (rule.request.has_value() && it->second->requests == ToolModel::Requests::kNone) {
      return At(rule, absl::StrCat("has a request, and the tool ", name, " sends none that argv shows"));
    }
    if (rule.program.has_value() && !it->second->program.has_value()) {
      return At(rule, absl::StrCat("has program, and the model of the tool ", name, " does not say where its text stands"));
    }
    if (rule.statement.has_value() && !it->second->sql.has_value()) {
      return At(rule, absl::StrCat("has sql, and the model of the tool ", name, " does not say where its SQL stands"));
    }
    CollectOptions(*it->second, &options);
    CollectCommands(*it->second, "", &commands);
  }
  for (const std::string& name : rule.folder_options) {
    if (options.count(name) == 0) {
      return At(rule, absl::StrCat("folders wants options by the first name that the tool's model has, got \"", name, "\""));
    }
  }
  for (const std::string& id : rule.replaces) {
    if (!rules_by_id_.contains(id)) return At(rule, absl::StrCat("replaces wants ids of rules, got \"", id, "\""));
  }
  return CheckCall(rule, rule.call, options, commands);
}

absl::Status Policy::IndexRules() {
  for (const Rule& rule : rules_) {
    if (const auto [it, added] = rules_by_id_.emplace(rule.id, &rule); !added) {
      return At(rule, absl::StrCat("this id is used already, at ", it->second->file, ":", it->second->line));
    }
  }
  for (const Rule& rule : rules_) {
    HP_RETURN_IF_ERROR(CheckRule(rule));
    if (rule.unlisted.has_value()) {
      unlisted_rules_.push_back(&rule);
      continue;
    }
    if (rule.sigma != nullptr) {
      (rule.sigma->category == SigmaRule::Category::kProcess ? process_rules_ : connection_rules_).push_back(&rule);
      continue;
    }
    if (rule.request.has_value() && rule.tools.empty()) {
      const std::vector<std::string> hosts =
          rule.request->host.has_value() ? rule.request->host->ExactTexts() : std::vector<std::string>();
      for (const std::string& host : hosts) request_rules_by_host_[host].push_back(&rule);
      if (hosts.empty()) request_rules_.push_back(&rule);
      continue;
    }
    for (const std::string& name : rule.tools) {
      ToolRules& index = rules_by_tool_[tools_by_name_.at(name)];
      if (rule.call.commands.empty()) index.any_command.push_back(&rule);
      for (const std::string& command : rule.call.commands) index.by_command[command].push_back(&rule);
    }
  }
  return absl::OkStatus();
}

void Policy::HashRules() {
  for (Rule& rule : rules_) {
    std::string all = absl::StrCat("rule v1;", rule.hash);
    for (const std::string& name : rule.tools) absl::StrAppend(&all, ";", tools_by_name_.at(name)->hash);
    rule.hash = Hex(Sha256(all));
  }
}

const ToolModel* Policy::FindTool(absl::string_view name) const {
  const auto it = tools_by_name_.find(name);
  return it == tools_by_name_.end() ? nullptr : it->second;
}

const Rule* Policy::FindRule(absl::string_view id) const {
  const auto it = rules_by_id_.find(id);
  return it == rules_by_id_.end() ? nullptr : it->second;
}

std::vector<std::string> Policy::ListedNames() const {
  std::vector<std::string> names;
  names.reserve(tools_by_name_.size());
  for (const auto& [name, tool] : tools_by_name_) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> Policy::UnlistedWords() const {
  std::set<std::string> words;
  for (const Rule* rule : unlisted_rules_) words.insert(rule->unlisted->verbs.begin(), rule->unlisted->verbs.end());
  return {words.begin(), words.end()};
}

// By name only where a session does not put programs; a bare name comes from text.
bool Policy::IsPlain(const ExecAct& act) const {
  const absl::string_view path = act.executable.path;
  if (!plain_.contains(BaseName(path)) && !plain_.contains(WithoutTarget(BaseName(path)))) return false;
  if (path.find('/') == path.npos) return true;
  constexpr std::array<absl::string_view, 9> kSystem = {"/usr/bin", "/usr/sbin",    "/usr/lib", "/usr/lib64", "/usr/libexec",
                                                        "/bin",     "/sbin",        "/lib",     "/lib64"};
  return std::any_of(kSystem.begin(), kSystem.end(), [&](absl::string_view folder) { return IsBelow(path, folder); });
}

std::optional<size_t> Policy::UnlistedProgram(const ExecAct& act) const {
  if (unlisted_rules_.empty() || act.argv.empty()) return std::nullopt;
  const std::vector<Candidate> candidates = Candidates(act);
  if (act.script.empty() && candidates.empty()) return IsPlain(act) ? std::nullopt : std::optional<size_t>(0);
  if (act.script.empty()) {
    // What an interpreter is given and nobody describes.
    if (candidates.size() != 1 || candidates[0].skip > 0) return std::nullopt;
    const std::optional<size_t> script = ScriptOperand(*candidates[0].tool, act.argv);
    const bool plain = script.has_value() && plain_.contains(ScriptName(*candidates[0].tool, act.argv[*script]));
    return plain ? std::nullopt : script;
  }
  for (const Candidate& candidate : candidates) {
    if (candidate.skip > 0 || !candidate.tool->wraps.flag_text.empty()) return std::nullopt;
  }
  return ScriptWord(act);
}

bool Policy::DependsOnArguments(const ExecAct& act) const {
  return !process_rules_.empty() || !Candidates(act).empty() || UnlistedProgram(act).has_value();
}

std::vector<const Rule*> Policy::RulesFor(const ToolModel* tool, absl::string_view command) const {
  const auto it = rules_by_tool_.find(tool);
  if (it == rules_by_tool_.end()) return {};
  std::vector<const Rule*> rules = it->second.any_command;
  if (const auto by = it->second.by_command.find(command); by != it->second.by_command.end()) {
    rules.insert(rules.end(), by->second.begin(), by->second.end());
  }
  return rules;
}

std::vector<const Rule*> Policy::RulesForHosts(const std::vector<std::string>& hosts) const {
  std::vector<const Rule*> rules = request_rules_;
  for (const std::string& host : hosts) {
    const auto it = request_rules_by_host_.find(host);
    if (it == request_rules_by_host_.end()) continue;
    for (const Rule* rule : it->second) {
      if (std::find(rules.begin(), rules.end(), rule) == rules.end()) rules.push_back(rule);
    }
  }
  return rules;
}

std::vector<Policy::Candidate> Policy::Candidates(const ExecAct& act) const {
  const std::string argv0(BaseName(act.argv.empty() ? absl::string_view() : absl::string_view(act.argv[0])));
  std::vector<Candidate> candidates;
  const auto add = [&](absl::string_view name, size_t skip) {
    const ToolModel* tool = FindTool(name);
    if (tool == nullptr) return;
    for (const Candidate& have : candidates) {
      if (have.tool == tool && have.skip == skip) return;
    }
    candidates.push_back({tool, skip});
  };
  // What a file is counts before what it is called. Of several names for one file argv[0] says which one is meant,
  // because such a program looks at nothing else itself.
  const std::vector<std::string>& content = act.executable.known_as;
  const auto is_multi_call = [&](const std::string& name) {
    const ToolModel* tool = FindTool(name);
    return tool != nullptr && tool->wraps.applet;
  };
  if (const auto multi = std::find_if(content.begin(), content.end(), is_multi_call); multi != content.end()) {
    add(*multi, 0);
  } else if (std::find(content.begin(), content.end(), argv0) != content.end()) {
    add(argv0, 0);
  } else if (!content.empty()) {
    for (const std::string& name : content) add(name, 0);
  } else {
    add(BaseName(act.executable.path), 0);
  }
  for (size_t i = 0, count = candidates.size(); i < count; ++i) {
    const absl::Span<const std::string> argv = act.argv;
    if (const std::optional<size_t> script = ScriptOperand(*candidates[i].tool, argv)) {
      add(ScriptName(*candidates[i].tool, argv[*script]), *script);
    }
  }
  if (!act.script.empty()) {
    add(BaseName(act.script), ScriptWord(act));
  }
  return candidates;
}

}  // namespace holdpoint
