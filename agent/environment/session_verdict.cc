#include "agent/environment/session_verdict.h"

#include <algorithm>
#include <climits>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/utf8.h"
#include "agent/environment/redact.h"
#include "agent/environment/tags.h"

namespace holdpoint {
namespace {

constexpr uint32_t kScriptBytes = 16 * 1024;
constexpr uint32_t kReaderBudgetMs = 150;
constexpr uint32_t kSearchBudgetMs = 1500;  // of an executable of some hundred megabytes
constexpr int kPackageFolders = 4;          // from the script's own upwards

std::string Absolute(absl::string_view path, absl::string_view folder) {
  if (path.empty() || path[0] == '/' || folder.empty()) return std::string(path);
  while (absl::StartsWith(path, "./")) path.remove_prefix(2);
  return absl::StrCat(folder, folder == "/" ? "" : "/", path);
}

std::string Variable(absl::Span<const std::string> environment, absl::string_view name) {
  for (const std::string& word : environment) {
    if (word.size() > name.size() && word[name.size()] == '=' && absl::StartsWith(word, name)) {
      return word.substr(name.size() + 1);
    }
  }
  return "";
}

const std::string& Or(const std::string& raw, const std::string& text) { return raw.empty() ? text : raw; }

// The script that an interpreter runs: what the kernel says, else the first word that is no option. Nothing where the
// program itself is on the command line.
std::string ScriptPath(const v1::ConsultSession& consult, absl::Span<const std::string> argv) {
  const v1::Process& process = consult.process();
  const std::string& folder = Or(consult.raw_working_directory(), process.working_directory());
  const std::string& script = Or(consult.raw_script(), process.script());
  if (!script.empty()) return Absolute(script, folder);
  for (size_t i = 1; i < argv.size() && i < 16; ++i) {
    for (const absl::string_view inline_text : {"-c", "-e", "-m", "-p", "--eval", "--print"}) {
      if (argv[i] == inline_text) return "";
    }
    if (argv[i].empty() || argv[i][0] == '-') continue;
    return Absolute(argv[i], folder);
  }
  return "";
}

ProgramFacts FactsOf(const v1::ConsultSession& consult) {
  ProgramFacts facts;
  facts.argv = SplitRawArgv(consult.raw_argv());
  facts.environment = SplitRawArgv(consult.raw_environment());
  facts.executable = Or(consult.raw_executable(), consult.process().executable());
  facts.executable_size = consult.executable_size();
  facts.script = ScriptPath(consult, facts.argv);
  facts.any_script = consult.unnamed();
  return facts;
}

// package.json of the folder that `script` is in, and of those above it; nearest first.
std::vector<std::string> PackageFiles(absl::string_view script) {
  std::vector<std::string> files;
  for (int i = 0; i < kPackageFolders; ++i) {
    const size_t slash = script.rfind('/');
    if (slash == absl::string_view::npos || slash == 0) break;
    script = script.substr(0, slash);
    files.push_back(absl::StrCat(script, "/package.json"));
  }
  return files;
}

void AddRead(const v1::Facts& read, ProgramFacts* facts) {
  facts->script_unread = true;
  for (const v1::PathFact& path : read.paths()) {
    if (path.path() == facts->script) facts->script_target = path.target();
  }
  const std::vector<std::string> packages = PackageFiles(facts->script_target);
  std::map<std::string, std::string> found;
  for (const v1::ContentFact& content : read.contents()) {
    if (std::find(packages.begin(), packages.end(), content.path()) != packages.end()) {
      facts->packages_read = true;
      if (content.problem().empty()) found[content.path()] = content.content();
    }
    if (content.path() != facts->script || !content.problem().empty()) continue;
    facts->script_head = content.content();
    facts->script_unread = false;
  }
  for (const std::string& path : packages) {
    if (const auto one = found.find(path); one != found.end()) facts->packages.push_back(one->second);
  }
  facts->executable_searched = read.executable_searched();
  facts->executable_texts.assign(read.executable_texts().begin(), read.executable_texts().end());
}

// Was the script looked at, or is that not to be had?
bool ScriptAsked(const v1::Facts* facts, const ProgramFacts& program) {
  if (facts == nullptr) return false;
  for (const v1::PathFact& path : facts->paths()) {
    if (path.path() == program.script) return true;
  }
  return !facts->problem().empty();
}

struct Seen {
  ProgramFacts program;
  Recognition recognition;
};

// Everything that is known by now. `last`: no more will be read.
Seen Recognise(const v1::ConsultSession& consult, const v1::Facts* facts, const CodingAgents& agents, bool last) {
  Seen seen{.program = FactsOf(consult), .recognition = {}};
  if (facts != nullptr && (last || ScriptAsked(facts, seen.program) || facts->executable_searched())) {
    const bool searched_only = !last && !ScriptAsked(facts, seen.program);
    AddRead(*facts, &seen.program);
    if (searched_only) seen.program.script_unread = false;
  } else if (last) {
    seen.program.script_unread = true;
  }
  seen.recognition = RecogniseAgent(agents, seen.program);
  return seen;
}

// origin, else the first by name.
std::string GitRemote(const v1::GitFact& git) {
  if (git.remotes().contains("origin")) return ToValidUtf8(git.remotes().at("origin"));
  const std::map<std::string, std::string> remotes(git.remotes().begin(), git.remotes().end());
  return remotes.empty() ? "" : ToValidUtf8(remotes.begin()->second);
}

// What the gate may remember of the program for those outside sessions.
void SetClasses(const CodingAgents& agents, const Seen& seen, v1::SessionVerdict* verdict) {
  const Recognition& recognition = seen.recognition;
  const absl::string_view executable = seen.program.executable;
  const bool is_agent = recognition.agent != nullptr;
  if (is_agent && recognition.by_file) return verdict->set_file_class(v1::PROGRAM_CLASS_AGENT);
  if (IsRuntime(agents, executable.substr(executable.rfind('/') + 1))) {
    verdict->set_file_class(v1::PROGRAM_CLASS_INTERPRETER);
    const bool unread = seen.program.script_unread && !seen.program.script.empty();
    if (is_agent) verdict->set_script_class(v1::PROGRAM_CLASS_AGENT);
    if (!is_agent && !unread && !recognition.needs_script) verdict->set_script_class(v1::PROGRAM_CLASS_OTHER);
    return;
  }
  // What could not be searched, or has other programs inside that its arguments choose, is asked about each time.
  if (recognition.by_arguments || recognition.needs_executable) return;
  if (!is_agent) verdict->set_file_class(v1::PROGRAM_CLASS_OTHER);
}

bool IsStricter(const Configuration& configuration, const EnvironmentTag& a, const EnvironmentTag& b) {
  return a.environment != b.environment && &Strictest(configuration, a, b) == &a;
}

std::string EnvironmentNames(const Configuration& configuration) {
  std::string names;
  for (const EnvironmentConfig& environment : configuration.environments) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", environment.name);
  }
  return names;
}

// Why `holdpoint run --env` cannot be followed, empty where it can.
std::string LaunchProblem(const v1::ConsultSession& consult, const Configuration& configuration) {
  const std::string& wanted = consult.launch_environment();
  if (wanted.empty()) return "";
  if (configuration.Find(wanted) == nullptr) {
    return absl::StrCat("--env: wanted one of the environments ", EnvironmentNames(configuration), ", got \"",
                        EscapeAndClip(wanted, 60), "\"");
  }
  const EnvironmentTag own = MakeTag(configuration, wanted, "flag");
  const EnvironmentTag enclosing = MakeTag(configuration, consult.enclosing_environment(), "enclosing session");
  if (enclosing.known() && IsStricter(configuration, enclosing, own)) {
    return absl::StrCat("--env: the session that this one would start in is in ", enclosing.environment,
                        ", which is stricter than ", wanted, ": leave --env out, or start it outside that session");
  }
  return "";
}

}  // namespace

std::optional<v1::FactsWanted> SessionFactsWanted(const v1::ConsultSession& consult, const CodingAgents& agents,
                                                  const v1::Facts* facts) {
  const Seen seen = Recognise(consult, facts, agents, false);
  const Recognition& recognition = seen.recognition;
  v1::FactsWanted wanted;
  wanted.set_budget_ms(kReaderBudgetMs);
  wanted.set_max_bytes(kScriptBytes);
  const bool is_session = consult.launched() || recognition.agent != nullptr;
  if (is_session) {
    wanted.set_git_state(true);
    wanted.set_git_changes(true);
    return wanted;
  }
  // A path that is no text can't be asked about: the script then counts as one that hides.
  if (recognition.needs_script && !ScriptAsked(facts, seen.program) && ToValidUtf8(seen.program.script) == seen.program.script) {
    wanted.add_paths(seen.program.script);
    wanted.add_content_of(seen.program.script);
    wanted.set_git_state(!consult.unnamed());
  }
  if (recognition.needs_package) {
    for (const std::string& path : PackageFiles(seen.program.script_target)) wanted.add_content_of(path);
  }
  const bool searches = recognition.needs_executable && seen.program.executable_size >= kLargeExecutable;
  if (searches) {
    wanted.set_budget_ms(kSearchBudgetMs);
    for (std::string& text : ExecutableTexts(agents)) wanted.add_executable_texts(std::move(text));
  }
  if (wanted.paths().empty() && wanted.content_of().empty() && !searches) return std::nullopt;
  return wanted;
}

v1::SessionVerdict HandleConsultSession(const v1::ConsultSession& consult, const v1::Facts* facts,
                                        const Configuration& configuration, const CodingAgents& agents,
                                        absl::string_view key) {
  const Seen seen = Recognise(consult, facts, agents, true);
  const ProgramFacts& program = seen.program;
  const Recognition& recognition = seen.recognition;

  v1::SessionVerdict verdict;
  verdict.set_problem(LaunchProblem(consult, configuration));
  verdict.set_is_session((consult.launched() || recognition.agent != nullptr) && verdict.problem().empty());
  SetClasses(agents, seen, &verdict);
  if (!verdict.is_session()) return verdict;

  if (recognition.agent != nullptr) {
    verdict.set_coding_agent(recognition.agent->name);
    verdict.set_hold_ms(recognition.agent->hold_ms);
    verdict.set_without_ids(recognition.agent->join_keys.empty());
    for (const auto& [name, value] : JoinKeys(*recognition.agent, program.environment)) {
      (*verdict.mutable_join_keys())[name] = value;
    }
    for (std::string& flag : GuardsOff(*recognition.agent, program.argv)) verdict.add_guards_off(std::move(flag));
  } else {
    verdict.set_coding_agent("run");
  }
  verdict.set_recognised_by(consult.launched() ? absl::StrCat("holdpoint run", recognition.agent == nullptr ? "" : "; ",
                                                              recognition.recognised_by)
                                               : recognition.recognised_by);

  SessionFacts session;
  session.launch = consult.launch_environment();
  session.launched = consult.launched();
  session.home = Variable(program.environment, "HOME");
  session.enclosing = consult.enclosing_environment();
  session.workspace = Or(consult.raw_working_directory(), consult.process().working_directory());
  if (facts != nullptr && facts->git().root().size() > 1) session.workspace = facts->git().root();
  if (facts != nullptr) session.branch = facts->git().branch();
  session.unattended = Unattended(configuration, program.environment);

  *verdict.mutable_environment() = ToProto(SessionTag(configuration, session));
  verdict.set_workspace(ToValidUtf8(session.workspace));
  if (absl::StartsWith(session.home, "/") && session.home.size() < PATH_MAX) verdict.set_home(ToValidUtf8(session.home));
  verdict.set_git_branch(session.branch);
  if (facts != nullptr) verdict.set_git_remote(GitRemote(facts->git()));
  verdict.set_unattended(session.unattended);
  for (std::string& word : RedactArgv(key, program.argv)) verdict.add_argv(std::move(word));
  return verdict;
}

}  // namespace holdpoint
