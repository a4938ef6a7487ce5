#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace holdpoint {

// How an owner's codes are made: RFC 6238 with steps of 30 s from the Unix epoch.
struct TotpKey {
  enum class Hash { kSha1, kSha256 };
  Hash hash = Hash::kSha1;  // what every authenticator program knows
  int digits = 6;           // 6 to 8
  std::string secret = {};  // bytes
};

// The number of the step that `now` (wall clock) lies in.
int64_t TotpStep(absl::Time now);

// The code of one step, with its leading zeros.
std::string TotpCode(const TotpKey& key, int64_t step);

// Whether somebody could have meant a code: 6 to 8 digits, nothing else.
bool LooksLikeCode(absl::string_view text);

// What is known of an owner's codes. A step that was accepted is never accepted again, and neither is one before it.
struct TotpState {
  TotpKey key = {};
  int64_t used_step = 0;            // the last accepted
  int failures = 0;                 // since then
  absl::Time closed_until = absl::UnixEpoch();  // codes are not looked at before; bounded by kTotpLongestDelay
};

inline constexpr int kTotpFreeFailures = 3;
inline constexpr absl::Duration kTotpFirstDelay = absl::Seconds(5);     // doubled with each failure that follows
inline constexpr absl::Duration kTotpLongestDelay = absl::Minutes(15);

// Checks `code` against the steps around `now`, one before and one behind, and writes into `state` what that means for
// the next one. The caller keeps the state on the disk before it says yes. Pure, apart from that.
//
// kPermissionDenied: wrong (counted), used before (not counted), or not looked at because too many were wrong. The
// message is a sentence about `user`. It takes as long for a wrong code as for a right one.
absl::Status CheckTotp(TotpState& state, absl::string_view user, absl::string_view code, absl::Time now);

// What an authenticator program reads from a QR code: otpauth://totp/... with the secret in base32.
std::string TotpUri(const TotpKey& key, absl::string_view host, absl::string_view user);

// The text of a state as it is kept, and back: kDataLoss with what is wrong. The secret is in it.
std::string RenderTotpState(const TotpState& state);
absl::StatusOr<TotpState> ParseTotpState(absl::string_view text);

}  // namespace holdpoint
