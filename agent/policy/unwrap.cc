#include "agent/policy/unwrap.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/parse/shell_words.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

// An act started by `outer`: same place, another program, of which only the name is known.
ExecAct Inner(const ExecAct& outer, std::vector<std::string> argv) {
  ExecAct inner;
  inner.argv = std::move(argv);
  inner.executable.path = inner.argv.empty() ? "" : inner.argv[0];
  inner.cwd = outer.cwd;
  inner.home = outer.home;
  inner.uid = outer.uid;
  inner.environment = outer.environment;
  inner.unexpanded = outer.unexpanded;
  inner.argv_cut = outer.argv_cut;
  inner.unseen_operands = outer.unseen_operands;
  return inner;
}

bool IsAssignment(absl::string_view word) {
  const size_t equals = word.find('=');
  return equals != absl::string_view::npos && equals > 0;
}

void Append(Unwrapped from, Unwrapped* to) {
  std::move(from.acts.begin(), from.acts.end(), std::back_inserter(to->acts));
  std::move(from.blind_spots.begin(), from.blind_spots.end(), std::back_inserter(to->blind_spots));
}

void UnwrapFind(const ToolModel& tool, const ExecAct& act, absl::Span<const std::string> argv, Unwrapped* out) {
  const ToolCall call = ParseToolCall(tool, argv);
  std::vector<std::string> starts;
  for (const ParsedOperand& operand : call.operands) starts.push_back(operand.value);
  if (starts.empty()) starts.push_back(".");
  for (size_t i = 0; i < argv.size(); ++i) {
    const absl::string_view word = argv[i];
    if (!absl::StartsWith(word, "-") || std::find(tool.wraps.exec_options.begin(), tool.wraps.exec_options.end(),
                                                  word.substr(1)) == tool.wraps.exec_options.end()) {
      continue;
    }
    std::vector<std::string> words;
    for (++i; i < argv.size() && argv[i] != ";" && argv[i] != "+"; ++i) words.push_back(argv[i]);
    // Which names {} will stand for is not known here; all lie below the starting points.
    std::vector<std::string> expanded;
    for (const std::string& each : words) {
      if (each == "{}") {
        for (const std::string& start : starts) expanded.push_back(absl::StrCat(start, "/{}"));
      } else {
        expanded.push_back(each);
      }
    }
    if (!expanded.empty()) out->acts.push_back(Inner(act, std::move(expanded)));
  }
}

}  // namespace

Unwrapped Unwrap(const ToolModel& tool, const ExecAct& act, size_t skip) {
  Unwrapped out;
  const Wraps& wraps = tool.wraps;
  const absl::Span<const std::string> argv = absl::MakeConstSpan(act.argv).subspan(std::min(skip, act.argv.size()));
  if (argv.empty()) return out;
  if (wraps.applet) {
    // As these programs read their own name: without a login shell's dash, and anything that begins with it is it.
    const std::string name(absl::StripPrefix(BaseName(argv[0]), "-"));
    const bool own_name = std::any_of(tool.names.begin(), tool.names.end(),
                                      [&](const std::string& own) { return absl::StartsWith(name, own); });
    if (own_name && argv.size() < 2) return out;
    std::vector<std::string> words(argv.begin() + (own_name ? 1 : 0), argv.end());
    words[0] = own_name ? std::string(BaseName(absl::StripPrefix(words[0], "--coreutils-prog="))) : name;
    out.acts.push_back(Inner(act, std::move(words)));
    out.acts.back().stdin_kind = act.stdin_kind;
    return out;
  }
  if (!wraps.exec_options.empty()) {
    UnwrapFind(tool, act, argv, &out);
    return out;
  }
  const ToolCall call = ParseToolCall(tool, argv);
  if (!wraps.flag_text.empty()) {
    if (call.Has(wraps.flag_text) && !call.operands.empty()) {
      Append(SplitCommandLine(call.operands[0].value, act), &out);
    } else if (call.operands.empty()) {
      out.blind_spots.push_back("program text from standard input");
    } else {
      out.blind_spots.push_back("script not looked into");
    }
    return out;
  }
  if (!wraps.option_text.empty()) {
    if (const std::string* text = call.Value(wraps.option_text)) Append(SplitCommandLine(*text, act), &out);
  }
  if (!wraps.option_words.empty()) {
    if (const std::string* text = call.Value(wraps.option_words)) {
      Append(SplitCommandLine(*text, act), &out);
      if (!out.acts.empty()) {
        for (const ParsedOperand& operand : call.operands) out.acts.back().argv.push_back(operand.value);
        return out;
      }
    }
  }
  if (wraps.operand < 0) return out;
  size_t from = static_cast<size_t>(wraps.operand);
  ExecAct inner = Inner(act, {});
  if (wraps.assignments) {
    while (from < call.operands.size() && IsAssignment(call.operands[from].value)) {
      inner.environment.push_back(call.operands[from++].value);
    }
  }
  for (; from < call.operands.size(); ++from) inner.argv.push_back(call.operands[from].value);
  if (inner.argv.empty()) return out;
  inner.executable.path = inner.argv[0];
  inner.unseen_operands |= wraps.unseen_operands;
  out.acts.push_back(std::move(inner));
  return out;
}

Unwrapped SplitCommandLine(absl::string_view text, const ExecAct& around) {
  Unwrapped out;
  absl::StatusOr<ShellScript> script = SplitShell(text);
  if (!script.ok()) {
    out.blind_spots.push_back(absl::StrCat("command line not understood: ", script.status().message()));
    return out;
  }
  out.blind_spots = script->blind_spots;
  std::string cwd = around.cwd;
  for (ShellCommand& command : script->commands) {
    for (const ShellRedirection& redirection : command.redirections) {
      // What a shell does itself has no exec: it is judged as the tool ">" (rules/files.yaml).
      if (redirection.op != ">" && redirection.op != ">|" && redirection.op != "&>") continue;
      ExecAct write = Inner(around, {">", redirection.target});
      write.cwd = cwd;
      write.unexpanded = true;
      out.acts.push_back(std::move(write));
    }
    if (command.argv.empty()) continue;
    ExecAct act = Inner(around, std::move(command.argv));
    act.cwd = cwd;
    act.unexpanded = true;
    act.piped_input = command.piped_input;
    act.environment.insert(act.environment.end(), command.assignments.begin(), command.assignments.end());
    if (act.argv[0] == "cd" && act.argv.size() == 2) {
      const UnexpandedPath path = ReadUnexpanded(act, act.argv[1]);
      if (!path.opaque && act.argv[1] != "-") cwd = CleanPath(path.path);
      continue;
    }
    out.acts.push_back(std::move(act));
  }
  return out;
}

}  // namespace holdpoint
