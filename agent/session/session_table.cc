#include "agent/session/session_table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

// The first four hexadecimal digits of a boot id, "0000" where it has none.
std::string BootDigits(absl::string_view boot_id) {
  std::string digits;
  for (char c : boot_id) {
    if (digits.size() == 4) break;
    if (absl::ascii_isxdigit(static_cast<unsigned char>(c))) digits.push_back(absl::ascii_tolower(c));
  }
  return digits.size() == 4 ? digits : "0000";
}

}  // namespace

SessionTable::SessionTable(absl::string_view boot_id, Limits limits)
    : id_prefix_(absl::StrCat("s-", BootDigits(boot_id), "-")), limits_(limits) {}

std::string SessionTable::IdOf(SessionNumber number) const { return absl::StrCat(id_prefix_, number); }

absl::StatusOr<Session*> SessionTable::Add(Session session) {
  const SessionNumber number = session.number;
  if (number == 0) return absl::InvalidArgumentError("session table: number 0 means \"no session\"");
  if (entries_.contains(number)) {
    return absl::AlreadyExistsError(absl::StrCat("session table: ", IdOf(number), " is there already"));
  }
  if (entries_.size() >= limits_.sessions) {
    return absl::ResourceExhaustedError(
        absl::StrCat("session table: no place for ", IdOf(number), ", ", limits_.sessions, " sessions are the most"));
  }
  session.id = IdOf(number);
  const ProcessId root = session.root;
  Entry& entry = entries_[number];
  entry.session = std::move(session);
  if (root.tgid > 0) ProcessSeen(number, root);
  return &entry.session;
}

Session* SessionTable::Find(SessionNumber number) {
  auto found = entries_.find(number);
  return found == entries_.end() ? nullptr : &found->second.session;
}

const Session* SessionTable::Find(SessionNumber number) const {
  auto found = entries_.find(number);
  return found == entries_.end() ? nullptr : &found->second.session;
}

Session* SessionTable::FindById(absl::string_view id) {
  for (auto& [number, entry] : entries_) {
    if (entry.session.id == id) return &entry.session;
  }
  return nullptr;
}

std::vector<const Session*> SessionTable::All() const {
  std::vector<const Session*> all;
  all.reserve(entries_.size());
  for (const auto& [number, entry] : entries_) all.push_back(&entry.session);
  return all;
}

void SessionTable::Erase(SessionNumber number) {
  auto found = entries_.find(number);
  if (found == entries_.end()) return;
  for (const ProcessId& process : found->second.live) by_process_.erase(process);
  entries_.erase(found);
}

void SessionTable::ProcessSeen(SessionNumber number, const ProcessId& process) {
  auto found = entries_.find(number);
  if (found == entries_.end() || exited_.contains(process)) return;
  Entry& entry = found->second;
  if (entry.live.contains(process)) return;
  if (entry.live.size() >= limits_.processes_per_session) {
    entry.incomplete = true;
    ++untracked_;
    return;
  }
  // A nested session relabels a running process: it belongs to the last one that was said.
  if (auto before = by_process_.find(process); before != by_process_.end()) {
    entries_[before->second].live.erase(process);
  }
  entry.live.insert(process);
  by_process_[process] = number;
}

void SessionTable::ProcessExited(SessionNumber number, const ProcessId& process) {
  if (auto found = by_process_.find(process); found != by_process_.end()) {
    entries_[found->second].live.erase(process);
    by_process_.erase(found);
  }
  if (!entries_.contains(number) || limits_.exits_remembered == 0 || !exited_.insert(process).second) return;
  if (exited_ring_.size() < limits_.exits_remembered) {
    exited_ring_.push_back(process);
    return;
  }
  exited_.erase(exited_ring_[exited_next_]);
  exited_ring_[exited_next_] = process;
  exited_next_ = (exited_next_ + 1) % exited_ring_.size();
}

size_t SessionTable::LiveProcesses(SessionNumber number) const {
  auto found = entries_.find(number);
  return found == entries_.end() ? 0 : found->second.live.size();
}

std::vector<ProcessId> SessionTable::Processes(SessionNumber number) const {
  auto found = entries_.find(number);
  if (found == entries_.end()) return {};
  std::vector<ProcessId> processes(found->second.live.begin(), found->second.live.end());
  std::sort(processes.begin(), processes.end());
  return processes;
}

std::optional<SessionNumber> SessionTable::SessionOf(const ProcessId& process) const {
  auto found = by_process_.find(process);
  if (found == by_process_.end()) return std::nullopt;
  return found->second;
}

std::vector<SessionNumber> SessionTable::MaybeEnded() const {
  std::vector<SessionNumber> ended;
  for (const auto& [number, entry] : entries_) {
    if (entry.session.state != SessionState::kEnded && (entry.live.empty() || entry.incomplete))
      ended.push_back(number);
  }
  return ended;
}

std::vector<SessionNumber> SessionTable::Reconcile(const std::vector<std::pair<SessionNumber, ProcessId>>& alive) {
  by_process_.clear();
  for (auto& [number, entry] : entries_) {
    entry.live.clear();
    entry.incomplete = false;
  }
  for (const auto& [number, process] : alive) ProcessSeen(number, process);

  std::vector<SessionNumber> ended;
  for (auto& [number, entry] : entries_) {
    if (entry.session.state == SessionState::kEnded || !entry.live.empty() || entry.incomplete) continue;
    entry.session.state = SessionState::kEnded;
    ended.push_back(number);
  }
  return ended;
}

}  // namespace holdpoint
