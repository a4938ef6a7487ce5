#include "agent/session/rollup.h"

#include <algorithm>

#include "agent/base/escape.h"

namespace holdpoint {
namespace {

int64_t MinuteOf(int64_t unix_ns) {
  constexpr int64_t kMinuteNs = 60'000'000'000;
  return unix_ns >= 0 ? unix_ns / kMinuteNs : (unix_ns - kMinuteNs + 1) / kMinuteNs;
}

}  // namespace

void Rollups::Add(SessionNumber session, Kind kind, absl::string_view subject, absl::Time when) {
  const int64_t unix_ns = absl::ToUnixNanos(when);
  std::string name = EscapeAndClip(subject, limits_.subject_bytes);

  auto found = sessions_.find(session);
  if (found == sessions_.end() && sessions_.size() >= limits_.sessions) {
    session = 0;
    name = std::string(kOther);
  }
  Minutes& minutes = sessions_[session];
  int64_t minute = MinuteOf(unix_ns);
  if (!minutes.contains(minute) && minutes.size() >= limits_.minutes_waiting) minute = minutes.rbegin()->first;
  Subjects& subjects = minutes[minute];

  std::pair<Kind, std::string> key{kind, std::move(name)};
  const bool full = subjects.size() >= limits_.subjects_per_minute || subjects_ >= limits_.subjects;
  if (full && !subjects.contains(key)) key.second = std::string(kOther);
  Count& count = subjects[std::move(key)];
  if (count.count == 0) ++subjects_;
  if (count.count == 0) count.first_unix_ns = count.last_unix_ns = unix_ns;
  ++count.count;
  count.first_unix_ns = std::min(count.first_unix_ns, unix_ns);
  count.last_unix_ns = std::max(count.last_unix_ns, unix_ns);
}

void Rollups::Take(SessionNumber session, const Subjects& subjects, std::vector<Rollup>& out) {
  subjects_ -= subjects.size();
  for (const auto& [key, count] : subjects) {
    out.push_back(Rollup{.session = session,
                         .kind = key.first == Kind::kExec ? "exec" : "connect",
                         .subject = key.second,
                         .count = count.count,
                         .first_unix_ns = count.first_unix_ns,
                         .last_unix_ns = count.last_unix_ns});
  }
}

std::vector<Rollup> Rollups::Flush(absl::Time now) {
  const int64_t current = MinuteOf(absl::ToUnixNanos(now));
  std::vector<Rollup> out;
  for (auto session = sessions_.begin(); session != sessions_.end();) {
    Minutes& minutes = session->second;
    for (auto minute = minutes.begin(); minute != minutes.end();) {
      if (minute->first == current) {
        ++minute;
        continue;
      }
      Take(session->first, minute->second, out);
      minute = minutes.erase(minute);
    }
    session = minutes.empty() ? sessions_.erase(session) : std::next(session);
  }
  return out;
}

std::vector<Rollup> Rollups::FlushSession(SessionNumber session) {
  std::vector<Rollup> out;
  auto found = sessions_.find(session);
  if (found == sessions_.end()) return out;
  for (const auto& [minute, subjects] : found->second) Take(session, subjects, out);
  sessions_.erase(found);
  return out;
}

std::vector<Rollup> Rollups::FlushAll() {
  std::vector<Rollup> out;
  for (const auto& [session, minutes] : sessions_) {
    for (const auto& [minute, subjects] : minutes) Take(session, subjects, out);
  }
  sessions_.clear();
  return out;
}

}  // namespace holdpoint
