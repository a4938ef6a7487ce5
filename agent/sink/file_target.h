#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "agent/base/fd.h"
#include "agent/sink/line_target.h"

namespace holdpoint {

// Appends lines to a file, or writes them to the standard output. Never leaves half a line in a file: what a full disk cut
// off is taken back, and what a crash left is ended before the next line. A file that was renamed or removed by whoever
// rotates it is opened anew.
class FileTarget : public LineTarget {
 public:
  // Opens or creates `path` (0640, never through a link) and gives it to `owner`, so that it can be opened again after
  // rights are given up. Errors: those of open(2), with the path; kFailedPrecondition for what is no regular file or has another name too.
  static absl::StatusOr<std::unique_ptr<FileTarget>> Open(const std::string& path, uid_t owner);
  static std::unique_ptr<FileTarget> Stdout();

  absl::Status Write(const std::vector<OutLine>& lines, size_t* taken) override;
  absl::Status Sync() override;

 private:
  explicit FileTarget(std::string path) : path_(std::move(path)) {}
  absl::Status Reopen(uid_t owner);
  absl::Status FollowRotation();
  absl::Status WriteOne(const std::string& line);

  const std::string path_;  // empty: the standard output
  UniqueFd file_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace holdpoint
