#include "agent/reader/answer_request.h"

#include <limits.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/reader/births.h"
#include "agent/reader/crontab_facts.h"
#include "agent/reader/git_facts.h"
#include "agent/reader/path_facts.h"
#include "agent/reader/plan_facts.h"
#include "agent/reader/safe_file.h"
#include "agent/reader/search.h"
#include "agent/reader/standard_input.h"

namespace holdpoint::reader {
namespace {

constexpr size_t kMaxEnvironment = 256 * 1024;
constexpr char kNotYet[] = "git: the working tree was not looked at in time";

void ReadContents(const v1::FactsWanted& wanted, const SafeFiles& files, Answer* answer) {
  size_t left = kMaxContentTotal;
  const size_t each =
      wanted.max_bytes() == 0 ? kMaxContentBytes : std::min<size_t>(wanted.max_bytes(), kMaxContentBytes);
  const int count = std::min(wanted.content_of_size(), kMaxContents);
  for (int i = 0; i < count; ++i) {
    v1::ContentFact fact;
    ReadContent(files, wanted.content_of(i), std::min(each, left), &fact);
    left -= std::min(left, fact.content().size());
    *answer->facts().add_contents() = std::move(fact);
    answer->Checkpoint();
  }
  if (wanted.content_of_size() > count) answer->AddProblem(absl::StrCat("reader: only ", count, " files were read"));
}

void HashExecutable(const Target& target, Answer* answer) {
  if (!target.executable.ok()) return answer->AddProblem("reader: the executable cannot be opened");
  const absl::StatusOr<std::string> sha256 = Sha256OfFile(target.executable.get(), kMaxExecutable);
  if (sha256.ok()) {
    answer->facts().set_executable_sha256(*sha256);
  } else {
    answer->AddProblem(absl::StrCat("reader: the executable ", sha256.status().message()));
  }
  answer->Checkpoint();
}

void SearchExecutable(const v1::FactsWanted& wanted, const Target& target, Answer* answer) {
  if (!target.executable.ok()) return answer->AddProblem("reader: the executable cannot be opened");
  const std::vector<std::string> texts(wanted.executable_texts().begin(), wanted.executable_texts().end());
  const absl::StatusOr<std::vector<std::string>> found =
      TextsInFile(target.executable.get(), texts, kMaxExecutable);
  if (!found.ok()) return answer->AddProblem(absl::StrCat("reader: the executable ", found.status().message()));
  for (const std::string& text : *found) answer->facts().add_executable_texts(text);
  answer->facts().set_executable_searched(true);
  answer->Checkpoint();
}

std::string EnvironmentOf(const Target& target) {
  if (!target.environment.ok()) return "";
  absl::StatusOr<Content> read = ReadBounded(target.environment.get(), kMaxEnvironment);
  return read.ok() ? std::move(read->bytes) : "";
}

// Only of what nothing else speaks for.
void AddBirths(int64_t since, v1::PathFact* fact) {
  if (since <= 0 || fact->ignored() || fact->tracked_clean() || fact->resolved().empty()) return;
  const Births births = BirthsIn(fact->resolved(), geteuid(), since);
  fact->set_born_unix_ns(births.oldest_unix_ns);
  fact->set_own(births.own);
}

// What the kernel says is there at once; a crontab and a plan are files.
void AskHost(const v1::FactsWanted& wanted, const HostLook& host, Answer* answer) {
  for (int i = 0; i < std::min(wanted.listeners_size(), kMaxListeners); ++i) {
    host.listeners.Answer(wanted.listeners(i), answer->facts().add_listeners());
  }
  for (int i = 0; i < std::min(wanted.processes_size(), kMaxProcesses); ++i) {
    DescribeProcess(host, wanted.processes(i), answer->facts().add_processes());
  }
  if (wanted.container_store()) DescribeContainers(host, answer->facts().mutable_containers());
  answer->Checkpoint();
}

void ReadHostFiles(const v1::FactsWanted& wanted, const Target& target, const HostLook& host, const SafeFiles& files,
                   Answer* answer) {
  if (wanted.crontab()) {
    DescribeCrontab(host, files, PathVariable(EnvironmentOf(target), "HOME"), answer->facts().mutable_crontab());
    answer->Checkpoint();
  }
  for (int i = 0; i < std::min(wanted.plans_size(), kMaxPlans); ++i) {
    v1::PlanFact fact;
    DescribePlan(files, wanted.plans(i), &fact);
    *answer->facts().add_plans() = std::move(fact);
    answer->Checkpoint();
  }
}

std::string WorkingDirectory() {
  char path[PATH_MAX];
  if (getcwd(path, sizeof(path)) == nullptr || path[0] != '/') return "";
  return path;
}

}  // namespace

std::string PathVariable(const std::string& environment, const std::string& name) {
  const std::string start = absl::StrCat(name, "=/");
  for (const absl::string_view word : absl::StrSplit(environment, '\0')) {
    if (absl::StartsWith(word, start) && word.size() < PATH_MAX) return std::string(word.substr(name.size() + 1));
  }
  return "";
}

void AnswerRequest(const v1::FactsWanted& wanted, const Target& target, const HostLook& host, Answer* answer) {
  const SafeFiles files(target.own_fds.get());
  const int paths = std::min(wanted.paths_size(), kMaxPaths);
  for (int i = 0; i < paths; ++i) {
    DescribePath(wanted.paths(i), answer->facts().add_paths());
    answer->Checkpoint();
  }
  if (wanted.paths_size() > paths) answer->AddProblem(absl::StrCat("reader: only ", paths, " paths were looked at"));
  AskHost(wanted, host, answer);
  ReadContents(wanted, files, answer);
  ReadHostFiles(wanted, target, host, files, answer);
  if (wanted.standard_input_bytes() > 0) {
    v1::StandardInputFact input;
    PeekInput(target.input.get(), std::min<size_t>(wanted.standard_input_bytes(), kMaxInputBytes),
              std::min(wanted.standard_input_wait_ms(), kMaxInputWaitMs), &input);
    *answer->facts().mutable_standard_input() = std::move(input);
    answer->Checkpoint();
  }
  for (int i = 0; i < std::min(wanted.trees_size(), kMaxTrees); ++i) {
    DescribeTree(wanted.trees(i), answer->facts().add_trees());
    answer->Checkpoint();
  }
  if (wanted.executable_texts_size() > 0) SearchExecutable(wanted, target, answer);

  const bool git_status = wanted.git_status() || wanted.git_changes();
  const bool git_state = wanted.git_state() || git_status;
  if (paths > 0 || git_state) {
    const std::string environment = EnvironmentOf(target);
    GitFacts git(files, PathVariable(environment, "HOME"), PathVariable(environment, "XDG_CONFIG_HOME"));
    const std::string folder = WorkingDirectory();
    if (git_state && !folder.empty()) {
      v1::GitFact& fact = *answer->facts().mutable_git();
      git.Names(folder, &fact);
      // Until its state is known it is not known to be clean, also where there is no time left to find out.
      if (git_status && fact.problem().empty() && !fact.root().empty()) fact.set_problem(kNotYet);
      answer->Checkpoint();
    }
    for (int i = 0; i < paths; ++i) {
      v1::PathFact fact = answer->facts().paths(i);
      if (!fact.exists()) continue;
      git.Path(&fact);
      AddBirths(wanted.since_unix_ns(), &fact);
      *answer->facts().mutable_paths(i) = std::move(fact);
      answer->Checkpoint();
    }
    if (wanted.executable_sha256()) HashExecutable(target, answer);
    if (git_status && !folder.empty()) {
      v1::GitFact fact = answer->facts().git();
      if (fact.problem() == kNotYet) fact.clear_problem();
      git.Status(folder, wanted, &fact);
      *answer->facts().mutable_git() = std::move(fact);
      answer->Checkpoint();
    } else if (git_state && folder.empty()) {
      answer->facts().mutable_git()->set_problem("the working directory is gone or out of reach");
    }
  } else if (wanted.executable_sha256()) {
    HashExecutable(target, answer);
  }
}

}  // namespace holdpoint::reader
