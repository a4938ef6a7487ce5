#pragma once

#include <string>
#include <vector>

#include "agent/environment/tags.h"
#include "agent/parse/sql.h"
#include "agent/policy/act.h"
#include "agent/policy/fact_book.h"
#include "agent/policy/programs.h"
#include "agent/policy/tool.h"

namespace holdpoint {

// A statement of a query language that an act runs.
struct StatementView {
  SqlStatement statement;
  std::string source;    // "command line", "standard input", or the name of a file
  std::string database;  // that it is run in, as far as the command line says; empty where it does not
  bool elsewhere = false;  // the text leads the client to another database or server: which one it is run in is not known
};

// Everything that this call runs: its options and operands, the files that they name, its standard input. What could not
// be seen is a statement with the effect kUnseen. Files are asked for in `facts`.
std::vector<StatementView> ReadStatements(const ToolCall& call, const ExecAct& act, FactBook* facts);

// What a program hands to a database, by the calls of its text.
std::vector<StatementView> StatementsOfProgram(const ToolCall& call, const ProgramOfAct& program);

// The servers that a call talks to, by its options, its operands (URLs, connection strings) and its environment.
std::vector<Destination> ServersOfCall(const ToolCall& call, const ExecAct& act);

}  // namespace holdpoint
