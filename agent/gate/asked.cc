#include "agent/gate/asked.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kMaxUntil = absl::Hours(24 * 90);
constexpr uint64_t kMaxUnixSeconds = 1ull << 37;  // in the year 6325: the date has four digits
constexpr uint32_t kScopes = kControlOnce | kControlSession | kControlUntil;

// As a challenge says it, in words where they are exact. What has no words is bound by its bits.
std::string SignedScope(const ControlRequest& request) {
  const uint32_t flags = request.flags & ~(kControlCode | kControlSignature);
  if (flags == kControlOnce && request.number == 0) return "once";
  if (flags == kControlSession && request.number == 0) return "session";
  if (flags == kControlUntil && request.number < kMaxUnixSeconds) {
    const absl::Time until = absl::FromUnixSeconds(static_cast<int64_t>(request.number));
    return absl::StrCat("until:", absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", until, absl::UTCTimeZone()));
  }
  return absl::StrCat("flags:", flags, ":", request.number);
}

}  // namespace

const char* ScopeOf(const ControlRequest& request) {
  return (request.flags & kControlUntil) != 0 ? "until" : (request.flags & kControlSession) != 0 ? "session" : "once";
}

absl::StatusOr<Grant> ScopeAsked(const ControlRequest& request, absl::Time now) {
  Grant grant{.reason = EscapeAndClip(request.text2, 255)};
  switch (request.flags & kScopes) {
    case kControlOnce:
      return grant;
    case kControlSession:
      grant.scope = "session";
      return grant;
    case kControlUntil:
      grant.scope = "until";
      grant.until = absl::FromUnixSeconds(static_cast<int64_t>(std::min<uint64_t>(request.number, kMaxUnixSeconds)));
      if (grant.until <= now || grant.until > now + kMaxUntil) {
        return absl::InvalidArgumentError(
            absl::StrCat("--until: a date that is to come, within ", absl::ToInt64Hours(kMaxUntil) / 24, " days"));
      }
      return grant;
    default:
      return absl::InvalidArgumentError("say how far the approval goes: --once, --session or --until");
  }
}

absl::StatusOr<Grant> GrantAsked(const ControlRequest& request, absl::Time now) {
  absl::StatusOr<Grant> grant = ScopeAsked(request, now);
  if (grant.ok() && grant->scope != "once" && grant->reason.empty()) {
    return absl::InvalidArgumentError("what is remembered needs a --reason");
  }
  return grant;
}

Challenge QuestionAsked(const Ticket& ticket, const ControlRequest& request, bool approve) {
  return {.ticket = ticket.id,
          .digest = ticket.digest,
          .decision = approve ? "approve" : "deny",
          .scope = approve ? SignedScope(request) : "none",
          .owner = request.text1,
          .expires = ticket.expires};
}

}  // namespace holdpoint
