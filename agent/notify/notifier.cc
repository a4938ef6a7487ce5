#include "agent/notify/notifier.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/notify/terminals.h"
#include "agent/notify/text.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kAlive = absl::Seconds(5);
constexpr absl::Duration kAfterTheGate = absl::Seconds(5);

}  // namespace

void Notifier::Report(const NoticeReport& report) {
  // Room for a packet is there unless the gate does not read: then it hears of the next one.
  (void)!send(gate_.get(), &report, sizeof(report), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void Notifier::OnPosted(uint64_t sequence, WebhookResult result, const std::string& problem) {
  auto node = posting_.extract(sequence);
  if (node.empty()) return;
  node.mapped().webhook = result;
  SetNoticeText(node.mapped().problem, problem);
  Report(node.mapped());
}

void Notifier::Take(const Notice& notice) {
  NoticeReport report{.sequence = notice.sequence};
  const std::string text = settings_.wall == WallMode::kOff ? "" : TerminalText(notice, NoticeText(settings_.instance));
  if (!text.empty() && !budget_.Take(clock_.Boot())) {
    report.terminals_spared = 1;
  } else if (!text.empty()) {
    const uint32_t* const end = notice.told_uids + std::min<size_t>(notice.told_count, kMaxToldUsers);
    const auto wanted = [&](uid_t uid) {
      return settings_.wall == WallMode::kAll || std::find(notice.told_uids, end, uid) != end;
    };
    const WriteCounts counts = WriteToTerminals(LoginTerminals(), wanted, text);
    report.terminals = counts.written;
    report.terminals_failed = counts.failed;
  }
  if (webhook_ == nullptr) return Report(report);
  const std::string delivery = absl::StrCat(NoticeText(settings_.run_id), "-", notice.sequence);
  posting_[notice.sequence] = report;
  webhook_->Add({.sequence = notice.sequence, .delivery = delivery, .body = WebhookBody(notice, settings_)});
}

bool Notifier::ReadNotices() {
  Notice notice;
  for (;;) {
    const ssize_t size = recv(gate_.get(), &notice, sizeof(notice), MSG_DONTWAIT | MSG_TRUNC);
    if (size == 0) return false;
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno == EAGAIN;
    if (size == static_cast<ssize_t>(sizeof(notice))) Take(notice);
  }
}

void Notifier::Idle(absl::Duration at_most) {
  if (webhook_ != nullptr) return webhook_->Wait(gate_.get(), at_most);
  pollfd input{.fd = gate_.get(), .events = POLLIN, .revents = 0};
  poll(&input, 1, static_cast<int>(absl::ToInt64Milliseconds(at_most)) + 1);
}

absl::Status Notifier::Run() {
  BootTime alive;
  while (ReadNotices()) {
    if (clock_.Boot() >= alive) {
      alive = clock_.Boot() + kAlive;
      NoticeReport report;
      SetNoticeText(report.problem, problem_);
      Report(report);
    }
    Idle(std::max(absl::ZeroDuration(), alive - clock_.Boot()));
  }
  // The gate has ended. What it said last is worth some seconds; a socket that nobody listens to is not waited for.
  const BootTime end = clock_.Boot() + kAfterTheGate;
  while (webhook_ != nullptr && webhook_->waiting() > 0 && clock_.Boot() < end) {
    webhook_->Wait(-1, end - clock_.Boot());
  }
  return absl::OkStatus();
}

}  // namespace holdpoint
