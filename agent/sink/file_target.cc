#include "agent/sink/file_target.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr uid_t kNobodyElse = static_cast<uid_t>(-1);

}  // namespace

absl::StatusOr<std::unique_ptr<FileTarget>> FileTarget::Open(const std::string& path, uid_t owner) {
  std::unique_ptr<FileTarget> target(new FileTarget(path));
  HP_RETURN_IF_ERROR(target->Reopen(owner));
  return target;
}

std::unique_ptr<FileTarget> FileTarget::Stdout() { return std::unique_ptr<FileTarget>(new FileTarget("")); }

absl::Status FileTarget::Reopen(uid_t owner) {
  UniqueFd file(open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0640));
  struct stat st {};
  if (!file.ok() || fstat(file.get(), &st) != 0) return ErrnoStatus(path_);
  if (!S_ISREG(st.st_mode)) return absl::FailedPreconditionError(absl::StrCat(path_, ": is no regular file"));
  // In a folder of others it may be a second name of a file that is not to be given away.
  if (st.st_nlink > 1) return absl::FailedPreconditionError(absl::StrCat(path_, ": has more than one name"));
  if (owner != kNobodyElse && geteuid() == 0 && fchown(file.get(), owner, owner) != 0) return ErrnoStatus(path_);
  char last = '\n';
  if (st.st_size > 0 && pread(file.get(), &last, 1, st.st_size - 1) != 1) return ErrnoStatus(path_);
  if (last != '\n' && write(file.get(), "\n", 1) != 1) return ErrnoStatus(path_);
  file_ = std::move(file);
  device_ = st.st_dev;
  inode_ = st.st_ino;
  return absl::OkStatus();
}

absl::Status FileTarget::FollowRotation() {
  struct stat st {};
  if (lstat(path_.c_str(), &st) == 0 && st.st_dev == device_ && st.st_ino == inode_) return absl::OkStatus();
  absl::Status opened = Reopen(kNobodyElse);
  if (opened.ok()) return opened;
  return absl::UnavailableError(absl::StrCat(opened.message(), ", where the file was renamed or removed; create it for user ",
                                             geteuid(), ", or rotate it by copytruncate"));
}

absl::Status FileTarget::WriteOne(const std::string& line) {
  const int fd = path_.empty() ? STDOUT_FILENO : file_.get();
  size_t done = 0;
  while (done < line.size()) {
    const ssize_t size = write(fd, line.data() + done, line.size() - done);
    if (size > 0) {
      done += static_cast<size_t>(size);
    } else if (errno != EINTR) {
      const int error = errno;
      struct stat st {};
      // This process alone appends, so that its half line is the end of the file.
      if (done > 0 && !path_.empty() && fstat(fd, &st) == 0 && ftruncate(fd, st.st_size - static_cast<off_t>(done)) != 0) {
        file_.reset();  // Opened anew it begins with a line feed.
        device_ = 0;
      }
      return ErrnoStatus(path_.empty() ? "standard output" : path_, error);
    }
  }
  return absl::OkStatus();
}

absl::Status FileTarget::Write(const std::vector<OutLine>& lines, size_t* taken) {
  *taken = 0;
  if (!path_.empty()) HP_RETURN_IF_ERROR(FollowRotation());
  for (const OutLine& line : lines) {
    HP_RETURN_IF_ERROR(WriteOne(absl::StrCat(line.text, "\n")));
    ++*taken;
  }
  return absl::OkStatus();
}

absl::Status FileTarget::Sync() {
  if (path_.empty() || !file_.ok()) return absl::OkStatus();
  return fdatasync(file_.get()) == 0 ? absl::OkStatus() : ErrnoStatus(path_);
}

}  // namespace holdpoint
