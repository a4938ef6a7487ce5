#include "agent/policy/programs.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/policy/input.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kSystemFolders[] = {"/usr", "/lib", "/lib64", "/bin", "/sbin", "/opt", "/nix", "/snap", "/etc"};

bool IsSystems(const std::string& path) {
  if (HasComponent(path, "node_modules") || HasComponent(path, "site-packages")) return true;
  return std::any_of(std::begin(kSystemFolders), std::end(kSystemFolders),
                     [&](absl::string_view folder) { return IsWithin(path, folder); });
}

void Take(InputText input, std::string source, ProgramLanguage language, ProgramOfAct* program) {
  if (!input.expected) return;
  program->any = true;
  program->source = std::move(source);
  for (ProgramCall& call : CallsOfProgram(input.text, language)) program->calls.push_back(std::move(call));
  if (!input.whole) program->unseen = std::move(input.unseen);
  program->cut = program->cut || (input.cut && !input.text.empty());
}

}  // namespace

ProgramOfAct ReadProgram(const ToolCall& call, const ExecAct& act, FactBook* facts) {
  ProgramOfAct program;
  const ProgramSource& source = *call.tool->program;
  for (const std::string& idle : source.idle) {
    if (call.Has(idle)) return program;
  }
  for (const ParsedOption& option : call.options) {
    if (std::find(source.options.begin(), source.options.end(), option.name) == source.options.end()) continue;
    Take({.expected = true, .text = option.value.value_or(""), .whole = true, .unseen = ""}, "command line", source.language, &program);
  }
  if (program.any) return program;
  if (call.operands.empty() || call.operands[0].value == "-") {
    Take(ReadInput(act, facts), "standard input", source.language, &program);
    return program;
  }
  const std::string& script = call.operands[0].value;
  if (act.unexpanded || IsSystems(CleanPath(AbsolutePath(act, script)))) return program;
  Take(ReadNamedText(act, script, facts), script, source.language, &program);
  // A script that is not there or too long passes: its execs are judged.
  program.unseen.clear();
  program.cut = false;
  return program;
}

bool StartsCommand(const ProgramCall& call) {
  static constexpr absl::string_view kNames[] = {
      "system",  "exec",       "shell_exec", "passthru", "popen",     "proc_open",     "spawn",       "os.system", "os.popen",
      "os.exec", "os.execute", "io.popen",   "IO.popen", "Kernel.system", "Kernel.exec", "Kernel.spawn"};
  static constexpr absl::string_view kLast[] = {"execSync", "execFile", "execFileSync", "spawnSync"};
  const absl::string_view name = call.name;
  const absl::string_view last = name.substr(name.rfind('.') + 1);
  const bool of_node = absl::StrContains(name, "child_process") || absl::StartsWith(name, "require.");
  return absl::StartsWith(name, "subprocess.") || (of_node && (last == "exec" || last == "spawn")) ||
         std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames) ||
         std::find(std::begin(kLast), std::end(kLast), last) != std::end(kLast);
}

const std::string* SqlOf(const ProgramCall& call) {
  static constexpr absl::string_view kRuns[] = {"execute", "executemany", "executescript", "query", "exec",  "raw",
                                                "do",      "prepare",     "sql",           "run",   "all",   "text",
                                                "multi_query", "fetch",   "executeRawUnsafe", "queryRawUnsafe", "exec_query", "select_all"};
  static constexpr absl::string_view kVerbs[] = {"drop ", "delete ", "truncate ", "alter ",  "update ",
                                                 "with ", "do ",     "begin",     "select ", "create "};
  const absl::string_view last = absl::string_view(call.name).substr(call.name.rfind('.') + 1);
  if (std::find(std::begin(kRuns), std::end(kRuns), last) == std::end(kRuns)) return nullptr;
  for (const std::string& text : call.texts) {
    const std::string start = absl::AsciiStrToLower(absl::StripLeadingAsciiWhitespace(text).substr(0, 16));
    const auto begins = [&](absl::string_view verb) { return absl::StartsWith(start, verb); };
    if (std::any_of(std::begin(kVerbs), std::end(kVerbs), begins)) return &text;
  }
  return nullptr;
}

}  // namespace holdpoint
