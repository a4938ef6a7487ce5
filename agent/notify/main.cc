// holdpoint-notify: started by holdpointd, tells whoever may decide. See agent/notify/notice.h for what comes over
// descriptor 3. It has a user of its own and the group of terminals, no capability, and a network for the webhook.
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "agent/base/become.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/notify/notifier.h"
#include "agent/notify/settings.h"

namespace holdpoint {
namespace {

constexpr uid_t kNotifyUid = 64713;
constexpr gid_t kTtyGroup = 5;  // "tty" on Debian and Fedora, and what systemd mounts devpts with
constexpr int kSettingsMs = 10'000;

absl::StatusOr<NoticeSettings> ReceiveSettings(int fd) {
  NoticeSettings settings;
  pollfd input{.fd = fd, .events = POLLIN, .revents = 0};
  if (poll(&input, 1, kSettingsMs) <= 0 || recv(fd, &settings, sizeof(settings), MSG_TRUNC) != sizeof(settings) ||
      settings.version != kNoticeVersion) {
    return absl::InvalidArgumentError("no settings on descriptor 3: holdpointd of the same version starts this");
  }
  return settings;
}

absl::Status Run() {
  for (const int number : {SIGINT, SIGHUP, SIGPIPE}) {
    if (signal(number, SIG_IGN) == SIG_ERR) return ErrnoStatus("signal");
  }
  for (const auto& [resource, value] : {std::pair(RLIMIT_CORE, 0), std::pair(RLIMIT_NOFILE, 64)}) {
    const rlimit limit{.rlim_cur = static_cast<rlim_t>(value), .rlim_max = static_cast<rlim_t>(value)};
    if (setrlimit(resource, &limit) != 0) return ErrnoStatus("setrlimit");
  }
  UniqueFd gate(kNoticeFd);
  HP_ASSIGN_OR_RETURN(const NoticeSettings settings, ReceiveSettings(gate.get()));
  absl::StatusOr<Webhook::Options> options = ReadWebhook(settings);
  if (geteuid() == 0) HP_RETURN_IF_ERROR(BecomeUser(kNotifyUid, {kTtyGroup}));

  Notifier notifier(std::move(gate), settings, Clock::Real());
  absl::Status problem = absl::IsNotFound(options.status()) ? absl::OkStatus() : options.status();
  if (options.ok()) {
    absl::StatusOr<std::unique_ptr<Webhook>> webhook =
        Webhook::Create(*std::move(options), Clock::Real(),
                        [&notifier](uint64_t sequence, WebhookResult result, const std::string& why) {
                          notifier.OnPosted(sequence, result, why);
                        });
    problem = webhook.status();
    if (webhook.ok()) notifier.SetWebhook(*std::move(webhook));
  }
  if (!problem.ok()) {
    const std::string why = absl::StrCat("no webhook: ", problem.message());
    LogError(why);
    notifier.SetProblem(why);
  }
  return notifier.Run();
}

}  // namespace
}  // namespace holdpoint

int main() {
  holdpoint::SetLogName("holdpoint-notify");
  const absl::Status status = holdpoint::Run();
  if (!status.ok()) holdpoint::LogError(status.message());
  return holdpoint::ExitCode(status);
}
