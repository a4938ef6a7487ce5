#include "agent/reader/enter.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/base/status.h"

namespace holdpoint::reader {
namespace {

// The numbers behind "NAME:" of a status file.
std::optional<std::vector<uint32_t>> Numbers(absl::string_view text, absl::string_view name) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StartsWith(line, name) || line.size() <= name.size() || line[name.size()] != ':') continue;
    std::vector<uint32_t> numbers;
    for (const absl::string_view word :
         absl::StrSplit(line.substr(name.size() + 1), absl::ByAnyChar(" \t"), absl::SkipEmpty())) {
      uint32_t number = 0;
      if (!absl::SimpleAtoi(word, &number)) return std::nullopt;
      numbers.push_back(number);
    }
    return numbers;
  }
  return std::nullopt;
}

absl::StatusOr<UniqueFd> Open(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (!fd.ok()) return ErrnoStatus(path);
  return fd;
}

absl::StatusOr<std::string> ReadSmall(const std::string& path) {
  HP_ASSIGN_OR_RETURN(const UniqueFd fd, Open(path, O_RDONLY));
  std::string text(16 * 1024, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t n = ::read(fd.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(path);
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  text.resize(size);
  return text;
}

absl::Status Limit(int resource, rlim_t value) {
  rlimit limit = {};
  if (getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return ErrnoStatus("getrlimit");
  limit.rlim_cur = std::min(value, limit.rlim_max);
  limit.rlim_max = limit.rlim_cur;
  if (setrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return ErrnoStatus("setrlimit");
  return absl::OkStatus();
}

absl::Status DropCapabilities() {
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return ErrnoStatus("drop from the bounding set");
  }
  const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
                             SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) != 0) return ErrnoStatus("set the secure bits");
  return absl::OkStatus();
}

absl::Status ClearCapabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capset, &header, data) != 0) return ErrnoStatus("capset");
  if (syscall(SYS_capget, &header, data) != 0) return ErrnoStatus("capget");
  if (data[0].permitted != 0 || data[1].permitted != 0 || data[0].effective != 0 || data[1].effective != 0) {
    return absl::InternalError("capabilities are left after dropping them");
  }
  return absl::OkStatus();
}

absl::Status FilterSystemCalls() {
  scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
  if (context == nullptr) return absl::InternalError("seccomp_init");
  absl::Status status;
  for (const int call : {SCMP_SYS(execve),
                         SCMP_SYS(execveat),
                         SCMP_SYS(fork),
                         SCMP_SYS(vfork),
                         SCMP_SYS(clone),
                         SCMP_SYS(clone3),
                         SCMP_SYS(socket),
                         SCMP_SYS(socketpair),
                         SCMP_SYS(connect),
                         SCMP_SYS(bind),
                         SCMP_SYS(ptrace),
                         SCMP_SYS(process_vm_readv),
                         SCMP_SYS(process_vm_writev),
                         SCMP_SYS(kill),
                         SCMP_SYS(tkill),
                         SCMP_SYS(pidfd_send_signal),
                         SCMP_SYS(pidfd_getfd),
                         SCMP_SYS(setns),
                         SCMP_SYS(unshare),
                         SCMP_SYS(mount),
                         SCMP_SYS(umount2),
                         SCMP_SYS(pivot_root),
                         SCMP_SYS(chroot),
                         SCMP_SYS(unlink),
                         SCMP_SYS(unlinkat),
                         SCMP_SYS(rename),
                         SCMP_SYS(renameat),
                         SCMP_SYS(renameat2),
                         SCMP_SYS(rmdir),
                         SCMP_SYS(truncate),
                         SCMP_SYS(ftruncate),
                         SCMP_SYS(chmod),
                         SCMP_SYS(fchmod),
                         SCMP_SYS(fchmodat),
                         SCMP_SYS(mkdir),
                         SCMP_SYS(mkdirat),
                         SCMP_SYS(symlink),
                         SCMP_SYS(symlinkat),
                         SCMP_SYS(link),
                         SCMP_SYS(linkat),
                         SCMP_SYS(bpf),
                         SCMP_SYS(io_uring_setup),
                         SCMP_SYS(userfaultfd),
                         SCMP_SYS(shmat),
                         SCMP_SYS(personality),
                         SCMP_SYS(perf_event_open)}) {
    if (seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), call, 0) != 0 && status.ok()) {
      status = absl::InternalError(absl::StrCat("seccomp_rule_add of system call ", call));
    }
  }
  // No code but what is there already: a library that opens another one by name would take it from the session's files.
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(pkey_mprotect)}) {
    if (seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)) != 0 &&
        status.ok()) {
      status = absl::InternalError(absl::StrCat("seccomp_rule_add of system call ", call));
    }
  }
  if (status.ok() && seccomp_load(context) != 0) status = absl::InternalError("seccomp_load");
  seccomp_release(context);
  return status;
}

}  // namespace

absl::StatusOr<Credentials> ParseStatus(absl::string_view text) {
  const auto uids = Numbers(text, "Uid"), gids = Numbers(text, "Gid"), groups = Numbers(text, "Groups");
  if (!uids || uids->size() != 4 || !gids || gids->size() != 4 || !groups) {
    return absl::DataLossError("/proc/PID/status: wanted Uid, Gid and Groups");
  }
  return Credentials{(*uids)[0], (*gids)[0], std::vector<gid_t>(groups->begin(), groups->end())};
}

absl::StatusOr<Target> OpenTarget(pid_t pid, int pidfd, int executable) {
  Target target;
  if (pidfd >= 0) {
    target.pidfd.reset(pidfd);
  } else {
    target.pidfd.reset(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!target.pidfd.ok()) return ErrnoStatus(absl::StrCat("pidfd_open of process ", pid));
  }
  const std::string proc = absl::StrCat("/proc/", pid, "/");
  HP_ASSIGN_OR_RETURN(target.root, Open(proc + "root", O_PATH | O_DIRECTORY));
  target.working_directory.reset(::open((proc + "cwd").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const std::string program = executable >= 0 ? absl::StrCat("/proc/self/fd/", executable) : proc + "exe";
  target.executable.reset(::open(program.c_str(), O_RDONLY | O_CLOEXEC));
  if (executable >= 0) ::close(executable);
  target.environment.reset(::open((proc + "environ").c_str(), O_RDONLY | O_CLOEXEC));
  target.input.reset(static_cast<int>(syscall(SYS_pidfd_getfd, target.pidfd.get(), 0, 0)));
  HP_ASSIGN_OR_RETURN(target.own_fds, Open("/proc/self/fd", O_PATH | O_DIRECTORY));
  HP_ASSIGN_OR_RETURN(const std::string status, ReadSmall(proc + "status"));
  HP_ASSIGN_OR_RETURN(target.credentials, ParseStatus(status));
  // The pidfd's process lives: so `pid` was its own all the time, and everything above is of it.
  if (syscall(SYS_pidfd_send_signal, target.pidfd.get(), 0, nullptr, 0) != 0) {
    return ErrnoStatus(absl::StrCat("process ", pid));
  }
  return target;
}

absl::Status EnterAndDrop(const Target& target, uint32_t cpu_seconds) {
  if (setns(target.pidfd.get(), CLONE_NEWNS) != 0) return ErrnoStatus("enter the process's mount namespace");
  if (fchdir(target.root.get()) != 0) return ErrnoStatus("go to the process's root");
  if (chroot(".") != 0) return ErrnoStatus("make the process's root ours");
  if (!target.working_directory.ok() || fchdir(target.working_directory.get()) != 0) {
    if (chdir("/") != 0) return ErrnoStatus("go to the root");
  }

  signal(SIGXFSZ, SIG_IGN);
  HP_RETURN_IF_ERROR(Limit(RLIMIT_FSIZE, 0));
  HP_RETURN_IF_ERROR(Limit(RLIMIT_CORE, 0));
  HP_RETURN_IF_ERROR(Limit(RLIMIT_NOFILE, 128));
  HP_RETURN_IF_ERROR(Limit(RLIMIT_CPU, cpu_seconds));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // These reserve terabytes of address space.
  HP_RETURN_IF_ERROR(Limit(RLIMIT_AS, rlim_t{1} << 30));
#endif

  const Credentials& who = target.credentials;
  HP_RETURN_IF_ERROR(DropCapabilities());
  if (setgroups(who.groups.size(), who.groups.data()) != 0) return ErrnoStatus("take the process's groups");
  if (setresgid(who.gid, who.gid, who.gid) != 0) return ErrnoStatus("take the process's group");
  if (setresuid(who.uid, who.uid, who.uid) != 0) return ErrnoStatus("take the process's user");
  HP_RETURN_IF_ERROR(ClearCapabilities());
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return ErrnoStatus("no_new_privs");
  // A process of the session has the same user now: it must not look into this one.
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return ErrnoStatus("become undumpable");
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return ErrnoStatus("die with the parent");
  return FilterSystemCalls();
}

}  // namespace holdpoint::reader
