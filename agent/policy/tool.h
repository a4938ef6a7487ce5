#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "agent/environment/yaml.h"
#include "agent/parse/argv.h"
#include "agent/parse/program_text.h"
#include "agent/parse/sql.h"

// Models of command-line tools, as the packs in rules/ describe them: what their words are, not what they look like.
namespace holdpoint {

// How a tool starts another command; for `holdpoint check` and multi-call programs. Real execs are judged when the
// inner one comes.
struct Wraps {
  int operand = -1;                       // index of the operand at which the started command begins; -1: none
  bool assignments = false;               // NAME=VALUE operands before it belong to the wrapper (env)
  bool unseen_operands = false;           // it adds operands of its own (xargs)
  std::vector<std::string> replace_options;  // of `unseen_operands`: with one of these each line takes the place of its value, or of {}
  std::vector<std::string> given_otherwise;  // with one of these they are not those of standard input, or divided otherwise
  std::string given_behind;                  // operands behind this word are what it is given, each for a command (parallel :::)
  std::string flag_text;                  // with this flag the first operand is shell text: sh -c TEXT
  std::string option_text;                // the value of this option is shell text: su -c TEXT
  std::string option_words;               // the value of this option is divided into words: env -S
  std::vector<std::string> exec_options;  // find's -exec and its kin
  bool applet = false;                    // a multi-call program: argv[0] or the first operand names the tool
  bool shell_words = false;               // the words from `operand` on are joined to shell text (ssh)
  bool dashdash = false;                  // the command begins behind "--", where there is one (kubectl exec)
  bool input_text = false;                // standard input is shell text where no command is given (at, ssh)
  std::string input_option;               // of `input_text`: names a file with it (at -f)
  int host = -1;                          // index of the operand that names the host

  // Where what it starts runs: only in the session has it an exec that is judged.
  enum class Place { kSession, kOutside, kHost, kContainer };
  Place place = Place::kSession;

  bool any() const {
    return operand >= 0 || !flag_text.empty() || !option_text.empty() || !option_words.empty() ||
           !exec_options.empty() || applet || input_text;
  }
};

// Of an interpreter: its first operand is a script, and that is the program.
struct ScriptSource {
  std::vector<std::string> unless;  // with one of these options it is none: python -c TEXT
  std::string module;               // an option whose value names a program instead: python -m NAME
};

// Where the SQL stands that a tool runs. Names of options as the model reports them; places of operands from 0, -1: none.
struct SqlSource {
  SqlDialect dialect = SqlDialect::kGeneric;
  std::vector<std::string> options;   // the text itself
  std::vector<std::string> files;     // names of files with it
  int operands = -1;                  // from this operand on each one is text
  bool input = false;                 // standard input, where none of these is given
  bool input_always = false;          // standard input in any case
  bool program = false;               // texts that the program hands to a database
  std::vector<std::string> idle;      // with one of these nothing is run
  std::vector<std::string> database;  // options that say which database
  int database_operand = -1;
  std::string database_variable;      // of the environment, where neither says it
};

// Where the text stands that an interpreter runs; without one of the options it is a script's name or standard input.
struct ProgramSource {
  ProgramLanguage language = ProgramLanguage::kPython;
  std::vector<std::string> options;
  std::vector<std::string> idle;  // with one of these it runs something else, or nothing
};

// Where the server stands that a tool talks to. A URL or connection string in any operand or option counts as well.
struct ServerSource {
  std::vector<std::string> options, ports;
  std::vector<std::string> environment;
  int operand = -1;
};

// A tool or one of its sub-commands.
struct CommandModel {
  std::vector<std::string> names;  // the first one is how it is reported
  std::vector<OptionSpec> options;
  std::shared_ptr<const OptionTable> table;
  std::vector<CommandModel> commands;
  Wraps wraps;
  std::set<std::string, std::less<>> known;  // sub-commands without an effect that a rule names; never an alias

  const CommandModel* FindCommand(absl::string_view name) const;
  // It or one of its sub-commands starts something that has no exec in the session.
  bool StartsElsewhere() const;
};

struct ToolModel : CommandModel {
  enum class Syntax { kGetopt, kFind };
  enum class Requests { kNone, kCurl, kWget };

  Syntax syntax = Syntax::kGetopt;
  ArgvStyle style;
  bool globals_first = false;  // options of the tool stand only before the sub-command (git)
  bool git_aliases = false;    // a sub-command that is not known may be an alias of git
  Requests requests = Requests::kNone;
  std::optional<ScriptSource> script;
  std::optional<SqlSource> sql;
  std::optional<ServerSource> server;
  std::optional<ProgramSource> program;
  std::string family;  // the pack it comes from

  // Rules may fire on what no word of argv holds: a file that it runs, its standard input, a command that starts elsewhere.
  bool ReadsBeyondArguments() const { return sql.has_value() || program.has_value() || StartsElsewhere(); }
  std::string hash;    // hexadecimal, of its entry in the pack
};

// One command line of a modelled tool. Words are copies: hostile, unescaped.
struct ToolCall {
  const ToolModel* tool = nullptr;
  const CommandModel* level = nullptr;  // the sub-command's model, else the tool's
  std::string command;                  // canonical names of the sub-commands, "stash drop"; empty for none
  std::vector<ParsedOption> options;    // the tool's and the sub-command's, in order
  std::vector<ParsedOperand> operands;  // after the sub-command's name
  std::optional<size_t> dashdash;       // index in argv of the "--"
  std::string unknown_command;          // a sub-command that the model does not have

  bool Has(absl::string_view option) const;
  const std::string* Value(absl::string_view option) const;
};

// Reads one entry of `tools:`. Errors as in agent/environment/yaml.h.
absl::StatusOr<ToolModel> ReadToolModel(const YamlValue& value, absl::string_view family);

// The word of argv that names the script which an interpreter is given; none where the tool is no interpreter, or runs
// something else. Pure.
std::optional<size_t> ScriptOperand(const ToolModel& tool, absl::Span<const std::string> argv);

// Divides argv (argv[0] is the program, whatever it is called). Pure; linear in argv.
ToolCall ParseToolCall(const ToolModel& tool, absl::Span<const std::string> argv);

}  // namespace holdpoint
