#include "agent/environment/session_verdict.h"

#include <algorithm>
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

// The script that an interpreter runs: what the kernel says, else the first word that is no option.
std::string ScriptPath(const v1::Process& process, absl::Span<const std::string> argv) {
  if (!process.script().empty()) return Absolute(process.script(), process.working_directory());
  for (size_t i = 1; i < argv.size() && i < 16; ++i) {
    if (argv[i].empty() || argv[i][0] == '-') continue;
    return Absolute(argv[i], process.working_directory());
  }
  return "";
}

ProgramFacts FactsOf(const v1::ConsultSession& consult) {
  ProgramFacts facts;
  facts.argv = SplitRawArgv(consult.raw_argv());
  facts.environment = SplitRawArgv(consult.raw_environment());
  facts.executable = consult.process().executable();
  facts.script = ScriptPath(consult.process(), facts.argv);
  return facts;
}

void AddRead(const v1::Facts& read, ProgramFacts* facts) {
  facts->script_unread = true;
  for (const v1::PathFact& path : read.paths()) {
    if (path.path() == facts->script) facts->script_target = path.target();
  }
  for (const v1::ContentFact& content : read.contents()) {
    if (content.path() != facts->script || !content.problem().empty()) continue;
    facts->script_head = content.content();
    facts->script_unread = false;
  }
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

std::optional<v1::FactsWanted> SessionFactsWanted(const v1::ConsultSession& consult, const CodingAgents& agents) {
  const ProgramFacts facts = FactsOf(consult);
  const Recognition recognition = RecogniseAgent(agents, facts);
  const bool is_session = consult.launched() || recognition.agent != nullptr;
  if (!is_session && !recognition.needs_script) return std::nullopt;
  v1::FactsWanted wanted;
  wanted.set_git_state(true);
  wanted.set_budget_ms(kReaderBudgetMs);
  wanted.set_max_bytes(kScriptBytes);
  if (recognition.needs_script) {
    wanted.add_paths(facts.script);
    wanted.add_content_of(facts.script);
  }
  return wanted;
}

v1::SessionVerdict HandleConsultSession(const v1::ConsultSession& consult, const v1::Facts* facts,
                                        const Configuration& configuration, const CodingAgents& agents,
                                        absl::string_view key) {
  ProgramFacts program = FactsOf(consult);
  Recognition recognition = RecogniseAgent(agents, program);
  if (recognition.needs_script) {
    if (facts != nullptr) {
      AddRead(*facts, &program);
    } else {
      program.script_unread = true;
    }
    recognition = RecogniseAgent(agents, program);
  }

  v1::SessionVerdict verdict;
  verdict.set_problem(LaunchProblem(consult, configuration));
  verdict.set_is_session((consult.launched() || recognition.agent != nullptr) && verdict.problem().empty());
  if (!verdict.is_session()) return verdict;

  if (recognition.agent != nullptr) {
    verdict.set_coding_agent(recognition.agent->name);
    verdict.set_hold_ms(recognition.agent->hold_ms);
    for (const auto& [name, value] : JoinKeys(*recognition.agent, program.environment)) {
      (*verdict.mutable_join_keys())[name] = value;
    }
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
  session.workspace = consult.process().working_directory();
  if (facts != nullptr && facts->git().root().size() > 1) session.workspace = facts->git().root();
  if (facts != nullptr) session.branch = facts->git().branch();
  session.unattended = Unattended(configuration, program.environment);

  *verdict.mutable_environment() = ToProto(SessionTag(configuration, session));
  verdict.set_workspace(ToValidUtf8(session.workspace));
  verdict.set_git_branch(session.branch);
  verdict.set_unattended(session.unattended);
  for (std::string& word : RedactArgv(key, program.argv)) verdict.add_argv(std::move(word));
  return verdict;
}

}  // namespace holdpoint
