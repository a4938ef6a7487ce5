#include "agent/gate/notice_of.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "agent/base/escape.h"
#include "agent/gate/hold_view.h"

namespace holdpoint {
namespace {

// What the judge made is printable already, and is not escaped a second time.
template <size_t kSize>
void SetEscaped(char (&array)[kSize], const std::string& text) {
  const bool printable = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
  SetNoticeText(array, printable && text.size() < kSize ? text : EscapeAndClip(text, kSize - 1));
}

}  // namespace

Notice NoticeOf(const Core& core, const std::string& change, const Ticket& ticket) {
  const HoldView view = HoldViewOf(core, ticket, 0);
  Notice notice;
  notice.time_unix = absl::ToUnixSeconds(core.clock.Wall());
  notice.deadline_unix = view.deadline_unix;
  notice.expires_unix = view.expires_unix;
  notice.protected_environment = view.protected_environment ? 1 : 0;
  for (const EligibleOwner& owner : DecidersOf(core, ticket)) {
    if (notice.told_count < kMaxToldUsers) notice.told_uids[notice.told_count++] = owner.uid;
  }
  SetEscaped(notice.change, change);
  SetEscaped(notice.ticket, view.ticket);
  SetEscaped(notice.state, view.state);
  SetEscaped(notice.environment, view.environment);
  SetEscaped(notice.session, view.session);
  SetEscaped(notice.coding_agent, view.coding_agent);
  SetEscaped(notice.user, view.user);
  SetEscaped(notice.effect, view.effect);
  SetEscaped(notice.recoverability, view.recoverability);
  SetEscaped(notice.rule, view.rule);
  SetEscaped(notice.resource, view.resource);
  SetEscaped(notice.backups, view.backups);
  SetEscaped(notice.summary, view.summary);
  SetEscaped(notice.reason, view.reason);
  SetEscaped(notice.owners, absl::StrJoin(view.owners, ", "));
  SetEscaped(notice.deciders, absl::StrJoin(view.deciders, ", "));
  SetEscaped(notice.rollback, absl::StrJoin(view.rollback, ", "));
  SetEscaped(notice.decided_by, view.decided_by);
  SetEscaped(notice.decision_reason, view.decision_reason);
  return notice;
}

NoticeSettings NoticeSettingsOf(const v1::Configured& configured, const v1::StreamId& stream) {
  const v1::Notify& notify = configured.notify();
  NoticeSettings settings;
  settings.wall = notify.wall() == "owners" ? WallMode::kOwners
                  : notify.wall() == "all"  ? WallMode::kAll
                                            : WallMode::kOff;
  settings.webhook_timeout_ms = notify.webhook_timeout_ms();
  SetNoticeText(settings.host, EscapeForTerminal(stream.host()));
  SetNoticeText(settings.instance, stream.instance());
  SetNoticeText(settings.run_id, stream.run_id());
  SetNoticeText(settings.webhook_url, notify.webhook_url());
  SetNoticeText(settings.webhook_url_file, notify.webhook_url_file());
  SetNoticeText(settings.webhook_secret_file, notify.webhook_secret_file());
  SetNoticeText(settings.webhook_ca_file, notify.webhook_ca_file());
  return settings;
}

}  // namespace holdpoint
