#include "agent/cli/desktop_note.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"

namespace holdpoint {
namespace {

constexpr size_t kSummaryShown = 200;
constexpr size_t kReasonShown = 240;

std::string Clipped(std::string text, size_t max) {
  if (text.size() <= max) return text;
  text.resize(max - 3);
  return text + "...";
}

std::string Question(const TicketRow& row) {
  return absl::StrCat(row.environment.empty() ? "unknown environment" : row.environment, ": ",
                      Clipped(row.summary, kSummaryShown), "\n", Clipped(row.reason, kReasonShown));
}

}  // namespace

DesktopNote DesktopNoteOf(const std::string& change, const TicketRow& row, int64_t now) {
  DesktopNote note;
  const std::string until = absl::FormatTime("%H:%M UTC", absl::FromUnixSeconds(row.expires), absl::UTCTimeZone());
  if (change == "opened" || (change == "now" && row.waits()) || change == "hold ran out") {
    note.wanted = true;
    note.stays = row.may_decide;
    note.urgency = row.held() && row.may_decide ? 2 : 1;
    note.title = row.held() ? absl::StrCat(row.ticket, " is held: ", std::max<int64_t>(0, row.deadline - now), " s to decide")
                            : absl::StrCat(row.ticket, " was refused, open until ", until);
    note.body = absl::StrCat(Question(row), "\n",
                             row.may_decide ? "Look and decide in a terminal: holdpoint watch"
                                            : absl::StrCat("May decide: ", row.owners));
  } else if (change == "approved" || change == "denied" || change == "expired") {
    note.wanted = true;
    note.urgency = 0;
    note.title = change == "expired" ? absl::StrCat(row.ticket, " ran out without a decision")
                                     : absl::StrCat(row.ticket, " ", change, " by ", row.decided_by);
    note.body = absl::StrCat(Clipped(row.summary, kSummaryShown), row.decision_reason.empty() ? "" : "\n", row.decision_reason);
  }
  return note;
}

std::string EscapeMarkup(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

}  // namespace holdpoint
