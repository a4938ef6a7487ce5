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

// Models of command-line tools, as the packs in rules/ describe them: what their words are, not what they look like.
namespace holdpoint {

// How a tool starts another command; for `holdpoint check` and multi-call programs. Real execs are judged when the
// inner one comes.
struct Wraps {
  int operand = -1;                       // index of the operand at which the started command begins; -1: none
  bool assignments = false;               // NAME=VALUE operands before it belong to the wrapper (env)
  bool unseen_operands = false;           // it adds operands of its own (xargs)
  std::string flag_text;                  // with this flag the first operand is shell text: sh -c TEXT
  std::string option_text;                // the value of this option is shell text: su -c TEXT
  std::string option_words;               // the value of this option is divided into words: env -S
  std::vector<std::string> exec_options;  // find's -exec and its kin
  bool applet = false;                    // a multi-call program: argv[0] or the first operand names the tool

  bool any() const {
    return operand >= 0 || !flag_text.empty() || !option_text.empty() || !option_words.empty() ||
           !exec_options.empty() || applet;
  }
};

// Of an interpreter: its first operand is a script, and that is the program.
struct ScriptSource {
  std::vector<std::string> unless;  // with one of these options it is none: python -c TEXT
  std::string module;               // an option whose value names a program instead: python -m NAME
};

// A tool or one of its sub-commands.
struct CommandModel {
  std::vector<std::string> names;  // the first one is how it is reported
  std::vector<OptionSpec> options;
  std::shared_ptr<const OptionTable> table;
  std::vector<CommandModel> commands;
  std::set<std::string, std::less<>> known;  // sub-commands without an effect that a rule names; never an alias

  const CommandModel* FindCommand(absl::string_view name) const;
};

struct ToolModel : CommandModel {
  enum class Syntax { kGetopt, kFind };
  enum class Requests { kNone, kCurl, kWget };

  Syntax syntax = Syntax::kGetopt;
  ArgvStyle style;
  bool globals_first = false;  // options of the tool stand only before the sub-command (git)
  bool git_aliases = false;    // a sub-command that is not known may be an alias of git
  Requests requests = Requests::kNone;
  Wraps wraps;
  std::optional<ScriptSource> script;
  std::string family;  // the pack it comes from
  std::string hash;    // hexadecimal, of its entry in the pack
};

// One command line of a modelled tool. Words are copies: hostile, unescaped.
struct ToolCall {
  const ToolModel* tool = nullptr;
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
