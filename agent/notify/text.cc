#include "agent/notify/text.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "agent/base/sha256.h"
#include "nlohmann/json.hpp"

namespace holdpoint {
namespace {

constexpr size_t kSummaryShown = 160;
constexpr size_t kReasonShown = 240;

// The gate has escaped it already. A terminal acts on bytes, so nothing else gets there whatever came.
std::string Printable(std::string text) {
  for (char& c : text) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return text;
}

std::string Clipped(std::string text, size_t max) {
  if (text.size() <= max) return text;
  text.resize(max - 3);
  return text + "...";
}

std::string Clock(int64_t unix_seconds) {
  return absl::FormatTime("%H:%M UTC", absl::FromUnixSeconds(unix_seconds), absl::UTCTimeZone());
}

std::string WhatBecame(const Notice& notice) {
  const std::string change = NoticeText(notice.change);
  const std::string by = NoticeText(notice.decided_by);
  const std::string open = absl::StrCat("open until ", Clock(notice.expires_unix));
  if (change == "opened" && notice.deadline_unix != 0) {
    return absl::StrCat("is HELD, ", notice.deadline_unix - notice.time_unix, " s to decide");
  }
  if (change == "opened") return absl::StrCat("was REFUSED, ", open);
  if (change == "hold ran out") return absl::StrCat("is no longer held, ", open);
  if (change == "approved") return absl::StrCat("approved by ", by);
  if (change == "denied") return absl::StrCat("denied by ", by);
  if (change == "used") return absl::StrCat("approved by ", by, ", has run");
  if (change == "expired") return "ran out without a decision";
  return change;
}

std::string DecideCommand(absl::string_view instance) {
  return instance.empty() || instance == "default" ? "holdpoint watch"
                                                   : absl::StrCat("holdpoint --instance ", instance, " watch");
}

std::vector<std::string> Names(const std::string& list) {
  return absl::StrSplit(list, ", ", absl::SkipEmpty());
}

}  // namespace

std::string Sentence(const Notice& notice) {
  const std::string environment = NoticeText(notice.environment);
  const std::string coding_agent = NoticeText(notice.coding_agent);
  return Printable(absl::StrCat(NoticeText(notice.ticket), " ", WhatBecame(notice), " (",
                                environment.empty() ? "unknown environment" : environment, "; ",
                                coding_agent.empty() ? "a session" : coding_agent, " of ", NoticeText(notice.user),
                                "): ", Clipped(NoticeText(notice.summary), kSummaryShown)));
}

std::string TerminalText(const Notice& notice, absl::string_view instance) {
  const std::string change = NoticeText(notice.change);
  if (change == "opened") {
    return absl::StrCat("\a\r\nholdpoint: ", Sentence(notice), "\r\nholdpoint: why: ",
                        Clipped(Printable(NoticeText(notice.reason)), kReasonShown),
                        "; look and decide: ", Printable(DecideCommand(instance)), "\r\n");
  }
  if (change == "approved" || change == "denied" || change == "expired") {
    return absl::StrCat("\r\nholdpoint: ", Sentence(notice), "\r\n");
  }
  return "";
}

std::string WebhookBody(const Notice& notice, const NoticeSettings& settings) {
  const std::string instance = NoticeText(settings.instance), host = NoticeText(settings.host);
  nlohmann::ordered_json body = {
      {"version", 1},
      {"event", NoticeText(notice.change)},
      {"text", absl::StrCat("holdpoint on ", host, ": ", Sentence(notice))},
      {"delivery", absl::StrCat(NoticeText(settings.run_id), "-", notice.sequence)},
      {"time", notice.time_unix},
      {"host", host},
      {"instance", instance},
      {"ticket", NoticeText(notice.ticket)},
      {"state", NoticeText(notice.state)},
      {"environment", NoticeText(notice.environment)},
      {"protected", notice.protected_environment != 0},
      {"summary", NoticeText(notice.summary)},
      {"reason", NoticeText(notice.reason)},
      {"rule", NoticeText(notice.rule)},
      {"effect", NoticeText(notice.effect)},
      {"recoverability", NoticeText(notice.recoverability)},
      {"resource", NoticeText(notice.resource)},
      {"backups", NoticeText(notice.backups)},
      {"session", NoticeText(notice.session)},
      {"coding_agent", NoticeText(notice.coding_agent)},
      {"user", NoticeText(notice.user)},
      {"owners", Names(NoticeText(notice.owners))},
      {"deciders", Names(NoticeText(notice.deciders))},
      {"rollback", Names(NoticeText(notice.rollback))},
      {"deadline", notice.deadline_unix},
      {"expires", notice.expires_unix},
      {"decided_by", NoticeText(notice.decided_by)},
      {"decision_reason", NoticeText(notice.decision_reason)},
      {"decide", absl::StrCat(DecideCommand(instance), " (on ", host, ", outside every session)")}};
  return body.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

std::string WebhookSignature(absl::string_view secret, int64_t unix_seconds, absl::string_view body) {
  return absl::StrCat("t=", unix_seconds, ",v1=", Hex(HmacSha256(secret, absl::StrCat(unix_seconds, ".", body))));
}

}  // namespace holdpoint
