#include "agent/environment/coding_agents.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/status.h"
#include "agent/environment/embedded.h"
#include "agent/environment/glob.h"
#include "agent/environment/yaml.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kTopKeys[] = {"version", "agents"};
constexpr absl::string_view kAgentKeys[] = {"name", "title", "names", "programs", "markers", "join_keys", "hold_ms"};
constexpr absl::string_view kProgramKeys[] = {"executable",   "interpreter", "script",
                                              "script_holds", "arguments",   "unverified"};
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
  HP_RETURN_IF_ERROR(map.Optional("arguments", &program.arguments));
  HP_RETURN_IF_ERROR(map.Optional("unverified", &program.unverified));
  // A base name alone would make a session of every program that happens to be called so.
  const auto is_path = [](const std::string& glob) { return absl::StrContains(glob, '/'); };
  const bool by_path = std::any_of(program.executable.begin(), program.executable.end(), is_path) ||
                       std::any_of(program.script.begin(), program.script.end(), is_path);
  if (!by_path && program.script_holds.empty()) {
    return map.Error("wanted a path in executable or script, or script_holds: a base name alone proves nothing");
  }
  if (!program.script_holds.empty() && program.interpreter.empty()) {
    return map.Error("wanted interpreter beside script_holds, got none");
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
  HP_RETURN_IF_ERROR(map.Optional("hold_ms", 0, 600'000, &agent.hold_ms));
  return agent;
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

enum class Match { kNo, kYes, kUnread };

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
    if (facts.script.empty() || std::none_of(program.interpreter.begin(), program.interpreter.end(), matches)) {
      return Match::kNo;
    }
  }
  if (!program.arguments.empty()) {
    const auto given = [&](const std::string& word) {
      return std::find(facts.argv.begin(), facts.argv.end(), word) != facts.argv.end();
    };
    if (std::none_of(program.arguments.begin(), program.arguments.end(), given)) return Match::kNo;
  }
  const bool read = facts.script_unread || !facts.script_target.empty() || !facts.script_head.empty();
  if (!program.script.empty()) {
    const absl::string_view glob = FirstMatch(program.script, {facts.script, facts.script_target});
    // A link in some bin folder may lead into the package: only what it leads to can tell.
    if (glob.empty()) return read || facts.script.empty() ? Match::kNo : Match::kUnread;
    parts.push_back(absl::StrCat("script ", glob));
  }
  if (!program.script_holds.empty()) {
    if (!read) return Match::kUnread;
    const auto held = [&](const std::string& text) { return absl::StrContains(facts.script_head, text); };
    if (facts.script_head.empty()) {
      if (!facts.script_unread) return Match::kNo;
      parts.push_back("script unread");
    } else if (std::none_of(program.script_holds.begin(), program.script_holds.end(), held)) {
      return Match::kNo;
    } else {
      parts.push_back("its text");
    }
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
    for (const CodingAgent& other : agents) {
      if (other.name == agent.name) return value.Error(absl::StrCat("wanted a new name, got ", agent.name, " again"));
    }
    agents.push_back(std::move(agent));
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
  for (const CodingAgent& agent : agents) names.insert(agent.names.begin(), agent.names.end());
  return {names.begin(), names.end()};
}

Recognition RecogniseAgent(const CodingAgents& agents, const ProgramFacts& facts) {
  Recognition recognition;
  for (const CodingAgent& agent : agents) {
    for (const ProgramSignal& program : agent.programs) {
      std::string by;
      const Match match = MatchProgram(program, facts, &by);
      if (match == Match::kYes) {
        recognition.agent = &agent;
        recognition.recognised_by = by;
        for (const std::string& marker : agent.markers) {
          if (HasMarker(marker, facts.environment)) absl::StrAppend(&recognition.recognised_by, ", marker ", marker);
        }
        recognition.needs_script = false;
        return recognition;
      }
      // Only a script that the kernel would ask about is worth reading.
      const auto is_name = [&](const std::string& name) { return name == BaseName(facts.script); };
      if (match == Match::kUnread && std::any_of(agent.names.begin(), agent.names.end(), is_name)) {
        recognition.needs_script = true;
      }
    }
  }
  return recognition;
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
