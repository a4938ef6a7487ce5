#include "agent/cli/look.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdlib>

#include "agent/base/fd.h"
#include "agent/reader/answer_request.h"
#include "agent/reader/git_facts.h"
#include "agent/reader/path_facts.h"
#include "agent/reader/plan_facts.h"
#include "agent/reader/safe_file.h"

namespace holdpoint {
namespace {

std::string Variable(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

v1::Facts LookHere(const ExecAct& act, const v1::FactsWanted& wanted) {
  v1::Facts facts;
  const UniqueFd own_fds(open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const reader::SafeFiles files(own_fds.get());
  reader::GitFacts git(files, Variable("HOME"), Variable("XDG_CONFIG_HOME"));
  for (int i = 0; i < std::min(wanted.paths_size(), reader::kMaxPaths); ++i) {
    v1::PathFact* fact = facts.add_paths();
    reader::DescribePath(wanted.paths(i), fact);
    if (fact->exists()) git.Path(fact);
  }
  size_t left = reader::kMaxContentTotal;
  for (int i = 0; i < std::min(wanted.content_of_size(), reader::kMaxContents); ++i) {
    v1::ContentFact* fact = facts.add_contents();
    reader::ReadContent(files, wanted.content_of(i), std::min(reader::kMaxContentBytes, left), fact);
    left -= std::min(left, fact->content().size());
  }
  for (int i = 0; i < std::min(wanted.plans_size(), reader::kMaxPlans); ++i) {
    reader::DescribePlan(files, wanted.plans(i), facts.add_plans());
  }
  if (wanted.git_state()) {
    git.Names(act.cwd, facts.mutable_git());
    if (wanted.git_status() || wanted.git_changes()) git.Status(act.cwd, wanted, facts.mutable_git());
  }
  return facts;
}

}  // namespace holdpoint
