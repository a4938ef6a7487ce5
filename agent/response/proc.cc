#include "agent/response/proc.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "agent/base/file_id.h"
#include "agent/base/status.h"
#include "agent/response/sys.h"

namespace holdpoint {
namespace {

// USER_HZ of every architecture that Holdpoint knows; part of the kernel's interface, not of its configuration.
constexpr uint64_t kNsPerTick = 10'000'000;

// A small file of /proc in one read: the kernel makes it whole for each read from its beginning.
absl::StatusOr<std::string> ReadSmall(int fd, absl::string_view what) {
  char text[8192];  // on the stack: all of a string that long would be written to first
  ssize_t got;
  do {
    got = pread(fd, text, sizeof(text), 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return ErrnoStatus(what);
  return std::string(text, static_cast<size_t>(got));
}

uint64_t Number(const std::vector<absl::string_view>& fields, size_t index) {
  uint64_t value = 0;
  return index < fields.size() && absl::SimpleAtoi(fields[index], &value) ? value : 0;
}

// Bytes of a pointer on the stack of this process. The kernel's copy of the auxiliary vector is in words of that size
// and begins with a small number: read as 64-bit words, that of a 32-bit program begins with a large one.
absl::StatusOr<size_t> WordWidth(const ProcDir& dir) {
  HP_ASSIGN_OR_RETURN(UniqueFd fd, dir.OpenFile("auxv", O_RDONLY));
  uint64_t first;
  if (pread(fd.get(), &first, sizeof(first), 0) != sizeof(first)) return absl::DataLossError("/proc/PID/auxv: empty");
  return first >> 32 == 0 ? sizeof(uint64_t) : sizeof(uint32_t);
}

}  // namespace

absl::StatusOr<ProcDir> ProcDir::OpenPid(pid_t pid) {
  const std::string path = absl::StrCat("/proc/", pid);
  UniqueFd dir(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir.ok()) return ErrnoStatus(path);
  return ProcDir(std::move(dir));
}

absl::StatusOr<ProcDir> ProcDir::Open(const ProcessId& id) {
  HP_ASSIGN_OR_RETURN(ProcDir dir, OpenPid(id.tgid));
  HP_RETURN_IF_ERROR(dir.LearnAddresses());
  if (dir.stat_->start_ticks != id.start_boot_ns / kNsPerTick) {
    return absl::NotFoundError(absl::StrCat("process ", id.tgid, " has ended: its pid is another process now"));
  }
  return dir;
}

absl::StatusOr<UniqueFd> ProcDir::OpenFile(const char* name, int flags) const {
  UniqueFd fd(openat(dir_.get(), name, flags | O_CLOEXEC));
  if (!fd.ok()) return ErrnoStatus(absl::StrCat("/proc/PID/", name));
  return fd;
}

absl::StatusOr<ProcStat> ProcDir::Stat() const {
  HP_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile("stat", O_RDONLY));
  HP_ASSIGN_OR_RETURN(std::string text, ReadSmall(fd.get(), "/proc/PID/stat"));
  // "pid (comm) state ppid ...": comm is the process's to choose, so the numbers begin behind the last bracket.
  const size_t bracket = text.rfind(')');
  if (bracket == std::string::npos) return absl::DataLossError("/proc/PID/stat: no ')' in it");
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(text).substr(bracket + 1), absl::ByAnyChar(" \n"), absl::SkipEmpty());
  constexpr size_t kState = 3;  // proc(5) counts from 1, and the first one here is its field 3
  if (fields.size() <= 22 - kState) return absl::DataLossError("/proc/PID/stat: too few fields");
  ProcStat stat;
  stat.state = fields[0][0];
  stat.parent = static_cast<pid_t>(Number(fields, 4 - kState));
  stat.session = static_cast<pid_t>(Number(fields, 6 - kState));
  stat.start_ticks = Number(fields, 22 - kState);
  stat.stack_start = Number(fields, 28 - kState);
  stat.argv_start = Number(fields, 48 - kState);
  stat.argv_end = Number(fields, 49 - kState);
  stat.environ_start = Number(fields, 50 - kState);
  stat.environ_end = Number(fields, 51 - kState);
  return stat;
}

absl::Status ProcDir::LearnAddresses() {
  if (stat_.has_value()) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(stat_, Stat());
  return absl::OkStatus();
}

absl::StatusOr<ProcText> ProcDir::Memory(uint64_t start, uint64_t end, size_t max, const char* what) {
  if (start == 0 || end < start) return absl::DataLossError(absl::StrCat(what, ": its place in memory is not known"));
  if (!memory_.ok()) {
    HP_ASSIGN_OR_RETURN(memory_, OpenFile("mem", O_RDONLY));
  }
  ProcText text;
  text.cut = end - start > max;
  text.bytes.resize(std::min<uint64_t>(end - start, max));
  for (size_t done = 0; done < text.bytes.size();) {
    const ssize_t got =
        pread(memory_.get(), text.bytes.data() + done, text.bytes.size() - done, static_cast<off_t>(start + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return absl::DataLossError(absl::StrCat(what, ": read ", done, " of ", text.bytes.size(),
                                              " bytes: ", got < 0 ? strerror(errno) : "gone"));
    }
    done += static_cast<size_t>(got);
  }
  return text;
}

absl::StatusOr<ProcText> ProcDir::Argv(size_t max) {
  HP_RETURN_IF_ERROR(LearnAddresses());
  return Memory(stat_->argv_start, stat_->argv_end, max, "argv");
}

absl::StatusOr<ProcText> ProcDir::Environ(size_t max) {
  HP_RETURN_IF_ERROR(LearnAddresses());
  return Memory(stat_->environ_start, stat_->environ_end, max, "environment");
}

absl::Status ProcDir::CheckArgvPointers() {
  constexpr uint64_t kArgumentsMax = 1 << 20;  // execve's own bound on memory is lower
  HP_RETURN_IF_ERROR(LearnAddresses());
  HP_ASSIGN_OR_RETURN(ProcText argv, Memory(stat_->argv_start, stat_->argv_end, 8 << 20, "argv"));
  HP_ASSIGN_OR_RETURN(const size_t width, WordWidth(*this));
  const auto word = [width](const ProcText& text, size_t index) {
    uint64_t value = 0;  // little-endian, as every machine that this is built for
    std::memcpy(&value, text.bytes.data() + index * width, width);
    return value;
  };
  const uint64_t stack = stat_->stack_start;
  HP_ASSIGN_OR_RETURN(ProcText head, Memory(stack, stack + width, width, "argc"));
  const uint64_t count = word(head, 0);
  if (argv.cut || count > kArgumentsMax) return absl::DataLossError("argv: more arguments than execve allows");
  const size_t size = (count + 1) * width;
  HP_ASSIGN_OR_RETURN(ProcText pointers, Memory(stack + width, stack + width + size, size, "argument pointers"));
  size_t expected = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const size_t end = expected < argv.bytes.size() ? argv.bytes.find('\0', expected) : std::string::npos;
    if (end == std::string::npos || word(pointers, i) != stat_->argv_start + expected) {
      return absl::DataLossError(absl::StrCat("argv: argument ", i, " is not where the kernel put it"));
    }
    expected = end + 1;
  }
  if (word(pointers, count) != 0 || expected != argv.bytes.size()) {
    return absl::DataLossError("argv: does not end where it did");
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> ProcDir::ExecutableSize() const {
  HP_ASSIGN_OR_RETURN(const struct stat st, CachedStat(dir_.get(), "exe"));
  return static_cast<uint64_t>(st.st_size);
}

absl::StatusOr<struct stat> ProcDir::StandardInput() const { return CachedStat(dir_.get(), "fd/0"); }

absl::StatusOr<uint64_t> ProcDir::StatusNumber(const char* field) const {
  HP_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile("status", O_RDONLY));
  HP_ASSIGN_OR_RETURN(std::string text, ReadSmall(fd.get(), "/proc/PID/status"));
  // The kernel escapes a newline in Name:, so a line begins only where the kernel began one.
  const std::string prefix = absl::StrCat(field, ":");
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (line.substr(0, prefix.size()) != prefix) continue;
    const std::vector<absl::string_view> words =
        absl::StrSplit(line.substr(prefix.size()), absl::ByAnyChar("\t "), absl::SkipEmpty());
    uint64_t value;
    if (!words.empty() && absl::SimpleAtoi(words[0], &value)) return value;
  }
  return absl::DataLossError(absl::StrCat("/proc/PID/status: no ", field));
}

absl::StatusOr<uint32_t> ProcDir::RealUid() const {
  HP_ASSIGN_OR_RETURN(uint64_t uid, StatusNumber("Uid"));
  return static_cast<uint32_t>(uid);
}

absl::StatusOr<pid_t> ProcDir::Tracer() const {
  HP_ASSIGN_OR_RETURN(uint64_t tracer, StatusNumber("TracerPid"));
  return static_cast<pid_t>(tracer);
}

absl::StatusOr<ProcText> ReadArgv(const ProcessId& id, size_t max) {
  HP_ASSIGN_OR_RETURN(ProcDir dir, ProcDir::Open(id));
  return dir.Argv(max);
}

absl::StatusOr<ProcText> ReadEnviron(const ProcessId& id, size_t max) {
  HP_ASSIGN_OR_RETURN(ProcDir dir, ProcDir::Open(id));
  return dir.Environ(max);
}

absl::StatusOr<OpenedProcess> OpenProcess(const ProcessId& id) {
  UniqueFd pidfd = sys::PidfdOpen(id.tgid);
  // EINVAL: a thread's id that is not a process's.
  if (!pidfd.ok()) return ErrnoStatus(absl::StrCat("pidfd_open(", id.tgid, ")"), errno == EINVAL ? ESRCH : errno);
  // What /proc/PID says now it says of the pidfd's process if that is alive afterwards: it has kept the pid all along.
  HP_ASSIGN_OR_RETURN(ProcDir dir, ProcDir::Open(id));
  if (sys::PidfdEnded(pidfd.get())) return absl::NotFoundError(absl::StrCat("process ", id.tgid, " has ended"));
  return OpenedProcess{std::move(pidfd), std::move(dir)};
}

absl::StatusOr<UniqueFd> OpenPidfd(const ProcessId& id) {
  HP_ASSIGN_OR_RETURN(OpenedProcess process, OpenProcess(id));
  return std::move(process.pidfd);
}

absl::StatusOr<ProcessId> IdentifyPid(pid_t pid) {
  HP_ASSIGN_OR_RETURN(ProcDir dir, ProcDir::OpenPid(pid));
  HP_ASSIGN_OR_RETURN(ProcStat stat, dir.Stat());
  return ProcessId{pid, stat.start_ticks * kNsPerTick};
}

bool SameProcess(const ProcessId& a, const ProcessId& b) {
  return a.tgid == b.tgid && a.start_boot_ns / kNsPerTick == b.start_boot_ns / kNsPerTick;
}

absl::StatusOr<ProcessId> ParentOf(const ProcessId& id) {
  HP_ASSIGN_OR_RETURN(ProcDir dir, ProcDir::Open(id));
  HP_ASSIGN_OR_RETURN(ProcStat stat, dir.Stat());
  if (stat.parent == 0) return absl::NotFoundError(absl::StrCat("process ", id.tgid, " has no parent here"));
  return IdentifyPid(stat.parent);
}

absl::Status KillProcess(const ProcessId& id) {
  HP_ASSIGN_OR_RETURN(UniqueFd pidfd, OpenPidfd(id));
  if (!sys::PidfdSignal(pidfd.get(), SIGKILL)) return ErrnoStatus(absl::StrCat("kill ", id.tgid));
  return absl::OkStatus();
}

}  // namespace holdpoint
