#include "agent/policy/unwrap.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "agent/parse/shell_words.h"
#include "agent/policy/given_operands.h"
#include "agent/policy/input.h"
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
  inner.stdin_kind = outer.stdin_kind;
  inner.piped_input = outer.piped_input;
  inner.input_text = outer.input_text;
  inner.input_file = outer.input_file;
  inner.place = outer.place;
  inner.remote_host = outer.remote_host;
  inner.unlabelled = outer.unlabelled;
  return inner;
}

// The act seen from where its command runs.
ExecAct Around(const Wraps& wraps, const ToolCall& call, const ExecAct& act) {
  ExecAct around = act;
  if (wraps.place == Wraps::Place::kSession) return around;
  around.unlabelled = true;
  if (wraps.place == Wraps::Place::kOutside) return around;
  around.place = wraps.place == Wraps::Place::kHost ? ExecAct::Place::kHost : ExecAct::Place::kContainer;
  // Nothing of this process goes there.
  around.environment.clear();
  around.home.clear();
  around.cwd = "/";
  if (wraps.host >= 0 && static_cast<size_t>(wraps.host) < call.operands.size()) {
    around.remote_host = call.operands[static_cast<size_t>(wraps.host)].value;
    if (absl::StartsWith(around.remote_host, "ssh://")) around.remote_host.erase(0, 6);
  }
  return around;
}

// What a shell is told by its standard input, or by a file that an option names.
Unwrapped FromInput(const Wraps& wraps, const ToolCall& call, const ExecAct& act, const ExecAct& around, FactBook* facts) {
  Unwrapped out;
  FactBook nothing(nullptr);
  FactBook* const book = facts == nullptr ? &nothing : facts;
  const std::string* file = wraps.input_option.empty() ? nullptr : call.Value(wraps.input_option);
  const InputText input = file == nullptr ? ReadInput(act, book) : ReadNamedText(act, *file, book);
  if (!input.expected) return out;
  if (!input.text.empty()) {
    ExecAct inside = around;  // It has read its input: what it starts finds nothing there.
    inside.stdin_kind.clear();
    inside.piped_input = false;
    inside.input_text.reset();
    inside.input_file.clear();
    out = SplitCommandLine(input.text, inside);
  }
  if (!input.whole) {
    out.unseen = absl::StrCat("commands from ", input.unseen);
    out.cut = input.cut;
    if (facts == nullptr) out.blind_spots.push_back("program text from standard input");
  }
  return out;
}

bool IsAssignment(absl::string_view word) {
  const size_t equals = word.find('=');
  return equals != absl::string_view::npos && equals > 0;
}

// ssh HOST [OPTIONS] WORDS: options may stand behind the host as well.
std::string RemoteText(const ToolModel& tool, const Wraps& wraps, absl::Span<const std::string> argv, const ToolCall& call) {
  std::vector<std::string> words = {argv[0]};
  for (size_t i = static_cast<size_t>(std::max(wraps.operand, 0)); i < call.operands.size(); ++i) {
    words.push_back(call.operands[i].value);
  }
  const ToolCall behind = ParseToolCall(tool, words);
  std::string text;
  for (const ParsedOperand& operand : behind.operands) absl::StrAppend(&text, text.empty() ? "" : " ", operand.value);
  return text;
}

void Append(Unwrapped from, Unwrapped* to) {
  if (to->unseen.empty()) to->unseen = std::move(from.unseen);
  to->cut = to->cut || from.cut;
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

// What a shell command reads: a here-document, a file, what echo writes into its pipe, a pipe.
void GiveInput(const ShellCommand& command, const std::vector<std::string>& previous, ExecAct* act) {
  if (!command.standard_input.empty()) {
    act->input_text = command.standard_input.back();
    return;
  }
  for (const ShellRedirection& redirection : command.redirections) {
    if (redirection.op == "<" && redirection.fd <= 0) {
      act->input_text.reset();
      act->input_file = redirection.target;
      return;
    }
  }
  if (!command.piped_input) return;
  act->input_text.reset();
  act->input_file.clear();
  act->stdin_kind.clear();
  const bool says = !previous.empty() && (previous[0] == "echo" || previous[0] == "printf");
  if (!says) {
    act->piped_input = true;
    return;
  }
  std::string text;
  for (size_t i = 1; i < previous.size(); ++i) {
    if (i == 1 && (previous[i] == "-e" || previous[i] == "-n" || previous[i] == "-ne" || previous[i] == "-en" || previous[i] == "--")) {
      continue;
    }
    absl::StrAppend(&text, text.empty() ? "" : " ", previous[i]);
  }
  act->input_text = absl::StrCat(absl::StrReplaceAll(text, {{"\\n", "\n"}}), "\n");
}

}  // namespace

Unwrapped Unwrap(const ToolModel& tool, const ExecAct& act, size_t skip, FactBook* facts) {
  Unwrapped out;
  const absl::Span<const std::string> argv = absl::MakeConstSpan(act.argv).subspan(std::min(skip, act.argv.size()));
  if (argv.empty()) return out;
  if (tool.wraps.applet) {
    // As these programs read their own name: without a login shell's dash, and anything that begins with it is it.
    const std::string name(absl::StripPrefix(BaseName(argv[0]), "-"));
    const bool own_name = std::any_of(tool.names.begin(), tool.names.end(),
                                      [&](const std::string& own) { return absl::StartsWith(name, own); });
    if (own_name && argv.size() < 2) return out;
    std::vector<std::string> words(argv.begin() + (own_name ? 1 : 0), argv.end());
    words[0] = own_name ? std::string(BaseName(absl::StripPrefix(words[0], "--coreutils-prog="))) : name;
    out.acts.push_back(Inner(act, std::move(words)));
    return out;
  }
  if (!tool.wraps.exec_options.empty()) {
    UnwrapFind(tool, act, argv, &out);
    return out;
  }
  const ToolCall call = ParseToolCall(tool, argv);
  const Wraps& wraps = call.level->wraps;
  if (!wraps.any()) return out;
  const ExecAct around = Around(wraps, call, act);
  if (!wraps.flag_text.empty()) {
    if (call.Has(wraps.flag_text) && !call.operands.empty()) {
      Append(SplitCommandLine(call.operands[0].value, act), &out);
    } else if (call.operands.empty() || call.Has("s")) {
      const bool seen = act.input_text.has_value() || act.unlabelled;
      if (seen) Append(FromInput(wraps, call, act, around, facts), &out);
      if (!seen) out.blind_spots.push_back("program text from standard input");
    } else {
      out.blind_spots.push_back("script not looked into");
    }
    return out;
  }
  if (!wraps.option_text.empty()) {
    if (const std::string* text = call.Value(wraps.option_text)) Append(SplitCommandLine(*text, around), &out);
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
  if (wraps.shell_words) {
    const std::string text = RemoteText(tool, wraps, argv, call);
    if (!text.empty()) Append(SplitCommandLine(text, around), &out);
    if (text.empty() && wraps.input_text && !call.Has("N")) Append(FromInput(wraps, call, act, around, facts), &out);
    return out;
  }
  if (wraps.input_text) {
    Append(FromInput(wraps, call, act, around, facts), &out);
    return out;
  }
  if (wraps.operand < 0) return out;
  size_t from = static_cast<size_t>(wraps.operand);
  ExecAct inner = Inner(around, {});
  if (wraps.unseen_operands) {  // It reads them from its input.
    const std::optional<GivenCommands> given = CommandsWithGiven(wraps, call, act.input_text);
    inner.stdin_kind.clear();
    inner.piped_input = false;
    inner.input_text.reset();
    inner.input_file.clear();
    if (given.has_value()) {
      inner.unseen_operands |= given->cut;
      for (const std::vector<std::string>& words : given->argvs) out.acts.push_back(Inner(inner, words));
      for (const std::string& text : given->texts) Append(SplitCommandLine(text, inner), &out);
      return out;
    }
  }
  if (wraps.dashdash && call.dashdash.has_value()) {
    inner.argv.assign(argv.begin() + static_cast<ptrdiff_t>(std::min(*call.dashdash + 1, argv.size())), argv.end());
    if (inner.argv.empty()) return out;
    inner.executable.path = inner.argv[0];
    out.acts.push_back(std::move(inner));
    return out;
  }
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

Unwrapped StartedBy(const ProgramCall& call, const ExecAct& around) {
  Unwrapped out;
  if (!StartsCommand(call) || call.texts.empty()) return out;
  ExecAct inside = around;
  inside.stdin_kind.clear();
  inside.piped_input = false;
  inside.input_text.reset();
  inside.input_file.clear();
  if (call.texts.size() == 1 || absl::StrContains(call.texts[0], ' ')) return SplitCommandLine(call.texts[0], inside);
  out.acts.push_back(Inner(inside, call.texts));
  out.acts.back().executable.path = call.texts[0];
  return out;
}

Unwrapped SplitCommandLine(absl::string_view text, const ExecAct& around) {
  Unwrapped out;
  absl::StatusOr<ShellScript> script = SplitShell(text);
  if (!script.ok()) {
    out.blind_spots.push_back(absl::StrCat("command line not understood: ", script.status().message()));
    // A shell may run what stands before the place it stumbles over, and another shell may not stumble.
    for (std::vector<std::string>& argv : SplitShellRoughly(text)) {
      out.acts.push_back(Inner(around, std::move(argv)));
      out.acts.back().unexpanded = true;
    }
    return out;
  }
  out.blind_spots = script->blind_spots;
  std::string cwd = around.cwd;
  std::vector<std::string> previous;  // the command before
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
    GiveInput(command, previous, &act);
    previous = act.argv;
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
