#include "agent/response/refusal_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/escape.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kPrefix = "holdpoint: ";
constexpr size_t kNamesMax = 200;
constexpr size_t kWordMax = 64;
constexpr size_t kApproversMax = 8;

void AddLine(std::string& out, absl::string_view line) {
  // Escaped once more as a whole would double backslashes: the parts are escaped, here it is only made to fit.
  const size_t room = kRefusalLineMax - kPrefix.size();
  absl::StrAppend(&out, kPrefix);
  if (line.size() > room) {
    absl::StrAppend(&out, line.substr(0, room - 3), "...");
  } else {
    absl::StrAppend(&out, line);
  }
  out.push_back('\n');
}

// Texts come escaped from the judge; escaping those again would only double their backslashes.
std::string Safe(absl::string_view text, size_t max) {
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (printable && text.size() <= max) return std::string(text);
  if (printable) return absl::StrCat(text.substr(0, max - 3), "...");
  return EscapeAndClip(text, max);
}

std::string Word(absl::string_view text) { return Safe(text, kWordMax); }

std::string Line(absl::string_view text) { return Safe(text, kRefusalLineMax); }

// "dana (production), %sre (production)", grouped as configured; clipped with "and N more".
std::string Approvers(const std::vector<RefusalText::Approver>& approvers) {
  std::string names;
  size_t shown = 0;
  for (const RefusalText::Approver& approver : approvers) {
    std::string one = Word(approver.name);
    if (!approver.environment.empty()) absl::StrAppend(&one, " (", Word(approver.environment), ")");
    if (shown == kApproversMax || (shown > 0 && names.size() + one.size() > kNamesMax)) break;
    absl::StrAppend(&names, shown == 0 ? "" : ", ", one);
    ++shown;
  }
  if (shown < approvers.size()) absl::StrAppend(&names, " and ", approvers.size() - shown, " more");
  return names;
}

std::string Headline(const RefusalText& text) {
  const std::string by = text.by.empty() ? "" : absl::StrCat(" by ", Word(text.by));
  switch (text.kind) {
    case RefusalText::Kind::kRefused:
      return "REFUSED, this command did not run (126)";
    case RefusalText::Kind::kDenied:
      return absl::StrCat("DENIED", by, ", this command did not run (126)");
    case RefusalText::Kind::kHoldRanOut:
      return "REFUSED, nobody decided while it was held and this command did not run (126)";
    case RefusalText::Kind::kCallerGaveUp:
      return "REFUSED, its caller gave up while it was held and this command did not run (126)";
    case RefusalText::Kind::kKilled:
      return absl::StrCat("KILLED", by, ", this command did not run");
    case RefusalText::Kind::kSessionKilled:
      return absl::StrCat("SESSION KILLED", by, ", with everything it started");
  }
  return "REFUSED";
}

bool CanBeApproved(const RefusalText& text) {
  return !text.ticket.empty() && !text.approvers.empty() && text.kind != RefusalText::Kind::kDenied &&
         text.kind != RefusalText::Kind::kSessionKilled;
}

}  // namespace

std::string RenderRefusal(const RefusalText& text) {
  std::string out;
  AddLine(out, absl::StrCat(Headline(text), text.summary.empty() ? "" : ": ", Line(text.summary)));
  if (!text.reason.empty()) AddLine(out, absl::StrCat("why: ", Line(text.reason)));
  AddLine(out,
          text.escalated
              ? "coding agent: this is a repeated attempt at what was refused before, and is recorded as one. Stop "
                "now and report it to the user"
              : "coding agent: stop and report this to the user. Reaching the same result another way is a repeated "
                "attempt and is recorded");
  std::string rollback = text.rollback.empty() ? "" : absl::StrCat("; rollback: ", Word(text.rollback));
  if (!CanBeApproved(text)) {
    std::string line = text.ticket.empty() ? "" : absl::StrCat("ticket ", Word(text.ticket), "; ");
    absl::StrAppend(&line,
                    text.kind == RefusalText::Kind::kDenied ? "the decision stands, do not try it again"
                                                            : "nobody can allow this from here",
                    rollback);
    AddLine(out, line);
    return out;
  }
  const std::string ticket = Word(text.ticket);
  AddLine(out, absl::StrCat("ticket ", ticket, text.open_until.empty() ? "" : ", open until ", Word(text.open_until),
                            "; may approve: ", Approvers(text.approvers), rollback));
  AddLine(out, absl::StrCat("human, in a terminal outside this session: sudo holdpoint approve ", ticket,
                            " --once --reason \"...\""));
  AddLine(out, absl::StrCat("to check for a decision: holdpoint wait ", ticket,
                            " (once approved, the identical command passes one time)"));
  return out;
}

std::string RenderHold(const RefusalText& text, absl::string_view held_until) {
  std::string out;
  const std::string ticket = Word(text.ticket);
  AddLine(out, absl::StrCat("HELD before it runs, until ", Word(held_until), " at the latest: ", Line(text.summary)));
  if (!text.reason.empty()) AddLine(out, absl::StrCat("why: ", Line(text.reason)));
  AddLine(out, absl::StrCat("ticket ", ticket, "; may approve: ", Approvers(text.approvers),
                            ", in a terminal outside this session: sudo holdpoint approve ", ticket,
                            " --once --reason \"...\""));
  return out;
}

}  // namespace holdpoint
