#include "agent/gate/marked_files.h"

#include <algorithm>
#include <utility>

namespace holdpoint {

MarkedFiles::Added MarkedFiles::Add(const std::string& key, File file, BootTime now) {
  Added added = Added::kYes;
  if (files_.size() >= max_files_ && !files_.contains(key)) {
    const auto oldest = std::min_element(files_.begin(), files_.end(),
                                         [](const auto& a, const auto& b) { return a.second.found < b.second.found; });
    if (oldest == files_.end() || oldest->second.found >= now) return Added::kNoRoom;
    files_.erase(oldest);
    added = Added::kForAnother;
  }
  files_[key] = Known{.file = std::make_shared<const File>(std::move(file)), .found = now};
  return added;
}

std::shared_ptr<const MarkedFiles::File> MarkedFiles::Find(const std::string& key) const {
  const auto known = files_.find(key);
  return known == files_.end() ? nullptr : known->second.file;
}

bool MarkedFiles::AddFolder(const std::string& key, SessionNumber session) {
  if (folders_.size() >= max_folders_ && !folders_.contains(key)) return false;
  folders_[key].insert(session);
  return true;
}

std::set<SessionNumber> MarkedFiles::Sessions(const std::string& folder) const {
  const auto known = folders_.find(folder);
  return known == folders_.end() ? std::set<SessionNumber>() : known->second;
}

void MarkedFiles::SessionEnded(SessionNumber session) {
  for (auto it = folders_.begin(); it != folders_.end();) {
    it->second.erase(session);
    it = it->second.empty() ? folders_.erase(it) : std::next(it);
  }
}

void MarkedFiles::Clear() {
  files_.clear();
  folders_.clear();
}

}  // namespace holdpoint
