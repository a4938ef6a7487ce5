#include "agent/presence/run.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "agent/base/status.h"

#ifndef P_PIDFD
#define P_PIDFD static_cast<idtype_t>(3)
#endif

namespace holdpoint {
namespace {

constexpr size_t kOutputMax = 64 * 1024;  // what a pipe holds: the helper never waits for us to read

struct Pipe {
  UniqueFd read_end, write_end;
};

absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return ErrnoStatus("pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The helper reads its end with blocking reads.
void MakeBlocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK); }

}  // namespace

absl::StatusOr<std::unique_ptr<PresenceRun>> PresenceRun::Prove(const std::string& helper, const std::string& service,
                                                                const std::string& user, std::string password) {
  absl::Cleanup wipe = [&password] { explicit_bzero(password.data(), password.size()); };
  return Start(helper, {"--service", service, "--user", user}, &password);
}

absl::StatusOr<std::unique_ptr<PresenceRun>> PresenceRun::Resolve(const std::string& helper,
                                                                  const std::vector<std::string>& names) {
  std::vector<std::string> args = {"--resolve"};
  args.insert(args.end(), names.begin(), names.end());
  return Start(helper, std::move(args), nullptr);
}

absl::StatusOr<std::unique_ptr<PresenceRun>> PresenceRun::Start(const std::string& helper,
                                                                std::vector<std::string> args,
                                                                const std::string* password) {
  HP_ASSIGN_OR_RETURN(Pipe in, MakePipe());
  HP_ASSIGN_OR_RETURN(Pipe out, MakePipe());
  MakeBlocking(in.read_end.get());
  MakeBlocking(out.write_end.get());
  if (password != nullptr) {
    // Smaller than a pipe: all of it or nothing. What is too long is refused by the helper.
    if (write(in.write_end.get(), password->data(), std::min<size_t>(password->size(), 4096)) < 0) {
      return ErrnoStatus("password pipe");
    }
  }

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  absl::Cleanup destroy = [&] {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  };
  // The output first: its number may be 3, the input's never is after this.
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write_end.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, in.read_end.get(), 3);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  args.insert(args.begin(), helper);
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  char* environment[] = {nullptr};
  pid_t pid = 0;
  const int error = posix_spawn(&pid, helper.c_str(), &actions, &attributes, argv.data(), environment);
  if (error != 0) return absl::UnavailableError(absl::StrCat("starting ", helper, ": ", strerror(error)));
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.ok()) {
    const absl::Status status = ErrnoStatus("pidfd_open of holdpoint-presence");
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return status;
  }
  return std::unique_ptr<PresenceRun>(new PresenceRun(pid, std::move(pidfd), std::move(out.read_end)));
}

PresenceRun::~PresenceRun() {
  if (reaped_) return;
  kill(pid_, SIGKILL);  // Not reaped: the number is still its own.
  waitpid(pid_, nullptr, 0);
}

absl::Status PresenceRun::Ended() {
  if (reaped_) return result_;
  siginfo_t info{};
  if (waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG) != 0) {
    reaped_ = true;
    return result_ = absl::UnavailableError(absl::StrCat("holdpoint-presence: its end was lost: ", strerror(errno)));
  }
  if (info.si_pid == 0) return absl::FailedPreconditionError("holdpoint-presence still runs");
  reaped_ = true;
  if (info.si_code != CLD_EXITED) {
    result_ = absl::UnavailableError(absl::StrCat("holdpoint-presence was ended by signal ", info.si_status));
  } else if (info.si_status == 77) {
    result_ = absl::PermissionDeniedError("the password was not accepted");
  } else if (info.si_status != 0) {
    result_ = absl::UnavailableError(absl::StrCat("the password could not be checked (holdpoint-presence ended with ",
                                                  info.si_status,
                                                  "): is the PAM service installed? holdpoint doctor says more"));
  }
  return result_;
}

absl::Status PresenceRun::Proved() { return Ended(); }

absl::StatusOr<std::vector<EligibleOwner>> PresenceRun::Owners() {
  HP_RETURN_IF_ERROR(Ended());
  std::string lines(kOutputMax, '\0');
  size_t size = 0;
  while (size < lines.size()) {
    const ssize_t got = read(output_.get(), lines.data() + size, lines.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<size_t>(got);
  }
  lines.resize(size);
  return ParseEligibleOwners(lines);
}

}  // namespace holdpoint
