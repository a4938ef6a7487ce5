#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "agent/base/clock.h"
#include "agent/base/ids.h"
#include "agent/base/watched_file.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// What has marks, of all sessions: files, and the folders that one may be put into, each by the id that fanotify(7) gives
// it (OpenWatch::KeyOf).
//
// A file is known until it is gone, under whatever name: one that was replaced may have another. Where there is no room,
// the one that no look has found for the longest time makes some. Pure; one thread.
class MarkedFiles {
 public:
  struct File {
    WatchedFile found;
    v1::CredentialFile from;
  };
  enum class Added {
    kYes,
    kForAnother,  // one that may still be there is not known any more
    kNoRoom,
  };

  explicit MarkedFiles(size_t max_files = 4096, size_t max_folders = 4096)
      : max_files_(max_files), max_folders_(max_folders) {}

  // A look found it `now`. One that is known is taken as it was found last.
  Added Add(const std::string& key, File file, BootTime now);
  // Null where it is not known. It stays valid when the file is gone: what it was opened for may be told later.
  std::shared_ptr<const File> Find(const std::string& key) const;
  void Gone(const std::string& key) { files_.erase(key); }

  // False: no room.
  bool AddFolder(const std::string& key, SessionNumber session);
  // The sessions that look for something in it.
  std::set<SessionNumber> Sessions(const std::string& folder) const;

  void SessionEnded(SessionNumber session);
  void Clear();
  size_t files() const { return files_.size(); }
  bool empty() const { return files_.empty() && folders_.empty(); }

 private:
  struct Known {
    std::shared_ptr<const File> file;
    BootTime found;
  };

  const size_t max_files_, max_folders_;
  std::map<std::string, Known> files_;
  std::map<std::string, std::set<SessionNumber>> folders_;
};

}  // namespace holdpoint
