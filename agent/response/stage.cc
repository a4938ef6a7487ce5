#include "agent/response/stage.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/response/proc.h"
#include "agent/response/sys.h"

extern char** environ;

namespace holdpoint::stage {
namespace {

constexpr int kBoundMs = 30'000;
constexpr long kTraceOptions =
    PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;

[[noreturn]] void Fail(const char* what) {
  perror(what);
  abort();
}

std::vector<char*> Pointers(const std::vector<std::string>& argv) {
  std::vector<char*> pointers;
  for (const std::string& word : argv) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

void SetUpChild(const Options& options, const std::vector<char*>& argv) {
  if (options.out >= 0) dup2(options.out, 1);
  if (options.err >= 0) dup2(options.err, 2);
  if (options.close_err) close(2);
  if (options.before_exec) options.before_exec();
  execv(argv[0], argv.data());
  _exit(99);
}

// Never inlined: the frame that vfork borrows must not be the caller's.
__attribute__((noinline)) pid_t Vfork(const Options& options, const std::vector<char*>& argv) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  const pid_t pid = vfork();
#pragma GCC diagnostic pop
  if (pid == 0) SetUpChild(options, argv);
  return pid;
}

pid_t Spawn(const Options& options, const std::vector<char*>& argv) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (options.out >= 0) posix_spawn_file_actions_adddup2(&actions, options.out, 1);
  if (options.err >= 0) posix_spawn_file_actions_adddup2(&actions, options.err, 2);
  if (options.close_err) posix_spawn_file_actions_addclose(&actions, 2);
  pid_t pid = -1;
  if (posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ) != 0) _exit(98);
  return pid;
}

pid_t Fork(const Options& options, const std::vector<char*>& argv) {
  const pid_t pid = fork();
  if (pid == 0) SetUpChild(options, argv);
  return pid;
}

[[noreturn]] void RunParent(const Options& options, int go, int status_out) {
  char byte;
  if (read(go, &byte, 1) != 1) _exit(97);
  if (options.in_parent) options.in_parent();
  const std::vector<char*> argv = Pointers(options.argv);
  pid_t pid = -1;
  switch (options.how) {
    case Options::How::kFork:
      pid = Fork(options, argv);
      break;
    case Options::How::kVfork:
      pid = Vfork(options, argv);
      break;
    case Options::How::kPosixSpawn:
      pid = Spawn(options, argv);
      break;
    case Options::How::kForkInThread: {
      Pipe never;
      std::thread other([&] { (void)!read(never.read.get(), &byte, 1); });
      std::thread starter([&] { pid = Fork(options, argv); });
      starter.join();
      never.write.reset();
      other.join();
      break;
    }
  }
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  (void)!write(status_out, &status, sizeof(status));
  _exit(0);
}

bool IsTarget(pid_t pid, const std::string& target) {
  struct stat running, wanted;
  return stat(absl::StrCat("/proc/", pid, "/exe").c_str(), &running) == 0 && stat(target.c_str(), &wanted) == 0 &&
         running.st_dev == wanted.st_dev && running.st_ino == wanted.st_ino;
}

// Lets `pid`, which runs, go on untraced.
void LetGo(pid_t pid) {
  ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
  int status;
  if (waitpid(pid, &status, __WALL | __WNOTHREAD) == pid && WIFSTOPPED(status)) {
    const int signal = (status >> 16) == 0 ? WSTOPSIG(status) : 0;
    ptrace(PTRACE_DETACH, pid, nullptr, signal);
  }
}

}  // namespace

Pipe::Pipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) Fail("pipe2");
  read.reset(fds[0]);
  write.reset(fds[1]);
}

Stage::Stage(Options options) {
  Pipe go;
  Pipe status;
  const std::string target = options.target.empty() ? options.argv[0] : options.target;
  parent_ = fork();
  if (parent_ < 0) Fail("fork");
  if (parent_ == 0) {
    go.write.reset();
    status.read.reset();
    RunParent(options, go.read.get(), status.write.get());
  }
  status_ = std::move(status.read);
  if (ptrace(PTRACE_SEIZE, parent_, nullptr, kTraceOptions) != 0) Fail("seize the parent");
  if (write(go.write.get(), "g", 1) != 1) Fail("go");

  std::set<pid_t> tracees = {parent_};
  pid_t found = -1;
  while (found < 0) {
    int state = 0;
    const pid_t pid = waitpid(-1, &state, __WALL | __WNOTHREAD);
    if (pid < 0) Fail("the target never came to its exec");
    if (!WIFSTOPPED(state)) {
      tracees.erase(pid);
      if (pid == parent_) Fail("the parent ended before its exec");
      continue;
    }
    const int event = state >> 16;
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
      unsigned long made = 0;
      ptrace(PTRACE_GETEVENTMSG, pid, nullptr, &made);
      tracees.insert(static_cast<pid_t>(made));  // Its own first stop may come when nobody looks any more.
    }
    if (event == PTRACE_EVENT_EXEC && IsTarget(pid, target)) {
      found = pid;
    } else {
      ptrace(PTRACE_CONT, pid, nullptr, event == 0 ? WSTOPSIG(state) : 0);
    }
  }
  if (kill(found, SIGSTOP) != 0) Fail("SIGSTOP");
  auto id = IdentifyPid(found);
  if (!id.ok()) Fail("identify");
  static uint64_t exec_id = 0;
  auto pidfd = std::make_shared<UniqueFd>(sys::PidfdOpen(found));
  task_ = StoppedTask{.id = *id, .exec_id = ++exec_id, .pidfd = std::move(pidfd)};
  if (options.when_stopped) options.when_stopped(found);
  for (pid_t pid : tracees) {
    if (pid != found) LetGo(pid);
  }
  ptrace(PTRACE_DETACH, found, nullptr, nullptr);
}

Stage::Stage(Stage&& other) noexcept
    : task_(std::move(other.task_)), parent_(std::exchange(other.parent_, -1)), status_(std::move(other.status_)) {}

Stage::~Stage() {
  if (parent_ < 0) return;
  if (task_.pidfd) sys::PidfdSignal(task_.pidfd->get(), SIGKILL);
  kill(parent_, SIGKILL);
  waitpid(parent_, nullptr, 0);
}

void Stage::AwaitStopped() const {
  auto dir = ProcDir::Open(task_.id);
  while (dir.ok()) {
    auto stat = dir->Stat();
    if (!stat.ok() || stat->state == 'T' || stat->state == 't') return;
    sched_yield();
  }
}

int Stage::AwaitParentStatus() {
  int status = -1;
  const std::string bytes = ReadUntil(status_.get(), sizeof(status));
  if (bytes.size() == sizeof(status)) memcpy(&status, bytes.data(), sizeof(status));
  return status;
}

std::string Program(const std::string& name) { return absl::StrCat(HP_TEST_PROGRAMS "/", name); }

std::string ReadUntil(int fd, size_t count) {
  std::string text;
  while (text.size() < count) {
    pollfd poller{.fd = fd, .events = POLLIN, .revents = 0};
    if (poll(&poller, 1, kBoundMs) <= 0) break;
    char buffer[4096];
    const ssize_t got = read(fd, buffer, std::min(sizeof(buffer), count - text.size()));
    if (got <= 0) break;
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

std::string ReadToEnd(int fd) { return ReadUntil(fd, SIZE_MAX); }

bool AwaitEnd(int pidfd) {
  pollfd poller{.fd = pidfd, .events = POLLIN, .revents = 0};
  return poll(&poller, 1, kBoundMs) > 0;
}

}  // namespace holdpoint::stage
