#include "agent/response/exit_injection.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

constexpr uint64_t kCodeSegment64 = 0x33;
constexpr unsigned char kSyscall[2] = {0x0f, 0x05};

// Where the kernel's vdso image has a `syscall` instruction, as an offset. The image is the same in every 64-bit
// process of this kernel, so our own copy, which no session can write to, tells.
std::optional<uint64_t> SyscallOffset() {
  static const std::optional<uint64_t> offset = []() -> std::optional<uint64_t> {
    const auto* image = reinterpret_cast<const unsigned char*>(getauxval(AT_SYSINFO_EHDR));
    if (image == nullptr) return std::nullopt;
    Elf64_Ehdr header;
    std::memcpy(&header, image, sizeof(header));
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return std::nullopt;
    for (int i = 0; i < header.e_phnum; ++i) {
      Elf64_Phdr segment;
      std::memcpy(&segment, image + header.e_phoff + static_cast<size_t>(i) * header.e_phentsize, sizeof(segment));
      if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
      const void* found = memmem(image + segment.p_offset, segment.p_filesz, kSyscall, sizeof(kSyscall));
      if (found != nullptr) return static_cast<const unsigned char*>(found) - image;
    }
    return std::nullopt;
  }();
  return offset;
}

// AT_SYSINFO_EHDR of the task. The kernel keeps these words itself; the task's stack has only a copy of them.
absl::StatusOr<uint64_t> VdsoBase(pid_t pid) {
  HP_ASSIGN_OR_RETURN(ProcDir dir, ProcDir::OpenPid(pid));
  HP_ASSIGN_OR_RETURN(UniqueFd fd, dir.OpenFile("auxv", O_RDONLY));
  Elf64_auxv_t words[64];
  const ssize_t got = pread(fd.get(), words, sizeof(words), 0);
  if (got < 0) return ErrnoStatus("/proc/PID/auxv");
  for (size_t i = 0; i < static_cast<size_t>(got) / sizeof(words[0]); ++i) {
    if (words[i].a_type == AT_SYSINFO_EHDR) return words[i].a_un.a_val;
  }
  return absl::NotFoundError("it has no vdso");
}

}  // namespace

absl::Status PrepareExit(pid_t pid, int status) {
  user_regs_struct regs;
  iovec io{&regs, sizeof(regs)};
  if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io) != 0) return ErrnoStatus("read registers");
  if (io.iov_len != sizeof(regs) || regs.cs != kCodeSegment64) {
    return absl::FailedPreconditionError("it is a 32-bit program");
  }
  const std::optional<uint64_t> offset = SyscallOffset();
  if (!offset.has_value()) return absl::NotFoundError("this kernel's vdso has no syscall instruction");
  HP_ASSIGN_OR_RETURN(uint64_t base, VdsoBase(pid));
  const uint64_t address = base + *offset;
  errno = 0;
  const long word = ptrace(PTRACE_PEEKTEXT, pid, address, nullptr);
  if (errno != 0) return ErrnoStatus("read its vdso");
  if (std::memcmp(&word, kSyscall, sizeof(kSyscall)) != 0) {
    return absl::NotFoundError("its vdso is not the kernel's: somebody has written to it");
  }
  uint64_t all_signals = ~uint64_t{0};
  if (ptrace(PTRACE_SETSIGMASK, pid, sizeof(all_signals), &all_signals) != 0) return ErrnoStatus("block its signals");
  regs.rip = address;
  regs.rax = SYS_exit_group;
  regs.rdi = static_cast<unsigned long long>(status);
  regs.orig_rax = static_cast<unsigned long long>(-1);  // It is in no system call that could be restarted.
  if (ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &io) != 0) return ErrnoStatus("set registers");
  return absl::OkStatus();
}

absl::Status CheckExitEntry(pid_t pid, int status) {
  __ptrace_syscall_info info{};
  if (ptrace(static_cast<__ptrace_request>(PTRACE_GET_SYSCALL_INFO), pid, sizeof(info), &info) < 0) {
    return ErrnoStatus("read its system call");
  }
  // The table counts as much as the number: 231 of the 32-bit one is another call.
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY || info.arch != AUDIT_ARCH_X86_64 || info.entry.nr != SYS_exit_group ||
      info.entry.args[0] != static_cast<__u64>(status)) {
    return absl::AbortedError("it did not come to exit_group: somebody has written to its memory");
  }
  return absl::OkStatus();
}

void CancelSyscall(pid_t pid) {
  user_regs_struct regs;
  iovec io{&regs, sizeof(regs)};
  if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io) != 0 || io.iov_len != sizeof(regs)) return;
  regs.orig_rax = static_cast<unsigned long long>(-1);
  ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &io);
}

}  // namespace holdpoint
