#include "agent/policy/tool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr int kMaxCommandDepth = 4;

// One text with the specs divided by white space.
absl::StatusOr<std::vector<OptionSpec>> ReadOptions(const YamlMap& map) {
  std::vector<OptionSpec> options;
  if (!map.Has("options")) return options;
  HP_ASSIGN_OR_RETURN(const YamlValue value, map.Get("options"));
  HP_ASSIGN_OR_RETURN(const std::string text, value.Text());
  for (const absl::string_view word : absl::StrSplit(text, absl::ByAnyChar(" \t\n"), absl::SkipEmpty())) {
    absl::StatusOr<OptionSpec> spec = ParseOptionSpec(word);
    if (!spec.ok()) return value.Error(spec.status().message());
    options.push_back(*std::move(spec));
  }
  return options;
}

// A sub-command's own meaning of a name comes before the tool's.
void AddInherited(const std::vector<OptionSpec>& inherited, std::vector<OptionSpec>* options) {
  std::set<std::string> taken;
  for (const OptionSpec& spec : *options) taken.insert(spec.names.begin(), spec.names.end());
  for (OptionSpec spec : inherited) {
    const std::string reported = spec.names[0];
    spec.names.erase(std::remove_if(spec.names.begin(), spec.names.end(),
                                    [&](const std::string& name) { return taken.count(name) != 0; }),
                     spec.names.end());
    if (!spec.names.empty() && spec.names[0] == reported) options->push_back(std::move(spec));
  }
}

absl::StatusOr<CommandModel> ReadCommand(const YamlValue& value, const std::vector<OptionSpec>& inherited,
                                         const ArgvStyle& style, int depth);
absl::StatusOr<Wraps> ReadWraps(const YamlValue& value);

absl::Status ReadCommands(const YamlMap& map, const std::vector<OptionSpec>& inherited, const ArgvStyle& style,
                          int depth, CommandModel* model) {
  if (map.Has("known")) {
    HP_ASSIGN_OR_RETURN(const YamlValue known, map.Get("known"));
    HP_ASSIGN_OR_RETURN(const std::string text, known.Text());
    for (const absl::string_view word : absl::StrSplit(text, absl::ByAnyChar(" \t\n"), absl::SkipEmpty())) {
      model->known.emplace(word);
    }
  }
  if (!map.Has("commands")) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const YamlValue list, map.Get("commands"));
  if (depth >= kMaxCommandDepth) return list.Error("wanted at most four levels of sub-commands");
  HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> items, list.List());
  for (const YamlValue& item : items) {
    HP_ASSIGN_OR_RETURN(CommandModel command, ReadCommand(item, inherited, style, depth + 1));
    model->commands.push_back(std::move(command));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ReadNames(const YamlMap& map) {
  HP_ASSIGN_OR_RETURN(const YamlValue names, map.Get("names"));
  return names.Texts();
}

absl::StatusOr<CommandModel> ReadCommand(const YamlValue& value, const std::vector<OptionSpec>& inherited,
                                         const ArgvStyle& style, int depth) {
  HP_ASSIGN_OR_RETURN(const YamlMap map,
                      value.Map({"names", "options", "commands", "known", "wraps", "stop_at_first_operand"}));
  CommandModel model;
  ArgvStyle own = style;
  HP_RETURN_IF_ERROR(map.Optional("stop_at_first_operand", &own.stop_at_first_operand));
  if (map.Has("wraps")) {
    HP_ASSIGN_OR_RETURN(const YamlValue wraps, map.Get("wraps"));
    HP_ASSIGN_OR_RETURN(model.wraps, ReadWraps(wraps));
  }
  HP_ASSIGN_OR_RETURN(model.names, ReadNames(map));
  HP_ASSIGN_OR_RETURN(model.options, ReadOptions(map));
  AddInherited(inherited, &model.options);
  model.table = std::make_shared<const OptionTable>(model.options, own);
  HP_RETURN_IF_ERROR(ReadCommands(map, model.options, style, depth, &model));
  return model;
}

absl::StatusOr<Wraps> ReadWraps(const YamlValue& value) {
  HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map({"operand", "assignments", "unseen_operands", "flag_text",
                                                    "option_text", "option_words", "exec_options", "applet",
                                                    "shell_words", "dashdash", "input_text", "input_option", "host",
                                                    "place", "replace_options", "given_otherwise", "given_behind"}));
  Wraps wraps;
  if (map.Has("operand")) {
    uint32_t operand = 0;
    HP_RETURN_IF_ERROR(map.Optional("operand", 0, 99, &operand));
    wraps.operand = static_cast<int>(operand);
  }
  HP_RETURN_IF_ERROR(map.Optional("assignments", &wraps.assignments));
  HP_RETURN_IF_ERROR(map.Optional("unseen_operands", &wraps.unseen_operands));
  HP_RETURN_IF_ERROR(map.Optional("replace_options", &wraps.replace_options));
  HP_RETURN_IF_ERROR(map.Optional("given_otherwise", &wraps.given_otherwise));
  HP_RETURN_IF_ERROR(map.Optional("given_behind", &wraps.given_behind));
  HP_RETURN_IF_ERROR(map.Optional("flag_text", &wraps.flag_text));
  HP_RETURN_IF_ERROR(map.Optional("option_text", &wraps.option_text));
  HP_RETURN_IF_ERROR(map.Optional("option_words", &wraps.option_words));
  HP_RETURN_IF_ERROR(map.Optional("exec_options", &wraps.exec_options));
  HP_RETURN_IF_ERROR(map.Optional("applet", &wraps.applet));
  HP_RETURN_IF_ERROR(map.Optional("shell_words", &wraps.shell_words));
  HP_RETURN_IF_ERROR(map.Optional("dashdash", &wraps.dashdash));
  HP_RETURN_IF_ERROR(map.Optional("input_text", &wraps.input_text));
  HP_RETURN_IF_ERROR(map.Optional("input_option", &wraps.input_option));
  if (map.Has("host")) {
    uint32_t host = 0;
    HP_RETURN_IF_ERROR(map.Optional("host", 0, 16, &host));
    wraps.host = static_cast<int>(host);
  }
  if (map.Has("place")) {
    HP_ASSIGN_OR_RETURN(const YamlValue place, map.Get("place"));
    HP_ASSIGN_OR_RETURN(const size_t index, place.OneOf({"session", "outside", "host", "container"}));
    wraps.place = static_cast<Wraps::Place>(index);
  }
  if (!wraps.any()) return value.Error("wanted to know where the started command stands: operand, flag_text, ...");
  return wraps;
}

absl::Status ReadPlace(const YamlMap& map, absl::string_view key, int* out) {
  uint32_t place = 0;
  HP_RETURN_IF_ERROR(map.Optional(key, 1, 16, &place));
  *out = static_cast<int>(place) - 1;
  return absl::OkStatus();
}

absl::StatusOr<SqlSource> ReadSqlSource(const YamlValue& value) {
  HP_ASSIGN_OR_RETURN(const YamlMap map,
                      value.Map({"dialect", "options", "files", "operands", "input", "input_always", "idle", "database",
                                 "database_operand", "database_variable", "program"}));
  SqlSource source;
  HP_ASSIGN_OR_RETURN(const YamlValue dialect, map.Get("dialect"));
  HP_ASSIGN_OR_RETURN(const size_t index, dialect.OneOf({"generic", "postgres", "mysql", "sqlite", "tsql", "clickhouse", "cassandra"}));
  source.dialect = static_cast<SqlDialect>(index);
  HP_RETURN_IF_ERROR(map.Optional("options", &source.options));
  HP_RETURN_IF_ERROR(map.Optional("files", &source.files));
  HP_RETURN_IF_ERROR(ReadPlace(map, "operands", &source.operands));
  HP_RETURN_IF_ERROR(map.Optional("program", &source.program));
  HP_RETURN_IF_ERROR(map.Optional("input", &source.input));
  HP_RETURN_IF_ERROR(map.Optional("input_always", &source.input_always));
  source.input |= source.input_always;
  HP_RETURN_IF_ERROR(map.Optional("idle", &source.idle));
  HP_RETURN_IF_ERROR(map.Optional("database", &source.database));
  HP_RETURN_IF_ERROR(ReadPlace(map, "database_operand", &source.database_operand));
  HP_RETURN_IF_ERROR(map.Optional("database_variable", &source.database_variable));
  return source;
}

absl::StatusOr<ServerSource> ReadServerSource(const YamlValue& value) {
  HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map({"options", "ports", "environment", "operand"}));
  ServerSource source;
  HP_RETURN_IF_ERROR(map.Optional("options", &source.options));
  HP_RETURN_IF_ERROR(map.Optional("ports", &source.ports));
  HP_RETURN_IF_ERROR(map.Optional("environment", &source.environment));
  HP_RETURN_IF_ERROR(ReadPlace(map, "operand", &source.operand));
  return source;
}

absl::StatusOr<ProgramSource> ReadProgramSource(const YamlValue& value) {
  HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map({"language", "options", "idle"}));
  ProgramSource source;
  HP_ASSIGN_OR_RETURN(const YamlValue language, map.Get("language"));
  HP_ASSIGN_OR_RETURN(const size_t index, language.OneOf({"python", "javascript", "ruby", "perl", "php", "lua"}));
  source.language = static_cast<ProgramLanguage>(index);
  HP_RETURN_IF_ERROR(map.Optional("options", &source.options));
  HP_RETURN_IF_ERROR(map.Optional("idle", &source.idle));
  return source;
}

// find: options before the paths, then the paths, then an expression whose primaries are reported as options.
void ParseFind(const ToolModel& tool, absl::Span<const std::string> argv, ToolCall* call) {
  size_t i = 1;
  for (; i < argv.size(); ++i) {  // -H -L -P -Olevel -D debugopts
    const std::string& word = argv[i];
    if (word == "-D") {
      ++i;
    } else if (word != "-H" && word != "-L" && word != "-P" && !absl::StartsWith(word, "-O")) {
      break;
    }
  }
  for (; i < argv.size(); ++i) {
    const std::string& word = argv[i];
    if (absl::StartsWith(word, "-") || word == "(" || word == "!" || word == ")" || word == ",") break;
    call->operands.push_back({word, i});
  }
  for (; i < argv.size(); ++i) {
    const std::string& word = argv[i];
    if (!absl::StartsWith(word, "-") || word.size() < 2) continue;
    ParsedOption option{.name = word.substr(1), .value = std::nullopt, .index = i};
    const bool starts_command = std::find(tool.wraps.exec_options.begin(), tool.wraps.exec_options.end(),
                                          option.name) != tool.wraps.exec_options.end();
    if (starts_command) {
      while (i + 1 < argv.size() && argv[i + 1] != ";" && argv[i + 1] != "+") ++i;
      ++i;
    } else if (const OptionSpec* spec = tool.table->FindLong(option.name);
               spec != nullptr && spec->value == OptionValue::kRequired && i + 1 < argv.size()) {
      option.value = argv[++i];
    }
    call->options.push_back(std::move(option));
  }
}

}  // namespace

bool CommandModel::StartsElsewhere() const {
  return wraps.place != Wraps::Place::kSession ||
         std::any_of(commands.begin(), commands.end(), [](const CommandModel& command) { return command.StartsElsewhere(); });
}

const CommandModel* CommandModel::FindCommand(absl::string_view name) const {
  for (const CommandModel& command : commands) {
    for (const std::string& candidate : command.names) {
      if (candidate == name) return &command;
    }
  }
  return nullptr;
}

bool ToolCall::Has(absl::string_view option) const {
  for (const ParsedOption& candidate : options) {
    if (candidate.name == option) return true;
  }
  return false;
}

const std::string* ToolCall::Value(absl::string_view option) const {
  for (auto it = options.rbegin(); it != options.rend(); ++it) {
    if (it->name == option) return it->value.has_value() ? &*it->value : nullptr;
  }
  return nullptr;
}

absl::StatusOr<ToolModel> ReadToolModel(const YamlValue& value, absl::string_view family) {
  HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map({"names", "options", "commands", "known", "syntax",
                                                    "stop_at_first_operand", "single_dash_long", "abbreviations",
                                                    "unknown_options", "globals_first", "git_aliases", "requests", "wraps",
                                                    "script", "sql", "server", "program"}));
  ToolModel tool;
  tool.family = std::string(family);
  HP_ASSIGN_OR_RETURN(tool.names, ReadNames(map));
  HP_ASSIGN_OR_RETURN(tool.options, ReadOptions(map));
  HP_RETURN_IF_ERROR(map.Optional("stop_at_first_operand", &tool.style.stop_at_first_operand));
  HP_RETURN_IF_ERROR(map.Optional("single_dash_long", &tool.style.single_dash_long));
  HP_RETURN_IF_ERROR(map.Optional("abbreviations", &tool.style.abbreviations));
  if (map.Has("unknown_options")) {
    HP_ASSIGN_OR_RETURN(const YamlValue unknown, map.Get("unknown_options"));
    HP_ASSIGN_OR_RETURN(const size_t index, unknown.OneOf({"flags", "with_value"}));
    tool.style.unknown_take_value = index == 1;
  }
  HP_RETURN_IF_ERROR(map.Optional("globals_first", &tool.globals_first));
  HP_RETURN_IF_ERROR(map.Optional("git_aliases", &tool.git_aliases));
  if (map.Has("syntax")) {
    HP_ASSIGN_OR_RETURN(const YamlValue syntax, map.Get("syntax"));
    HP_ASSIGN_OR_RETURN(const size_t index, syntax.OneOf({"getopt", "find"}));
    tool.syntax = index == 0 ? ToolModel::Syntax::kGetopt : ToolModel::Syntax::kFind;
  }
  if (map.Has("requests")) {
    HP_ASSIGN_OR_RETURN(const YamlValue requests, map.Get("requests"));
    HP_ASSIGN_OR_RETURN(const size_t index, requests.OneOf({"curl", "wget"}));
    tool.requests = index == 0 ? ToolModel::Requests::kCurl : ToolModel::Requests::kWget;
  }
  if (map.Has("wraps")) {
    HP_ASSIGN_OR_RETURN(const YamlValue wraps, map.Get("wraps"));
    HP_ASSIGN_OR_RETURN(tool.wraps, ReadWraps(wraps));
  }
  if (map.Has("script")) {
    HP_ASSIGN_OR_RETURN(const YamlValue script, map.Get("script"));
    HP_ASSIGN_OR_RETURN(const YamlMap source, script.Map({"unless", "module"}));
    tool.script.emplace();
    HP_RETURN_IF_ERROR(source.Optional("unless", &tool.script->unless));
    HP_RETURN_IF_ERROR(source.Optional("module", &tool.script->module));
  }
  if (map.Has("sql")) {
    HP_ASSIGN_OR_RETURN(const YamlValue sql, map.Get("sql"));
    HP_ASSIGN_OR_RETURN(tool.sql, ReadSqlSource(sql));
  }
  if (map.Has("server")) {
    HP_ASSIGN_OR_RETURN(const YamlValue server, map.Get("server"));
    HP_ASSIGN_OR_RETURN(tool.server, ReadServerSource(server));
  }
  if (map.Has("program")) {
    HP_ASSIGN_OR_RETURN(const YamlValue program, map.Get("program"));
    HP_ASSIGN_OR_RETURN(tool.program, ReadProgramSource(program));
  }
  const ArgvStyle command_style = tool.style;
  const std::vector<OptionSpec> none;
  HP_RETURN_IF_ERROR(ReadCommands(map, tool.globals_first ? none : tool.options, command_style, 0, &tool));
  ArgvStyle own = tool.style;
  if (!tool.commands.empty() || !tool.known.empty()) own.stop_at_first_operand = true;
  tool.table = std::make_shared<const OptionTable>(tool.options, own);
  return tool;
}

std::optional<size_t> ScriptOperand(const ToolModel& tool, absl::Span<const std::string> argv) {
  if (!tool.script.has_value()) return std::nullopt;
  const ToolCall call = ParseToolCall(tool, argv);
  const std::vector<std::string>& unless = tool.script->unless;
  for (const ParsedOption& option : call.options) {  // What stands behind a module's name is the module's.
    if (std::find(unless.begin(), unless.end(), option.name) != unless.end()) return std::nullopt;
    if (tool.script->module.empty() || option.name != tool.script->module || !option.value.has_value()) continue;
    const bool behind = option.index + 1 < argv.size() && argv[option.index + 1] == *option.value;
    return option.index + (behind ? 1 : 0);
  }
  if (call.operands.empty() || call.operands[0].value == "-") return std::nullopt;
  return call.operands[0].index;
}

ToolCall ParseToolCall(const ToolModel& tool, absl::Span<const std::string> argv) {
  ToolCall call;
  call.tool = &tool;
  call.level = &tool;
  if (tool.syntax == ToolModel::Syntax::kFind) {
    ParseFind(tool, argv, &call);
    return call;
  }
  const CommandModel* level = &tool;
  size_t base = 0;  // index in argv of the word that stands for argv[0] at this level
  while (true) {
    const ParsedArgv parsed = ParseArgv(*level->table, argv.subspan(base));
    for (const ParsedOption& option : parsed.options) {
      call.options.push_back({option.name, option.value, option.index + base});
    }
    const CommandModel* next = nullptr;
    if (!level->commands.empty() && !parsed.operands.empty()) {
      const ParsedOperand& name = parsed.operands[0];
      next = level->FindCommand(name.value);
      if (next != nullptr) {
        absl::StrAppend(&call.command, call.command.empty() ? "" : " ", next->names[0]);
        // Options behind a nested name were read with this level's table as well: read them once, below.
        while (!call.options.empty() && call.options.back().index > name.index + base) call.options.pop_back();
        base += name.index;
        level = next;
        call.level = next;
        continue;
      }
      if (level == &tool && tool.known.find(name.value) == tool.known.end()) call.unknown_command = name.value;
    }
    for (const ParsedOperand& operand : parsed.operands) {
      call.operands.push_back({operand.value, operand.index + base});
    }
    if (parsed.dashdash.has_value()) call.dashdash = *parsed.dashdash + base;
    return call;
  }
}

}  // namespace holdpoint
