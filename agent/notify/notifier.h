#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "agent/base/clock.h"
#include "agent/base/fd.h"
#include "agent/notify/budget.h"
#include "agent/notify/notice.h"
#include "agent/notify/webhook.h"

namespace holdpoint {

// Takes notices from the gate and carries each to terminals and webhook; says of each when it is finished with.
// Thread: one.
class Notifier {
 public:
  // `problem` is what is wrong with the webhook, empty for nothing.
  Notifier(UniqueFd gate, const NoticeSettings& settings, const Clock& clock)
      : gate_(std::move(gate)), settings_(settings), clock_(clock) {}

  // Without one nothing is posted; `problem` then says why to the gate.
  void SetWebhook(std::unique_ptr<Webhook> webhook) { webhook_ = std::move(webhook); }
  void SetProblem(std::string problem) { problem_ = std::move(problem); }
  void OnPosted(uint64_t sequence, WebhookResult result, const std::string& problem);

  // Until the gate hangs up; what is left for the webhook then has a few seconds.
  absl::Status Run();

 private:
  bool ReadNotices();  // false: the gate has hung up
  void Take(const Notice& notice);
  void Report(const NoticeReport& report);
  void Idle(absl::Duration at_most);

  UniqueFd gate_;
  const NoticeSettings settings_;
  const Clock& clock_;
  std::unique_ptr<Webhook> webhook_;
  std::string problem_;
  Budget budget_{6, absl::Seconds(10)};
  std::map<uint64_t, NoticeReport> posting_;  // by sequence: everything but the webhook is done
};

}  // namespace holdpoint
