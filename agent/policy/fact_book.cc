#include "agent/policy/fact_book.h"

#include "agent/base/utf8.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxPathLength = 4096;  // of Linux: nothing is called by more

bool CanBeAsked(const std::string& path) { return path.size() <= kMaxPathLength && IsValidUtf8(path); }

}  // namespace

FactBook::FactBook(const v1::Facts* facts) {
  asked_.set_max_bytes(kMaxContentBytes);
  asked_.set_budget_ms(kBudgetMs);
  if (facts == nullptr) return;
  for (const v1::PathFact& fact : facts->paths()) paths_[fact.path()] = &fact;
  for (const v1::ContentFact& fact : facts->contents()) contents_[fact.path()] = &fact;
  for (const v1::TreeFact& fact : facts->trees()) trees_[fact.path()] = &fact;
  for (const v1::ListenerFact& fact : facts->listeners()) listeners_[fact.asked().SerializeAsString()] = &fact;
  for (const v1::ProcessFact& fact : facts->processes()) processes_[fact.pid()] = &fact;
  for (const v1::ProcessLabel& label : facts->labels()) labels_[label.pid()] = label.session();
  for (const v1::PlanFact& fact : facts->plans()) plans_[fact.path()] = &fact;
  if (facts->has_containers()) containers_ = &facts->containers();
  if (facts->has_crontab()) crontab_ = &facts->crontab();
  if (facts->has_git()) git_ = &facts->git();
  if (facts->has_standard_input()) input_ = &facts->standard_input();
  problem_ = facts->problem();
}

const v1::PathFact* FactBook::Ask(const std::string& path, std::set<std::string>* asked) {
  const auto it = paths_.find(path);
  const v1::PathFact* known = it == paths_.end() ? nullptr : it->second;
  if (asked->count(path) != 0) return known;
  if (asked->size() >= kMaxPaths || !CanBeAsked(path)) {
    if (known == nullptr) ++dropped_;
    return known;
  }
  asked->insert(path);
  asked_.add_paths(path);
  if (known == nullptr) wanted_.add_paths(path);
  return known;
}

const v1::PathFact* FactBook::Path(const std::string& path) { return Ask(path, &asked_paths_); }
const v1::PathFact* FactBook::Folder(const std::string& path) { return Ask(path, &asked_folders_); }

bool FactBook::PastBound(const std::string& path) const {
  return asked_paths_.size() >= kMaxPaths && asked_paths_.count(path) == 0 && CanBeAsked(path);
}

const v1::ContentFact* FactBook::Content(const std::string& path) {
  const v1::ContentFact* known = ContentAside(path);
  if (known != nullptr) used_[path] = known->sha256();
  return known;
}

const v1::ContentFact* FactBook::ContentAside(const std::string& path) {
  const auto it = contents_.find(path);
  const v1::ContentFact* known = it == contents_.end() ? nullptr : it->second;
  if (asked_contents_.count(path) != 0) return known;
  if (asked_contents_.size() >= kMaxContents || !CanBeAsked(path)) {
    if (known == nullptr) ++dropped_;
    return known;
  }
  asked_contents_.insert(path);
  asked_.add_content_of(path);
  if (known == nullptr) wanted_.add_content_of(path);
  return known;
}

const v1::GitFact* FactBook::Git() {
  asked_.set_git_state(true);
  if (git_ == nullptr) wanted_.set_git_state(true);
  return git_;
}

const v1::GitFact* FactBook::GitStatus() {
  asked_.set_git_status(true);
  const v1::GitFact* known = Git();
  if (known != nullptr && (known->status_known() || known->root().empty() || !known->problem().empty())) return known;
  wanted_.set_git_status(true);
  return nullptr;
}

const v1::GitFact* FactBook::GitChanges() {
  asked_.set_git_changes(true);
  if (git_ == nullptr || (!git_->changes_whole() && git_->changes().empty())) wanted_.set_git_changes(true);
  return Git();
}

const v1::TreeFact* FactBook::Tree(const std::string& path) {
  const auto it = trees_.find(path);
  const v1::TreeFact* known = it == trees_.end() ? nullptr : it->second;
  if (asked_trees_.count(path) != 0 || asked_trees_.size() >= kMaxTrees || !CanBeAsked(path)) return known;
  asked_trees_.insert(path);
  asked_.add_trees(path);
  if (known == nullptr) wanted_.add_trees(path);
  return known;
}

const v1::ListenerFact* FactBook::Listener(const v1::ListenerWanted& wanted) {
  const std::string key = wanted.SerializeAsString();
  const auto it = listeners_.find(key);
  const v1::ListenerFact* known = it == listeners_.end() ? nullptr : it->second;
  if (asked_listeners_.count(key) != 0 || asked_listeners_.size() >= kMaxListeners ||
      !IsValidUtf8(wanted.unix_socket()) || !IsValidUtf8(wanted.address())) {
    return known;
  }
  asked_listeners_.insert(key);
  *asked_.add_listeners() = wanted;
  if (known == nullptr) *wanted_.add_listeners() = wanted;
  return known;
}

const v1::ProcessFact* FactBook::Process(uint32_t pid) {
  const auto it = processes_.find(pid);
  const v1::ProcessFact* known = it == processes_.end() ? nullptr : it->second;
  if (asked_processes_.count(pid) != 0 || asked_processes_.size() >= kMaxProcesses) return known;
  asked_processes_.insert(pid);
  asked_.add_processes(pid);
  if (known == nullptr) wanted_.add_processes(pid);
  return known;
}

std::optional<uint64_t> FactBook::SessionOf(const v1::ProcessFact& process) const {
  const auto it = labels_.find(process.host_pid());
  if (it == labels_.end()) return std::nullopt;
  return it->second;
}

const v1::ContainerStoreFact* FactBook::ContainerStore() {
  asked_.set_container_store(true);
  if (containers_ == nullptr) wanted_.set_container_store(true);
  return containers_;
}

const v1::CrontabFact* FactBook::Crontab() {
  asked_.set_crontab(true);
  if (crontab_ == nullptr) wanted_.set_crontab(true);
  return crontab_;
}

const v1::PlanFact* FactBook::Plan(const std::string& path) {
  const auto it = plans_.find(path);
  const v1::PlanFact* known = it == plans_.end() ? nullptr : it->second;
  if (known != nullptr && !known->sha256().empty()) used_[path] = known->sha256();
  if (asked_plans_.count(path) != 0 || asked_plans_.size() >= kMaxPlans || !IsValidUtf8(path)) return known;
  asked_plans_.insert(path);
  asked_.add_plans(path);
  if (known == nullptr) wanted_.add_plans(path);
  return known;
}

const v1::StandardInputFact* FactBook::StandardInput() {
  for (v1::FactsWanted* wanted : {&asked_, &wanted_}) {
    if (wanted == &wanted_ && input_ != nullptr) continue;
    wanted->set_standard_input_bytes(kMaxInputBytes);
    wanted->set_standard_input_wait_ms(kInputWaitMs);
  }
  // What may go on is no content that an approval could stand for.
  if (input_ != nullptr) used_["standard input"] = input_->whole() && !input_->cut() ? input_->sha256() : "not whole";
  return input_;
}

std::vector<ActContent> FactBook::Used() const {
  std::vector<ActContent> used;
  for (const auto& [name, sha256] : used_) used.push_back({name, sha256});
  return used;
}

}  // namespace holdpoint
