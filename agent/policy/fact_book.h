#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/policy/act.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// What the reader found out about the world of one act, and what the evaluation would still like to know. A question
// without an answer is noted; the caller has it read and evaluates again. Borrows the facts. One thread.
class FactBook {
 public:
  static constexpr size_t kMaxPaths = 32;  // and as many folders: the reader looks at 64
  static constexpr size_t kMaxContents = 16;
  static constexpr size_t kMaxTrees = 8;
  static constexpr size_t kMaxListeners = 8;
  static constexpr size_t kMaxProcesses = 16;
  static constexpr size_t kMaxPlans = 2;
  static constexpr uint32_t kMaxContentBytes = 64 * 1024;
  static constexpr uint32_t kMaxInputBytes = 64 * 1024;  // as much as a pipe holds
  static constexpr uint32_t kInputWaitMs = 300;          // for whoever writes into a pipe to end
  static constexpr uint32_t kBudgetMs = 150;

  // `facts` may be null: nothing is known yet.
  explicit FactBook(const v1::Facts* facts);

  // Each gives null where nothing is known. A question past the bounds above is not asked and counted in `dropped`;
  // so is one about a path that is no UTF-8, which the reader can't be asked about, or longer than any path can be.
  const v1::PathFact* Path(const std::string& path);
  // The folder of a path that was past the bound; as many folders may be asked about again.
  const v1::PathFact* Folder(const std::string& path);
  bool PastBound(const std::string& path) const;
  const v1::ContentFact* Content(const std::string& path);
  // The same for what is only said of an act: no part of what its digest stands for.
  const v1::ContentFact* ContentAside(const std::string& path);
  // What the files of the repository say; of its working tree only what somebody has asked for.
  const v1::GitFact* Git();
  // The same with how many files are not as in HEAD, null until that is known or known to be a problem.
  const v1::GitFact* GitStatus();
  // The same with each file that is not as in HEAD.
  const v1::GitFact* GitChanges();
  // When something at or below a path changed last.
  const v1::TreeFact* Tree(const std::string& path);
  // Who takes connections there, of the network that the act is in.
  const v1::ListenerFact* Listener(const v1::ListenerWanted& wanted);
  const v1::ProcessFact* Process(uint32_t pid);
  // The session of a process that was asked about, 0 for none; nothing where the kernel was not asked.
  std::optional<uint64_t> SessionOf(const v1::ProcessFact& process) const;
  const v1::ContainerStoreFact* ContainerStore();
  const v1::CrontabFact* Crontab();
  const v1::PlanFact* Plan(const std::string& path);
  // What lies ready on descriptor 0.
  const v1::StandardInputFact* StandardInput();

  bool WantsMore() const {
    return wanted_.git_state() || wanted_.git_status() || wanted_.git_changes() || wanted_.paths_size() > 0 ||
           wanted_.content_of_size() > 0 || wanted_.trees_size() > 0 || wanted_.listeners_size() > 0 ||
           wanted_.processes_size() > 0 || wanted_.container_store() || wanted_.crontab() ||
           wanted_.plans_size() > 0 || wanted_.standard_input_bytes() > 0;
  }
  // Everything asked for in this evaluation, known or not, so that one answer serves the next evaluation whole.
  const v1::FactsWanted& wanted() const { return asked_; }
  size_t dropped() const { return dropped_; }
  const std::string& problem() const { return problem_; }

  // The files whose content was looked at, by name, for the act digest.
  std::vector<ActContent> Used() const;

 private:
  std::map<std::string, const v1::PathFact*, std::less<>> paths_;
  std::map<std::string, const v1::ContentFact*, std::less<>> contents_;
  std::map<std::string, const v1::TreeFact*, std::less<>> trees_;
  std::map<std::string, const v1::ListenerFact*, std::less<>> listeners_;  // by the serialised question
  std::map<uint32_t, const v1::ProcessFact*> processes_;
  std::map<uint32_t, uint64_t> labels_;  // by the host's pid
  std::map<std::string, const v1::PlanFact*, std::less<>> plans_;
  const v1::ContainerStoreFact* containers_ = nullptr;
  const v1::CrontabFact* crontab_ = nullptr;
  const v1::GitFact* git_ = nullptr;
  const v1::StandardInputFact* input_ = nullptr;
  std::string problem_;
  v1::FactsWanted wanted_;  // not known
  v1::FactsWanted asked_;   // all
  const v1::PathFact* Ask(const std::string& path, std::set<std::string>* asked);

  std::set<std::string> asked_paths_, asked_folders_, asked_contents_, asked_trees_, asked_listeners_, asked_plans_;
  std::set<uint32_t> asked_processes_;
  std::map<std::string, std::string> used_;
  size_t dropped_ = 0;
};

}  // namespace holdpoint
