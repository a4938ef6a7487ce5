#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// How coding agents are recognised. The knowledge is data (config/agents.yaml); here is what it may say.
namespace holdpoint {

// One way in which a program can be this coding agent; every list that is not empty has to match, by one of its items.
struct ProgramSignal {
  std::vector<std::string> executable;    // path globs of the running file
  std::vector<std::string> interpreter;   // globs of the running file's base name: it runs a script
  std::vector<std::string> script;        // path globs of the script as given or with every link resolved
  std::vector<std::string> script_holds;  // texts; one of them within the first 16 KiB of the script
  std::vector<std::string> executable_holds;  // texts; here all of them have to be in the running file
  std::vector<std::string> package;           // "name" of the package.json around the script
  std::vector<std::string> module;            // what follows -m
  std::vector<std::string> arguments;     // words of argv; one of them is there
  bool unverified = false;                // from public documents, not seen running
};

struct CodingAgent {
  std::string name;                     // "claude-code"
  std::string title;                    // "Claude Code"
  std::vector<std::string> names;       // base names at which the kernel asks
  std::vector<ProgramSignal> programs;  // one is enough
  std::vector<std::string> markers;     // environment variables, "NAME" or "NAME=VALUE": hints, never enough
  std::vector<std::string> join_keys;   // environment variables with the coding agent's own ids
  std::vector<std::string> guards_off;  // words of its command line that switch its own guards off
  uint32_t hold_ms = 0;                 // inside its tools' time limit; 0: the general one
};

// A server that starts programs which carry no label: what a session says to it gets out of sight.
struct ServerKind {
  std::string name;                      // "tmux"
  std::vector<std::string> sockets;      // path globs of what it bound, "@..." for abstract names
  std::vector<std::string> executables;  // path globs of the server
  std::vector<uint32_t> ports;           // TCP, on this host
  std::vector<std::string> commands;     // base names of programs that hand work on
};

struct CodingAgents {
  std::vector<CodingAgent> agents;
  std::vector<ServerKind> servers;
};

// Files below this size are no coding agent by their content: nothing of them is searched.
inline constexpr uint64_t kLargeExecutable = uint64_t{20} << 20;

// Reads config/agents.yaml, as strict as LoadConfiguration. Empty bytes give BuiltInCodingAgents().
absl::StatusOr<CodingAgents> LoadCodingAgents(absl::string_view name, absl::string_view bytes);

// From the config/agents.yaml that the build embeds.
const CodingAgents& BuiltInCodingAgents();

// All `names`, sorted, each once: Configured.agent_names.
std::vector<std::string> CandidateNames(const CodingAgents& agents);

// What is known of a program at its exec.
struct ProgramFacts {
  std::string executable;      // resolved path of the running file
  std::string script;          // absolute path as given, empty where it is no interpreter
  std::string script_target;   // with every link resolved, empty where unknown
  std::string script_head;     // first bytes of the script
  bool script_unread = false;  // it was asked for and could not be read
  bool any_script = false;     // a script of any name is worth reading
  uint64_t executable_size = 0;               // 0: not known
  bool executable_searched = false;
  std::vector<std::string> executable_texts;  // of those searched for, the ones that are there
  bool packages_read = false;
  std::vector<std::string> packages;          // bytes of the package.json files around the script, nearest first
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // "NAME=VALUE"
};

struct Recognition {
  const CodingAgent* agent = nullptr;  // null: no coding agent
  std::string recognised_by;           // "executable .../bin/claude.exe; marker CLAUDECODE"
  bool needs_script = false;           // the answer would depend on a script that was not read yet
  bool needs_package = false;          // on a package.json around it
  bool needs_executable = false;       // on texts in the running file
  bool by_file = false;                // it is one by its file alone, whatever its arguments
  bool by_arguments = false;           // with other arguments it might be another
};

// A base name alone, or a marker alone, is never enough. A script that could not be read counts as a match of
// `script_holds`: whoever hides a script does not leave the session. Pure.
Recognition RecogniseAgent(const CodingAgents& agents, const ProgramFacts& facts);

// Every text of `executable_holds`, each once.
std::vector<std::string> ExecutableTexts(const CodingAgents& agents);

// Is this the base name of an interpreter that runs coding agents itself? Those that only start another program in
// their place (env, sh) are none.
bool IsRuntime(const CodingAgents& agents, absl::string_view base_name);

// The words of argv that switch the coding agent's own guards off, as in the data.
std::vector<std::string> GuardsOff(const CodingAgent& agent, absl::Span<const std::string> argv);

// Null where none is of that name.
const CodingAgent* FindAgent(const CodingAgents& agents, absl::string_view name);

// What kind of server that is, null where it is none that gets a session out of sight. `socket` may be empty, or begin
// with a NUL for an abstract name.
const ServerKind* ServerOfSocket(const CodingAgents& agents, absl::string_view socket, absl::string_view executable);
const ServerKind* ServerOfPort(const CodingAgents& agents, uint32_t port);
const ServerKind* ServerOfCommand(const CodingAgents& agents, absl::string_view base_name);

// The coding agent's own ids in an environment: values of [A-Za-z0-9._:-], at most 128 bytes, others are left out.
std::vector<std::pair<std::string, std::string>> JoinKeys(const CodingAgent& agent,
                                                          absl::Span<const std::string> environment);

}  // namespace holdpoint
