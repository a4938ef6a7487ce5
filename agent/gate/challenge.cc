#include "agent/gate/challenge.h"

#include "absl/strings/str_cat.h"
#include "agent/base/sha256.h"

namespace holdpoint {
namespace {

constexpr size_t kNonceDigits = 32;  // hexadecimal

}  // namespace

std::string ChallengeLine(const Challenge& challenge, const ChallengeSource& source) {
  const std::string digest = Hex(challenge.digest);
  const std::string of = absl::StrCat(challenge.ticket, " ", digest, " ", absl::ToUnixNanos(challenge.expires));
  return absl::StrCat("holdpoint-decision-1 decision=", challenge.decision, " ticket=", challenge.ticket,
                      " scope=", challenge.scope, " owner=", challenge.owner, " expires=",
                      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", challenge.expires, absl::UTCTimeZone()), " digest=", digest,
                      " nonce=", Hex(HmacSha256(source.key, of)).substr(0, kNonceDigits), " host=", source.host_id,
                      " boot=", source.boot_id);
}

absl::Status AnsweredChallenges::MayAnswer(const Challenge& challenge, const std::string& line, absl::Time now) {
  std::erase_if(answered_, [now](const auto& entry) { return entry.second <= now; });
  if (challenge.expires <= now) {
    return absl::PermissionDeniedError(absl::StrCat(challenge.ticket, " has run out, and with it what was signed"));
  }
  if (!answered_.contains(line)) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat("this signature has been used: ", challenge.owner,
                                                  " answers each question of ", challenge.ticket, " once"));
}

bool AnsweredChallenges::Answer(const Challenge& challenge, const std::string& line) {
  return answered_.emplace(line, challenge.expires).second;
}

}  // namespace holdpoint
