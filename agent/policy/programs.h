#pragma once

#include <string>
#include <vector>

#include "agent/parse/program_text.h"
#include "agent/policy/act.h"
#include "agent/policy/fact_book.h"
#include "agent/policy/tool.h"

namespace holdpoint {

// The program text that an interpreter runs.
struct ProgramOfAct {
  bool any = false;
  std::string source;  // "command line", "standard input", or the script's name
  std::vector<ProgramCall> calls;
  std::string unseen;  // what could not be read
  bool cut = false;    // the text is longer than what is read
};

// Its option with text, a script of the session's, or its standard input. Scripts below the system's own folders and of
// installed packages are not read. What is read enters the act digest.
ProgramOfAct ReadProgram(const ToolCall& call, const ExecAct& act, FactBook* facts);

// The SQL that a call hands to a database, execute("DROP ..."); null where it hands over none.
const std::string* SqlOf(const ProgramCall& call);

// Whether a call starts a command: os.system, subprocess.run, child_process.execSync.
bool StartsCommand(const ProgramCall& call);

}  // namespace holdpoint
