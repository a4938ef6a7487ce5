#include "agent/environment/coding_agents.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/base/status.h"
#include "agent/environment/embedded.h"
#include "agent/environment/glob.h"
#include "agent/environment/yaml.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kTopKeys[] = {"version", "agents", "servers"};
constexpr absl::string_view kAgentKeys[] = {"name",      "title",      "names",  "programs", "markers",
                                            "join_keys", "guards_off", "hold_ms"};
constexpr absl::string_view kProgramKeys[] = {"executable", "executable_holds", "interpreter", "script",    "script_holds",
                                              "package",    "module",           "arguments",   "unverified"};
constexpr absl::string_view kServerKeys[] = {"name", "sockets", "executables", "ports", "commands"};
// They exec what they are given: that is judged when it comes.
constexpr absl::string_view kHandOn[] = {"env", "sh", "dash", "bash"};
constexpr size_t kMaxJoinKey = 128;

absl::string_view BaseName(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

absl::Status ReadGlobs(const YamlMap& map, absl::string_view key, std::vector<std::string>* out) {
  HP_RETURN_IF_ERROR(map.Optional(key, out));
  for (size_t i = 0; i < out->size(); ++i) {
    if (const absl::Status status = CheckGlob((*out)[i]); !status.ok()) {
      return map.Get(key)->Error(absl::StrCat("wanted globs, got ", status.message()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ProgramSignal> ReadProgram(const YamlValue& value) {
  HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map(kProgramKeys));
  ProgramSignal program;
  HP_RETURN_IF_ERROR(ReadGlobs(map, "executable", &program.executable));
  HP_RETURN_IF_ERROR(ReadGlobs(map, "interpreter", &program.interpreter));
  HP_RETURN_IF_ERROR(ReadGlobs(map, "script", &program.script));
  HP_RETURN_IF_ERROR(map.Optional("script_holds", &program.script_holds));
  HP_RETURN_IF_ERROR(map.Optional("executable_holds", &program.executable_holds));
  HP_RETURN_IF_ERROR(map.Optional("package", &program.package));
  HP_RETURN_IF_ERROR(map.Optional("module", &program.module));
  HP_RETURN_IF_ERROR(map.Optional("arguments", &program.arguments));
  HP_RETURN_IF_ERROR(map.Optional("unverified", &program.unverified));
  // A base name alone would make a session of every program that happens to be called so.
  const auto is_path = [](const std::string& glob) { return absl::StrContains(glob, '/'); };
  const bool by_path = std::any_of(program.executable.begin(), program.executable.end(), is_path) ||
                       std::any_of(program.script.begin(), program.script.end(), is_path);
  const bool by_script = !program.script_holds.empty() || !program.package.empty() || !program.module.empty();
  if (!by_path && !by_script && program.executable_holds.empty()) {
    return map.Error(
        "wanted a path in executable or script, or a text that the file, script or package holds: a base name alone "
        "proves nothing");
  }
  if (by_script && program.interpreter.empty()) {
    return map.Error("wanted interpreter beside script_holds, package and module, got none");
  }
  for (const std::string& text : program.executable_holds) {
    if (text.size() < 8) return map.Error("wanted texts of at least 8 bytes in executable_holds");
  }
  return program;
}

absl::StatusOr<CodingAgent> ReadAgent(const YamlValue& value) {
  HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map(kAgentKeys));
  CodingAgent agent;
  HP_ASSIGN_OR_RETURN(const YamlValue name, map.Get("name"));
  HP_ASSIGN_OR_RETURN(agent.name, name.Text());
  agent.title = agent.name;
  HP_RETURN_IF_ERROR(map.Optional("title", &agent.title));
  HP_ASSIGN_OR_RETURN(const YamlValue names, map.Get("names"));
  HP_ASSIGN_OR_RETURN(agent.names, names.Texts());
  for (const std::string& base : agent.names) {
    if (base.size() > 63 || absl::StrContains(base, '/')) return names.Wrong("base names of at most 63 bytes");
  }
  HP_ASSIGN_OR_RETURN(const YamlValue programs, map.Get("programs"));
  HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> values, programs.List());
  if (values.empty()) return programs.Wrong("a list of programs");
  for (const YamlValue& program : values) {
    HP_ASSIGN_OR_RETURN(ProgramSignal signal, ReadProgram(program));
    agent.programs.push_back(std::move(signal));
  }
  HP_RETURN_IF_ERROR(map.Optional("markers", &agent.markers));
  HP_RETURN_IF_ERROR(map.Optional("join_keys", &agent.join_keys));
  HP_RETURN_IF_ERROR(map.Optional("guards_off", &agent.guards_off));
  HP_RETURN_IF_ERROR(map.Optional("hold_ms", 0, 600'000, &agent.hold_ms));
  return agent;
}

absl::StatusOr<ServerKind> ReadServer(const YamlValue& value) {
  HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map(kServerKeys));
  ServerKind server;
  HP_ASSIGN_OR_RETURN(const YamlValue name, map.Get("name"));
  HP_ASSIGN_OR_RETURN(server.name, name.Text());
  HP_RETURN_IF_ERROR(ReadGlobs(map, "sockets", &server.sockets));
  HP_RETURN_IF_ERROR(ReadGlobs(map, "executables", &server.executables));
  HP_RETURN_IF_ERROR(map.Optional("commands", &server.commands));
  if (map.Has("ports")) {
    HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> ports, map.Get("ports")->List());
    for (const YamlValue& port : ports) {
      HP_ASSIGN_OR_RETURN(const uint32_t number, port.Integer(1, 65535));
      server.ports.push_back(number);
    }
  }
  return server;
}

// The first glob that one of the paths matches, empty where none does.
absl::string_view FirstMatch(const std::vector<std::string>& globs, std::initializer_list<absl::string_view> paths) {
  for (const std::string& glob : globs) {
    for (const absl::string_view path : paths) {
      if (PathGlobMatches(glob, path, "")) return glob;
    }
  }
  return "";
}

// kArguments: only its arguments are those of another program.
enum class Match { kNo, kYes, kNeedsScript, kNeedsPackage, kNeedsExecutable, kArguments };

bool IsIn(const std::vector<std::string>& words, absl::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The word behind -m.
absl::string_view ModuleOf(const std::vector<std::string>& argv) {
  for (size_t i = 1; i + 1 < argv.size() && i < 16; ++i) {
    if (argv[i] == "-m") return argv[i + 1];
    if (argv[i].empty() || argv[i][0] != '-') return "";
  }
  return "";
}

// Says a package.json that it is of this package? Blanks aside, so that no parser meets what a session may have written.
bool IsPackage(const std::string& json, const std::string& name) {
  std::string dense;
  for (const char c : json) {
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') dense += c;
  }
  return absl::StrContains(dense, absl::StrCat("\"name\":\"", name, "\""));
}

// What matched, for people, in `by`.
Match MatchProgram(const ProgramSignal& program, const ProgramFacts& facts, std::string* by) {
  std::vector<std::string> parts;
  if (!program.executable.empty()) {
    const absl::string_view glob = FirstMatch(program.executable, {facts.executable});
    if (glob.empty()) return Match::kNo;
    parts.push_back(absl::StrCat("executable ", glob));
  }
  if (!program.interpreter.empty()) {
    const auto matches = [&](const std::string& glob) { return GlobMatches(glob, BaseName(facts.executable)); };
    if (std::none_of(program.interpreter.begin(), program.interpreter.end(), matches)) return Match::kNo;
    if (facts.script.empty() && program.module.empty()) return Match::kNo;
  }
  if (!program.module.empty()) {
    if (!IsIn(program.module, ModuleOf(facts.argv))) return Match::kNo;
    parts.push_back("module");
  }
  if (!program.arguments.empty()) {
    const auto given = [&](const std::string& word) { return IsIn(facts.argv, word); };
    if (std::none_of(program.arguments.begin(), program.arguments.end(), given)) return Match::kArguments;
  }
  if (!program.executable_holds.empty()) {
    if (facts.executable_size != 0 && facts.executable_size < kLargeExecutable) return Match::kNo;
    if (!facts.executable_searched) return Match::kNeedsExecutable;
    for (const std::string& text : program.executable_holds) {
      if (!IsIn(facts.executable_texts, text)) return Match::kNo;
    }
    parts.push_back("texts in its executable");
  }
  const bool read = facts.script_unread || !facts.script_target.empty() || !facts.script_head.empty();
  if (!program.script.empty()) {
    const absl::string_view glob = FirstMatch(program.script, {facts.script, facts.script_target});
    // A link in some bin folder may lead into the package: only what it leads to can tell.
    if (glob.empty()) return read || facts.script.empty() ? Match::kNo : Match::kNeedsScript;
    parts.push_back(absl::StrCat("script ", glob));
  }
  if (!program.script_holds.empty()) {
    if (!read) return Match::kNeedsScript;
    const auto held = [&](const std::string& text) { return absl::StrContains(facts.script_head, text); };
    if (facts.script_head.empty()) {
      // Of a script that goes by the coding agent's name, not to be read is enough; of any other it says nothing.
      if (!facts.script_unread || program.script.empty()) return Match::kNo;
      parts.push_back("script unread");
    } else if (std::none_of(program.script_holds.begin(), program.script_holds.end(), held)) {
      return Match::kNo;
    } else {
      parts.push_back("its text");
    }
  }
  if (!program.package.empty()) {
    if (!read) return Match::kNeedsScript;
    if (!facts.packages_read) return facts.script_target.empty() ? Match::kNo : Match::kNeedsPackage;
    const auto is_one = [&](const std::string& name) {
      // The nearest one that has a name decides.
      for (const std::string& json : facts.packages) {
        if (absl::StrContains(json, "\"name\"")) return IsPackage(json, name);
      }
      return false;
    };
    if (std::none_of(program.package.begin(), program.package.end(), is_one)) return Match::kNo;
    parts.push_back("package.json");
  }
  if (program.unverified) parts.push_back("unverified");
  *by = absl::StrJoin(parts, ", ");
  return Match::kYes;
}

bool HasMarker(const std::string& marker, absl::Span<const std::string> environment) {
  const bool with_value = absl::StrContains(marker, '=');
  return std::any_of(environment.begin(), environment.end(), [&](const std::string& word) {
    return with_value ? word == marker : absl::StartsWith(word, absl::StrCat(marker, "="));
  });
}

// Whether a file has the texts of several coding agents: such a program speaks of them, as Holdpoint's own does.
bool HoldsTextsOfSeveral(const CodingAgents& agents, const ProgramFacts& facts) {
  const auto held = [&facts](const ProgramSignal& program) {
    return !program.executable_holds.empty() &&
           std::all_of(program.executable_holds.begin(), program.executable_holds.end(),
                       [&facts](const std::string& text) { return IsIn(facts.executable_texts, text); });
  };
  return std::count_if(agents.agents.begin(), agents.agents.end(), [&held](const CodingAgent& agent) {
           return std::any_of(agent.programs.begin(), agent.programs.end(), held);
         }) > 1;
}

}  // namespace

absl::StatusOr<CodingAgents> LoadCodingAgents(absl::string_view name, absl::string_view bytes) {
  HP_ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(name, bytes));
  if (root.kind == YamlNode::Kind::kNull) return BuiltInCodingAgents();
  HP_ASSIGN_OR_RETURN(const YamlMap map, YamlValue(name, "", root).Map(kTopKeys));
  if (map.Has("version")) HP_RETURN_IF_ERROR(map.Get("version")->Integer(1, 1).status());
  HP_ASSIGN_OR_RETURN(const YamlValue list, map.Get("agents"));
  HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> values, list.List());
  CodingAgents agents;
  for (const YamlValue& value : values) {
    HP_ASSIGN_OR_RETURN(CodingAgent agent, ReadAgent(value));
    for (const CodingAgent& other : agents.agents) {
      if (other.name == agent.name) return value.Error(absl::StrCat("wanted a new name, got ", agent.name, " again"));
    }
    agents.agents.push_back(std::move(agent));
  }
  if (map.Has("servers")) {
    HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> servers, map.Get("servers")->List());
    for (const YamlValue& value : servers) {
      HP_ASSIGN_OR_RETURN(ServerKind server, ReadServer(value));
      agents.servers.push_back(std::move(server));
    }
  }
  return agents;
}

const CodingAgents& BuiltInCodingAgents() {
  // A test keeps the embedded file well formed.
  static const auto* const agents = new CodingAgents(*LoadCodingAgents("agents.yaml", embedded::AgentsYaml()));
  return *agents;
}

std::vector<std::string> CandidateNames(const CodingAgents& agents) {
  std::set<std::string> names;
  for (const CodingAgent& agent : agents.agents) names.insert(agent.names.begin(), agent.names.end());
  return {names.begin(), names.end()};
}

Recognition RecogniseAgent(const CodingAgents& agents, const ProgramFacts& facts) {
  if (HoldsTextsOfSeveral(agents, facts)) {
    ProgramFacts without = facts;
    without.executable_texts.clear();
    return RecogniseAgent(agents, without);
  }
  Recognition recognition;
  for (const CodingAgent& agent : agents.agents) {
    for (const ProgramSignal& program : agent.programs) {
      std::string by;
      const Match match = MatchProgram(program, facts, &by);
      if (match == Match::kYes) {
        recognition = Recognition();
        recognition.agent = &agent;
        recognition.recognised_by = by;
        recognition.by_file = program.interpreter.empty() && program.arguments.empty();
        recognition.by_arguments = !program.arguments.empty();
        for (const std::string& marker : agent.markers) {
          if (HasMarker(marker, facts.environment)) absl::StrAppend(&recognition.recognised_by, ", marker ", marker);
        }
        return recognition;
      }
      // Of a candidate by name, only a script that the kernel would ask about is worth reading.
      const bool worth = facts.any_script || IsIn(agent.names, BaseName(facts.script));
      recognition.needs_script |= match == Match::kNeedsScript && worth;
      recognition.needs_package |= match == Match::kNeedsPackage && worth;
      recognition.needs_executable |= match == Match::kNeedsExecutable;
      recognition.by_arguments |= match == Match::kArguments;
    }
  }
  return recognition;
}

std::vector<std::string> ExecutableTexts(const CodingAgents& agents) {
  std::set<std::string> texts;
  for (const CodingAgent& agent : agents.agents) {
    for (const ProgramSignal& program : agent.programs) {
      texts.insert(program.executable_holds.begin(), program.executable_holds.end());
    }
  }
  return {texts.begin(), texts.end()};
}

bool IsRuntime(const CodingAgents& agents, absl::string_view base_name) {
  if (std::find(std::begin(kHandOn), std::end(kHandOn), base_name) != std::end(kHandOn)) return false;
  for (const CodingAgent& agent : agents.agents) {
    for (const ProgramSignal& program : agent.programs) {
      for (const std::string& glob : program.interpreter) {
        if (GlobMatches(glob, base_name)) return true;
      }
    }
  }
  return false;
}

std::vector<std::string> GuardsOff(const CodingAgent& agent, absl::Span<const std::string> argv) {
  std::vector<std::string> off;
  for (const std::string& flag : agent.guards_off) {
    const std::pair<absl::string_view, absl::string_view> words = absl::StrSplit(flag, absl::MaxSplits(' ', 1));
    for (size_t i = 1; i < argv.size(); ++i) {
      if (argv[i] == "--") break;
      if (argv[i] != words.first) continue;
      if (!words.second.empty() && (i + 1 >= argv.size() || argv[i + 1] != words.second)) continue;
      off.push_back(flag);
      break;
    }
  }
  return off;
}

const CodingAgent* FindAgent(const CodingAgents& agents, absl::string_view name) {
  for (const CodingAgent& agent : agents.agents) {
    if (agent.name == name) return &agent;
  }
  return nullptr;
}

const ServerKind* ServerOfSocket(const CodingAgents& agents, absl::string_view socket, absl::string_view executable) {
  std::string name(socket);
  if (!name.empty() && name[0] == '\0') name[0] = '@';
  for (const ServerKind& server : agents.servers) {
    for (const std::string& glob : server.sockets) {
      const bool abstract = glob[0] == '@';
      // An abstract name's glob is one over plain text, for it is no path.
      if (!name.empty() && (abstract ? GlobMatches(glob, name) : PathGlobMatches(glob, name, ""))) return &server;
    }
    if (!executable.empty() && !FirstMatch(server.executables, {executable}).empty()) return &server;
  }
  return nullptr;
}

const ServerKind* ServerOfPort(const CodingAgents& agents, uint32_t port) {
  for (const ServerKind& server : agents.servers) {
    if (std::find(server.ports.begin(), server.ports.end(), port) != server.ports.end()) return &server;
  }
  return nullptr;
}

const ServerKind* ServerOfCommand(const CodingAgents& agents, absl::string_view base_name) {
  for (const ServerKind& server : agents.servers) {
    if (IsIn(server.commands, base_name)) return &server;
  }
  return nullptr;
}

std::vector<std::pair<std::string, std::string>> JoinKeys(const CodingAgent& agent,
                                                          absl::Span<const std::string> environment) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == ':' || c == '-';
  };
  std::vector<std::pair<std::string, std::string>> keys;
  for (const std::string& name : agent.join_keys) {
    for (const std::string& word : environment) {
      if (!absl::StartsWith(word, absl::StrCat(name, "="))) continue;
      const std::string value = word.substr(name.size() + 1);
      if (value.empty() || value.size() > kMaxJoinKey || !std::all_of(value.begin(), value.end(), plain)) continue;
      keys.emplace_back(name, value);
      break;
    }
  }
  return keys;
}

}  // namespace holdpoint
