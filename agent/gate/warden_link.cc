#include "agent/gate/warden_link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr int kReadyMs = 5000;
constexpr int kFirstFd = 3;
constexpr absl::Duration kFirstBackoff = absl::Milliseconds(10);
constexpr absl::Duration kMaxBackoff = absl::Seconds(2);
constexpr absl::Duration kSettled = absl::Seconds(10);

}  // namespace

absl::StatusOr<std::unique_ptr<WardenLink>> WardenLink::Start(EventLoop& loop, const Clock& clock, Options options,
                                                              std::function<void(const std::string&)> lost) {
  std::unique_ptr<WardenLink> link(new WardenLink(loop, clock, std::move(options), std::move(lost)));
  HP_ASSIGN_OR_RETURN(const UniqueFd ready, link->StartProcess());
  pollfd wait{.fd = ready.get(), .events = POLLIN, .revents = 0};
  char byte;
  if (poll(&wait, 1, kReadyMs) <= 0 || read(ready.get(), &byte, 1) != 1) {
    return absl::UnavailableError(absl::StrCat(link->options_.program, " does not stand by; its own line says why"));
  }
  return link;
}

WardenLink::~WardenLink() {
  *live_ = false;
  if (child_.pidfd.ok()) loop_.Remove(child_.pidfd.get());  // It ends by itself, after us.
}

absl::StatusOr<UniqueFd> WardenLink::StartProcess() {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) return ErrnoStatus("pipe2");
  UniqueFd read_end(ready[0]);
  const UniqueFd write_end(ready[1]);
  const UniqueFd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!self.ok()) return ErrnoStatus("pidfd_open of the gate itself");
  ChildSpec spec;
  spec.path = options_.program;
  spec.args = {absl::StrCat(absl::ToInt64Milliseconds(options_.wedged_after))};
  spec.inherit = {{write_end.get(), kFirstFd}, {self.get(), kFirstFd + 1}};
  for (size_t i = 0; i < options_.fds.size(); ++i) {
    if (options_.fds[i] >= 0) spec.inherit.push_back({options_.fds[i], kFirstFd + 2 + static_cast<int>(i)});
  }
  HP_ASSIGN_OR_RETURN(child_, StartChild(spec));
  started_ = clock_.Boot();
  HP_RETURN_IF_ERROR(loop_.Add(child_.pidfd.get(), [this] { Ended(); }));
  return read_end;
}

void WardenLink::Ended() {
  loop_.Remove(child_.pidfd.get());
  int status = 0;
  waitpid(child_.pid, &status, 0);
  child_ = Child();
  const std::string why = WIFSIGNALED(status) ? absl::StrCat("signal ", WTERMSIG(status))
                                              : absl::StrCat("exit status ", WEXITSTATUS(status));
  LogWarning("the warden ended (", why, "); it is started again");
  if (clock_.Boot() - started_ > kSettled) backoff_ = absl::ZeroDuration();
  lost_(why);
  StartAgain();
}

void WardenLink::StartAgain() {
  loop_.At(clock_.Boot() + backoff_, [this, live = std::weak_ptr<bool>(live_)] {
    if (live.expired()) return;
    if (absl::StatusOr<UniqueFd> started = StartProcess(); !started.ok()) {
      LogError("the warden can't be started: ", started.status().message());
      StartAgain();
    }
  });
  backoff_ = std::clamp(backoff_ * 2, kFirstBackoff, kMaxBackoff);
}

}  // namespace holdpoint
