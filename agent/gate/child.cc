#include "agent/gate/child.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

// posix_spawn's dup2 actions run one after the other: a source must not be overwritten by an earlier target. So all
// sources are first moved above every target.
constexpr int kFirstFreeFd = 64;

class HelperRun : public std::enable_shared_from_this<HelperRun> {
 public:
  HelperRun(EventLoop& loop, size_t max_output, std::shared_ptr<int> stuck, HelperDone done)
      : loop_(loop), max_output_(max_output), stuck_(std::move(stuck)), done_(std::move(done)) {}
  ~HelperRun() {
    if (child_.pid <= 0) return;
    SendKill();
    (void)ReapChild(child_);
  }

  absl::Status Start(const Clock& clock, HelperRequest request) {
    int out[2];
    if (pipe2(out, O_CLOEXEC) != 0) return ErrnoStatus("pipe2");
    UniqueFd out_write(out[1]);
    output_fd_.reset(out[0]);
    // A file instead of a pipe: the whole input is there at once and nobody waits for a slow child.
    UniqueFd in(memfd_create("holdpoint-input", MFD_CLOEXEC));
    if (!in.ok()) return ErrnoStatus("memfd_create");
    const std::string& input = request.input;
    if (pwrite(in.get(), input.data(), input.size(), 0) != static_cast<ssize_t>(input.size())) {
      return ErrnoStatus("write to memfd");
    }
    request.spec.inherit.push_back({out_write.get(), request.output_as});
    request.spec.inherit.push_back({in.get(), request.input_as});
    absl::StatusOr<Child> child = StartChild(request.spec);
    if (!child.ok()) return child.status();
    child_ = *std::move(child);
    out_write.reset();
    fcntl(output_fd_.get(), F_SETFL, O_NONBLOCK);
    auto self = shared_from_this();
    HP_RETURN_IF_ERROR(loop_.Add(output_fd_.get(), [self] { self->Readable(); }));
    what_there_is_ = request.what_there_is;
    timer_ = loop_.At(clock.Boot() + request.budget, [self] { self->Expired(); });
    return absl::OkStatus();
  }

 private:
  void Readable() {
    char buffer[16384];
    for (;;) {
      const ssize_t n = read(output_fd_.get(), buffer, sizeof(buffer));
      if (n > 0) {
        if (result_.output.size() + static_cast<size_t>(n) > max_output_) {
          return Fail(absl::ResourceExhaustedError("helper wrote more than it may"));
        }
        result_.output.append(buffer, static_cast<size_t>(n));
        continue;
      }
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
      break;
    }
    loop_.Remove(output_fd_.get());
    output_fd_.reset();
    auto self = shared_from_this();
    if (!loop_.Add(child_.pidfd.get(), [self] { self->Ended(); }).ok()) Fail(absl::InternalError("epoll"));
  }

  void Ended() {
    absl::StatusOr<int> status = ReapChild(child_);
    if (!status.ok()) return;
    result_.wait_status = *status;
    child_.pid = -1;
    Finish(std::move(result_));
  }

  void Expired() {
    timer_ = 0;
    if (what_there_is_) return Fail(HelperResult{.wait_status = SIGKILL, .output = std::move(result_.output), .late = true});
    Fail(absl::DeadlineExceededError("helper used up its time"));
  }

  void SendKill() { syscall(SYS_pidfd_send_signal, child_.pidfd.get(), SIGKILL, nullptr, 0); }

  // A child that waits inside a file system which does not answer outlives SIGKILL: nobody waits for that.
  void Abandon() {
    if (child_.pid <= 0) return;
    SendKill();
    loop_.Remove(child_.pidfd.get());
    if (stuck_ != nullptr) ++*stuck_;
    (void)loop_.Add(child_.pidfd.get(), [self = shared_from_this()] { self->EndedLate(); });
  }

  void EndedLate() {
    if (!ReapChild(child_).ok()) return;
    child_.pid = -1;
    if (stuck_ != nullptr) --*stuck_;
    loop_.Remove(child_.pidfd.get());
  }

  void Fail(absl::StatusOr<HelperResult> why) {
    auto self = shared_from_this();
    if (output_fd_.ok()) loop_.Remove(output_fd_.get());
    output_fd_.reset();
    Abandon();
    Report(std::move(why));
  }

  void Finish(absl::StatusOr<HelperResult> result) {
    if (child_.pidfd.ok()) loop_.Remove(child_.pidfd.get());
    Report(std::move(result));
  }

  void Report(absl::StatusOr<HelperResult> result) {
    loop_.Cancel(timer_);
    if (auto done = std::exchange(done_, nullptr)) done(std::move(result));
  }

  EventLoop& loop_;
  size_t max_output_;
  bool what_there_is_ = false;
  std::shared_ptr<int> stuck_;
  HelperDone done_;
  Child child_;
  UniqueFd output_fd_;
  EventLoop::TimerId timer_ = 0;
  HelperResult result_;
};

}  // namespace

absl::StatusOr<Child> StartChild(const ChildSpec& spec) {
  std::vector<UniqueFd> moved;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  for (const ChildSpec::Inherit& inherit : spec.inherit) {
    moved.emplace_back(fcntl(inherit.fd, F_DUPFD_CLOEXEC, kFirstFreeFd));
    if (!moved.back().ok()) return ErrnoStatus("duplicate a descriptor for a child");
    posix_spawn_file_actions_adddup2(&actions, moved.back().get(), inherit.as);
  }
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

  std::vector<char*> argv{const_cast<char*>(spec.path.c_str())};
  for (const std::string& arg : spec.args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  char path_variable[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* environment[] = {path_variable, nullptr};

  Child child;
  const int error = posix_spawn(&child.pid, spec.path.c_str(), &actions, &attributes, argv.data(), environment);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return ErrnoStatus(absl::StrCat("start ", spec.path), error);
  child.pidfd.reset(static_cast<int>(syscall(SYS_pidfd_open, child.pid, 0)));  // Not reaped yet: the pid is its own.
  if (!child.pidfd.ok()) return ErrnoStatus("pidfd_open of a child");
  return child;
}

absl::StatusOr<int> ReapChild(const Child& child) {
  int status = 0;
  const pid_t got = waitpid(child.pid, &status, WNOHANG);
  if (got == child.pid) return status;
  if (got == 0) return absl::UnavailableError("the child lives");
  return ErrnoStatus("waitpid");
}

void RunHelper(EventLoop& loop, const Clock& clock, HelperRequest request, HelperDone done) {
  auto run = std::make_shared<HelperRun>(loop, request.max_output, request.stuck, done);
  if (absl::Status started = run->Start(clock, std::move(request)); !started.ok()) done(started);
}

}  // namespace holdpoint
