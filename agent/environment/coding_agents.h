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
  uint32_t hold_ms = 0;                 // inside its tools' time limit; 0: the general one
};

using CodingAgents = std::vector<CodingAgent>;

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
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // "NAME=VALUE"
};

struct Recognition {
  const CodingAgent* agent = nullptr;  // null: no coding agent
  std::string recognised_by;           // "executable .../bin/claude.exe; marker CLAUDECODE"
  bool needs_script = false;           // the answer would depend on a script that was not read yet
};

// A base name alone, or a marker alone, is never enough. A script that could not be read counts as a match of
// `script_holds`: whoever hides a script does not leave the session. Pure.
Recognition RecogniseAgent(const CodingAgents& agents, const ProgramFacts& facts);

// The coding agent's own ids in an environment: values of [A-Za-z0-9._:-], at most 128 bytes, others are left out.
std::vector<std::pair<std::string, std::string>> JoinKeys(const CodingAgent& agent,
                                                          absl::Span<const std::string> environment);

}  // namespace holdpoint
