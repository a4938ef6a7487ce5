#include "agent/response/told_fd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "agent/base/clock.h"
#include "agent/response/proc.h"
#include "agent/response/sys.h"

namespace holdpoint {
namespace {

constexpr int kStderr = 2;
constexpr int kGenerations = 4;
// A terminal says "writable" from 256 free bytes on; a pipe takes PIPE_BUF at once or says "full".
constexpr size_t kTerminalPiece = 256;
constexpr unsigned long kConfigfsMagic = 0x62656570;  // not in linux/magic.h

// File systems whose files are commands to the kernel. The text goes nowhere near them, although it would be written
// to what the session itself opened: the writer is root.
bool IsCommandFileSystem(int fd) {
  constexpr std::array<unsigned long, 16> kMagic = {
      PROC_SUPER_MAGIC, SYSFS_MAGIC,          CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC,
      SECURITYFS_MAGIC, SELINUX_MAGIC,        SMACK_MAGIC,        EFIVARFS_MAGIC,      BPF_FS_MAGIC,  NSFS_MAGIC,
      PSTOREFS_MAGIC,   RDTGROUP_SUPER_MAGIC, BINFMTFS_MAGIC,     kConfigfsMagic};
  struct statfs fs;
  if (fstatfs(fd, &fs) != 0) return true;
  return std::find(kMagic.begin(), kMagic.end(), static_cast<unsigned long>(fs.f_type)) != kMagic.end();
}

// Empty, or why the text is not written there.
std::string WhyUnfit(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) return absl::StrCat("cannot be examined: ", strerror(errno));
  const int mode = fcntl(fd, F_GETFL);
  if (mode < 0 || (mode & O_PATH) != 0 || (mode & O_ACCMODE) == O_RDONLY) return "is not open for writing";
  if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) return "";
  if (S_ISREG(st.st_mode)) return IsCommandFileSystem(fd) ? "is a file of the kernel's own" : "";
  if (S_ISCHR(st.st_mode)) {
    if (st.st_rdev == makedev(1, 3)) return "is /dev/null";
    return isatty(fd) ? "" : "is a device";
  }
  return "is neither file, pipe, socket nor terminal";
}

// Milliseconds left, at least 0, for poll(2).
int LeftMs(BootTime deadline) {
  const absl::Duration left = deadline - Clock::Real().Boot();
  return static_cast<int>(std::clamp<int64_t>(absl::ToInt64Milliseconds(left), 0, 60'000));
}

// One attempt that never blocks where the kernel has a way to say so. Returns bytes written, or -1 with errno.
ssize_t WriteSome(int fd, mode_t type, absl::string_view text) {
  if (type == S_IFSOCK) return send(fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (type == S_IFIFO) {
    iovec piece{const_cast<char*>(text.data()), text.size()};
    const ssize_t put = pwritev2(fd, &piece, 1, -1, RWF_NOWAIT);  // Pipes know it from Linux 6.4 on.
    if (put >= 0 || (errno != EOPNOTSUPP && errno != EINVAL)) return put;
  }
  return write(fd, text.data(), type == S_IFCHR ? std::min(text.size(), kTerminalPiece) : text.size());
}

// Where ptrace, and with it pidfd_getfd, is forbidden to everybody (yama 3): the same file or terminal opened anew, at
// its end. Sockets cannot be opened so.
UniqueFd ReopenStderr(const ProcessId& id) {
  auto dir = ProcDir::Open(id);
  if (!dir.ok()) return UniqueFd();
  auto place = dir->OpenFile("fd/2", O_PATH);
  struct stat st;
  if (!place.ok() || fstat(place->get(), &st) != 0) return UniqueFd();
  const bool terminal = S_ISCHR(st.st_mode) && major(st.st_rdev) >= 136 && major(st.st_rdev) <= 143;  // Unix98 ptys
  if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !terminal) return UniqueFd();
  auto fd = dir->OpenFile("fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
  return fd.ok() ? std::move(*fd) : UniqueFd();
}

}  // namespace

ToldFd FindStderr(int pidfd, const ProcessId& id) {
  ToldFd told;
  UniqueFd own = sys::PidfdGetfd(pidfd, kStderr);
  const int problem = own.ok() ? 0 : errno;
  if (problem == EPERM) own = ReopenStderr(id);
  std::string unfit = own.ok()           ? WhyUnfit(own.get())
                      : problem == EBADF ? "is closed"
                                         : absl::StrCat("cannot be taken: ", strerror(problem));
  if (unfit.empty()) {
    told.fd = std::move(own);
    return told;
  }
  told.detail = absl::StrCat("its stderr ", unfit);

  auto dir = ProcDir::Open(id);
  auto stat = dir.ok() ? dir->Stat() : absl::StatusOr<ProcStat>(dir.status());
  auto uid = dir.ok() ? dir->RealUid() : absl::StatusOr<uint32_t>(dir.status());
  if (!stat.ok() || !uid.ok()) return told;
  pid_t parent = stat->parent;
  for (int generation = 0; generation < kGenerations && parent > 1 && parent != getpid(); ++generation) {
    UniqueFd parent_pidfd = sys::PidfdOpen(parent);
    auto parent_dir = ProcDir::OpenPid(parent);
    if (!parent_pidfd.ok() || !parent_dir.ok()) return told;
    auto parent_stat = parent_dir->Stat();
    auto parent_uid = parent_dir->RealUid();
    if (!parent_stat.ok() || !parent_uid.ok() || *parent_uid != *uid || parent_stat->session != stat->session)
      return told;
    UniqueFd fd = sys::PidfdGetfd(parent_pidfd.get(), kStderr);
    if (fd.ok() && WhyUnfit(fd.get()).empty() && !sys::PidfdEnded(parent_pidfd.get())) {
      absl::StrAppend(&told.detail, "; told on the stderr of process ", parent, " above it");
      told.fd = std::move(fd);
      return told;
    }
    parent = parent_stat->parent;
  }
  return told;
}

std::string WriteAll(int fd, absl::string_view text, absl::Duration patience) {
  const BootTime deadline = Clock::Real().Boot() + patience;
  struct stat st;
  if (fstat(fd, &st) != 0) return absl::StrCat("its stderr: ", strerror(errno));
  const mode_t type = st.st_mode & S_IFMT;
  while (!text.empty()) {
    if (type != S_IFREG) {
      pollfd poller{.fd = fd, .events = POLLOUT, .revents = 0};
      const int ready = poll(&poller, 1, LeftMs(deadline));
      if (ready < 0 && errno == EINTR) continue;
      if (ready == 0) return "its stderr is full and nobody reads it";
      if (ready < 0 || (poller.revents & (POLLERR | POLLNVAL)) != 0) return "its stderr has no reader";
    }
    const ssize_t put = WriteSome(fd, type, text);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN && LeftMs(deadline) > 0) {
      poll(nullptr, 0, 1);  // Said to be writable, was not: somebody else was faster. Do not spin on it.
      continue;
    }
    if (put <= 0) return absl::StrCat("its stderr: ", put < 0 ? strerror(errno) : "takes nothing");
    text.remove_prefix(static_cast<size_t>(put));
  }
  return "";
}

}  // namespace holdpoint
