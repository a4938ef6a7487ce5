#include "agent/judge/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "agent/base/sha256.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

absl::Status Failed(absl::string_view what) {
  return absl::InternalError(absl::StrCat("sandbox: ", what, ": ", strerror(errno)));
}

absl::Status Limit(__rlimit_resource resource, rlim_t value, absl::string_view name) {
  const rlimit limit{value, value};
  return setrlimit(resource, &limit) == 0 ? absl::OkStatus() : Failed(absl::StrCat("limit ", name));
}

absl::Status Limits(const SandboxOptions& options) {
  HP_RETURN_IF_ERROR(Limit(RLIMIT_CORE, 0, "core"));
  HP_RETURN_IF_ERROR(Limit(RLIMIT_NOFILE, 16, "open files"));
  // A memfd for a long answer is a file to this limit.
  HP_RETURN_IF_ERROR(Limit(RLIMIT_FSIZE, 16u << 20, "file size"));
  if (options.memory_bytes != 0) HP_RETURN_IF_ERROR(Limit(RLIMIT_DATA, options.memory_bytes, "memory"));
  return absl::OkStatus();
}

// A world with nothing in it: no network but a loopback that is down, an empty root that can't be written.
absl::Status EmptyWorld() {
  if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) != 0) return Failed("unshare");
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return Failed("make mounts private");
  const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (mount("holdpoint-judge", "/tmp", "tmpfs", flags, "size=4k,nr_inodes=2,mode=0555") != 0) {
    return Failed("mount an empty root on /tmp");
  }
  if (chroot("/tmp") != 0 || chdir("/") != 0) return Failed("chroot to the empty root");
  return absl::OkStatus();
}

absl::Status DropCapabilities() {
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return Failed("drop the capability bounding set");
  }
  (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  return absl::OkStatus();
}

absl::Status BecomeNobody(uid_t uid) {
  if (setgroups(0, nullptr) != 0) return Failed("setgroups");
  if (setresgid(uid, uid, uid) != 0) return Failed("setresgid");
  if (setresuid(uid, uid, uid) != 0) return Failed("setresuid");
  return absl::OkStatus();
}

absl::Status NoCapabilitiesLeft() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capset, &header, data) != 0) return Failed("capset");
  if (syscall(SYS_capget, &header, data) != 0) return Failed("capget");
  for (const auto& part : data) {
    if ((part.effective | part.permitted | part.inheritable) != 0) {
      return absl::InternalError("sandbox: capabilities are left");
    }
  }
  return absl::OkStatus();
}

struct SeccompFree {
  void operator()(void* context) const { seccomp_release(context); }
};

absl::Status OnlyTheseCalls() {
  std::unique_ptr<void, SeccompFree> context(seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (context == nullptr) return absl::InternalError("sandbox: seccomp_init");
  const int allowed[] = {SCMP_SYS(read),
                         SCMP_SYS(write),
                         SCMP_SYS(readv),
                         SCMP_SYS(writev),
                         SCMP_SYS(pread64),
                         SCMP_SYS(recvmsg),
                         SCMP_SYS(recvfrom),
                         SCMP_SYS(sendmsg),
                         SCMP_SYS(sendto),
                         SCMP_SYS(poll),
                         SCMP_SYS(ppoll),
                         SCMP_SYS(close),
                         SCMP_SYS(fstat),
                         SCMP_SYS(fcntl),
                         SCMP_SYS(memfd_create),
                         SCMP_SYS(munmap),
                         SCMP_SYS(mremap),
                         SCMP_SYS(madvise),
                         SCMP_SYS(brk),
                         SCMP_SYS(futex),
                         SCMP_SYS(getrandom),
                         SCMP_SYS(clock_gettime),
                         SCMP_SYS(gettimeofday),
                         SCMP_SYS(exit),
                         SCMP_SYS(exit_group),
                         SCMP_SYS(rt_sigreturn),
                         SCMP_SYS(rt_sigprocmask),
                         SCMP_SYS(rt_sigaction),
                         SCMP_SYS(sigaltstack),
                         SCMP_SYS(gettid),
                         SCMP_SYS(getpid),
                         SCMP_SYS(tgkill),
                         SCMP_SYS(sched_yield),
#if defined(__SANITIZE_ADDRESS__)  // Its checks of types try an address by writing it into a pipe.
                         SCMP_SYS(pipe2),
#endif
                         SCMP_SYS(restart_syscall)};
  int error = 0;
  for (const int call : allowed) {
    if (error == 0) error = seccomp_rule_add(context.get(), SCMP_ACT_ALLOW, call, 0);
  }
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    if (error == 0) {
      error = seccomp_rule_add(context.get(), SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    }
    if (error == 0) {
      error = seccomp_rule_add(context.get(), SCMP_ACT_ERRNO(EPERM), call, 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
    }
  }
  // fstat(2) is this call with AT_EMPTY_PATH since glibc 2.33; there is no file that a path could name.
  if (error == 0) error = seccomp_rule_add(context.get(), SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 0);
  // Refused instead of killed, so that the check below can try them; libraries may ask for a file as well.
  for (const int call : {SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(socket), SCMP_SYS(setresuid), SCMP_SYS(setuid)}) {
    if (error == 0) error = seccomp_rule_add(context.get(), SCMP_ACT_ERRNO(EPERM), call, 0);
  }
  if (error == 0) error = seccomp_load(context.get());
  if (error != 0) {
    errno = -error;
    return Failed("seccomp");
  }
  return absl::OkStatus();
}

// Nothing is believed: each right is tried.
absl::Status TryWhatMustFail() {
  if (setresuid(0, 0, 0) == 0) return absl::InternalError("sandbox: could become root again");
  if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0) return absl::InternalError("sandbox: could open a file");
  if (socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0) return absl::InternalError("sandbox: could make a socket");
  void* memory = mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) return absl::InternalError("sandbox: could map memory to execute");
  return absl::OkStatus();
}

// What libraries load from files when they are first used has to be loaded while there are files.
void WarmUp() {
  (void)Sha256("");
  (void)HmacSha256("key", "");
}

}  // namespace

absl::Status EnterSandbox(const SandboxOptions& options) {
  WarmUp();
  HP_RETURN_IF_ERROR(Limits(options));
  if (geteuid() == 0) {
    HP_RETURN_IF_ERROR(EmptyWorld());
    HP_RETURN_IF_ERROR(DropCapabilities());
    HP_RETURN_IF_ERROR(BecomeNobody(options.uid));
  }
  HP_RETURN_IF_ERROR(Limit(RLIMIT_NPROC, 0, "processes"));
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return Failed("PR_SET_DUMPABLE");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Failed("PR_SET_NO_NEW_PRIVS");
  HP_RETURN_IF_ERROR(NoCapabilitiesLeft());
  HP_RETURN_IF_ERROR(OnlyTheseCalls());
  return TryWhatMustFail();
}

}  // namespace holdpoint
