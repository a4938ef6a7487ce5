#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "agent/base/fd.h"
#include "agent/base/watched_file.h"

namespace holdpoint {

// Tells of the opening and reading of single files: a fanotify(7) group that reports file ids. The marks are made by
// holdpoint-reader, which gets fd(). Other files, and processes that open them, cost nothing. Nothing is ever stopped.
//
// The kernel's records are read in bounded pieces of fixed layout. One thread.
class OpenWatch {
 public:
  struct Event {
    bool opened = false, read = false, closed = false;  // of a file; several at once where nobody drained between
    bool gone = false;                  // and the file with it: it has no name and nobody has it open
    bool put = false;                   // something was put into a folder
    bool lost = false;                  // the queue was full; nothing else is set
    pid_t tgid = 0;
    UniqueFd pidfd{};    // empty: the process has ended
    std::string key{};   // KeyOf() the file, or the folder
    std::string name{};  // of what was put into the folder; any bytes
  };

  // kUnimplemented, kPermissionDenied and the like: this kernel has no such group (before 5.15), or not for us.
  static absl::StatusOr<std::unique_ptr<OpenWatch>> Create();
  // Over anything else that gives whole records of that layout.
  explicit OpenWatch(UniqueFd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }
  // Whether Drain() would give something. One system call.
  bool Waiting() const;
  // At most `max` events, oldest first.
  void Drain(size_t max, const std::function<void(Event)>& sink);
  // Takes every mark away.
  void Forget();

  static std::string KeyOf(const WatchedFile& file);

 private:
  UniqueFd fd_;
};

}  // namespace holdpoint
