#include "agent/gate/notifier_link.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/log.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr int kMaxGiven = 2;  // A notice that ends whoever takes it is not given to a third one.
constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
constexpr absl::Duration kMaxPause = absl::Seconds(10);
constexpr absl::Duration kSettled = absl::Seconds(20);
constexpr absl::Duration kStuck = absl::Seconds(30);  // It speaks every five.

}  // namespace

NotifierLink::~NotifierLink() {
  loop_.Cancel(start_timer_);
  if (!alive()) return;
  // It ends by itself, after what it was given last.
  loop_.Remove(child_.pidfd.get());
  loop_.Remove(socket_.get());
}

void NotifierLink::Configure(const NoticeSettings& settings) {
  settings_ = settings;
  wanted_ = settings.wall != WallMode::kOff || settings.webhook_url[0] != '\0' || settings.webhook_url_file[0] != '\0';
  totals_.problem.clear();
  loop_.Cancel(std::exchange(start_timer_, 0));
  End();
  if (!wanted_) {
    waiting_.clear();
    return;
  }
  if (absl::Status started = Start(); !started.ok()) {
    LogError("the notifier can't be started: ", started.message());
    StartLater();
  }
}

absl::Status NotifierLink::Start() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) return ErrnoStatus("socketpair");
  UniqueFd ours(pair[0]);
  const UniqueFd theirs(pair[1]);
  ChildSpec spec;
  spec.path = program_;
  spec.inherit = {{theirs.get(), kNoticeFd}};
  HP_ASSIGN_OR_RETURN(child_, StartChild(spec));
  socket_ = std::move(ours);
  started_ = heard_ = clock_.Boot();
  HP_RETURN_IF_ERROR(loop_.Add(child_.pidfd.get(), [this] { Ended(); }));
  HP_RETURN_IF_ERROR(loop_.Add(socket_.get(), [this] { Reported(); }));
  if (send(socket_.get(), &settings_, sizeof(settings_), MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(settings_)) {
    return ErrnoStatus("hand settings to the notifier");
  }
  Flush();
  return absl::OkStatus();
}

void NotifierLink::StartLater() {
  pause_ = std::clamp(pause_ * 2, kFirstPause, kMaxPause);
  start_timer_ = loop_.At(clock_.Boot() + pause_, [this] {
    start_timer_ = 0;
    ++totals_.restarts;
    if (absl::Status started = Start(); !started.ok()) {
      LogError("the notifier can't be started: ", started.message());
      StartLater();
    }
  });
}

void NotifierLink::Send(Notice notice) {
  if (!wanted_) return;
  if (waiting_.size() >= kMaxWaiting) {
    ++totals_.lost;
    return lost_("queue full", 1);
  }
  notice.sequence = ++sequence_;
  waiting_.push_back({.notice = notice});
  Flush();
}

void NotifierLink::Flush() {
  if (!alive()) return;
  for (Waiting& waiting : waiting_) {
    if (waiting.sent) continue;
    if (send(socket_.get(), &waiting.notice, sizeof(waiting.notice), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return;
    waiting.sent = true;
    ++waiting.given;
  }
}

void NotifierLink::Reported() {
  NoticeReport report;
  for (;;) {
    const ssize_t size = recv(socket_.get(), &report, sizeof(report), MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return;
    if (size == 0) return loop_.Remove(socket_.get());  // Its end comes by the pidfd.
    if (size != static_cast<ssize_t>(sizeof(report))) continue;
    heard_ = clock_.Boot();
    Finished(report);
  }
}

void NotifierLink::Finished(const NoticeReport& report) {
  const std::string problem = EscapeAndClip(NoticeText(report.problem), sizeof(report.problem));
  if (!problem.empty() && problem != totals_.problem) LogWarning("notices: ", problem);
  if (!problem.empty()) totals_.problem = problem;
  const auto found = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& waiting) {
    return waiting.sent && waiting.notice.sequence == report.sequence;
  });
  if (found == waiting_.end()) return;
  waiting_.erase(found);
  ++totals_.told;
  totals_.terminals += report.terminals;
  totals_.terminals_failed += report.terminals_failed;
  totals_.terminals_spared += report.terminals_spared;
  switch (report.webhook) {
    case WebhookResult::kNone:
      break;
    case WebhookResult::kDelivered:
      ++totals_.delivered;
      totals_.problem.clear();
      break;
    case WebhookResult::kGivenUp:
      ++totals_.given_up;
      lost_("webhook given up", 1);
      break;
    case WebhookResult::kDropped:
      ++totals_.dropped;
      lost_("webhook too slow", 1);
      break;
  }
}

void NotifierLink::Ended() {
  Reported();  // What it said last.
  loop_.Remove(child_.pidfd.get());
  loop_.Remove(socket_.get());
  int status = 0;
  waitpid(child_.pid, &status, 0);
  child_ = Child();
  socket_.reset();
  const std::string why = WIFSIGNALED(status) ? absl::StrCat("signal ", WTERMSIG(status))
                                              : absl::StrCat("exit status ", WEXITSTATUS(status));
  LogWarning("the notifier ended (", why, "); it is started again");
  uint64_t lost = 0;
  for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
    waiting->sent = false;
    const bool drop = waiting->given >= kMaxGiven;
    lost += drop ? 1 : 0;
    waiting = drop ? waiting_.erase(waiting) : waiting + 1;
  }
  totals_.lost += lost;
  if (lost > 0) lost_("notifier ended", lost);
  if (clock_.Boot() - started_ > kSettled) pause_ = absl::ZeroDuration();
  StartLater();
}

void NotifierLink::End() {
  if (!alive()) return;
  loop_.Remove(child_.pidfd.get());
  loop_.Remove(socket_.get());
  syscall(SYS_pidfd_send_signal, child_.pidfd.get(), SIGKILL, nullptr, 0);
  waitpid(child_.pid, nullptr, 0);  // SIGKILL was sent to our own child: this ends in microseconds.
  child_ = Child();
  socket_.reset();
  for (Waiting& waiting : waiting_) waiting.sent = false;
}

void NotifierLink::Tick() {
  Flush();
  if (!alive() || clock_.Boot() - heard_ < kStuck) return;
  LogWarning("the notifier says nothing any more: it is ended and started again");
  syscall(SYS_pidfd_send_signal, child_.pidfd.get(), SIGKILL, nullptr, 0);
  heard_ = clock_.Boot();
}

}  // namespace holdpoint
