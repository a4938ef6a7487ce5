#include "agent/gate/kept_child.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(500), kLongestPause = absl::Seconds(30);
constexpr absl::Duration kLived = absl::Minutes(1);

}  // namespace

KeptChild::KeptChild(EventLoop& loop, const Clock& clock, std::string path, std::string what, absl::Duration patience)
    : loop_(loop), clock_(clock), path_(std::move(path)), what_(std::move(what)), patience_(patience), pause_(kFirstPause) {}

KeptChild::~KeptChild() {
  loop_.Cancel(timer_);
  if (child_.pid <= 0) return;
  loop_.Remove(child_.pidfd.get());
  Terminate();
  pollfd ended{.fd = child_.pidfd.get(), .events = POLLIN, .revents = 0};
  const int patience_ms = static_cast<int>(absl::ToInt64Milliseconds(patience_));
  if (poll(&ended, 1, patience_ms) <= 0) syscall(SYS_pidfd_send_signal, child_.pidfd.get(), SIGKILL, nullptr, 0);
  waitpid(child_.pid, nullptr, 0);
}

void KeptChild::Terminate() { syscall(SYS_pidfd_send_signal, child_.pidfd.get(), SIGTERM, nullptr, 0); }

absl::Status KeptChild::Run(std::vector<std::string> args) {
  if (args == args_) return absl::OkStatus();
  args_ = std::move(args);
  if (child_.pid > 0) {  // It is started again when it has ended.
    again_ = true;
    Terminate();
    return absl::OkStatus();
  }
  loop_.Cancel(std::exchange(timer_, 0));
  pause_ = kFirstPause;
  return Start();
}

absl::Status KeptChild::Start() {
  if (args_.empty()) return absl::OkStatus();
  ChildSpec spec;
  spec.path = path_;
  spec.args = args_;
  const BootTime began = clock_.Boot();
  absl::StatusOr<Child> started = StartChild(spec);
  if (!started.ok()) {
    StartLater();
    return started.status();
  }
  child_ = *std::move(started);
  return loop_.Add(child_.pidfd.get(), [this, began] { Ended(began); });
}

void KeptChild::Ended(BootTime began) {
  loop_.Remove(child_.pidfd.get());
  waitpid(child_.pid, nullptr, 0);
  child_ = Child();
  const bool on_purpose = std::exchange(again_, false);
  if (!on_purpose) LogWarning(what_, " ended; the spool keeps every event until it is back");
  if (args_.empty()) return;
  if (on_purpose) {
    pause_ = kFirstPause;
    if (absl::Status status = Start(); !status.ok()) LogError(what_, ": ", status.message());
    return;
  }
  ++restarts_;
  if (clock_.Boot() - began >= kLived) pause_ = kFirstPause;
  StartLater();
}

void KeptChild::StartLater() {
  timer_ = loop_.At(clock_.Boot() + pause_, [this] {
    timer_ = 0;
    if (absl::Status status = Start(); !status.ok()) LogError(what_, ": ", status.message());
  });
  pause_ = std::min(pause_ * 2, kLongestPause);
}

}  // namespace holdpoint
