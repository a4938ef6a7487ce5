#include "agent/presence/totp.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "agent/base/sha256.h"

namespace holdpoint {
namespace {

constexpr int64_t kStepSeconds = 30;
constexpr int kMinDigits = 6, kMaxDigits = 8;
constexpr size_t kMinSecret = 16, kMaxSecret = 64;
constexpr absl::string_view kHead = "holdpoint totp 1";

std::string Base32(absl::string_view bytes) {
  static constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 5; count -= 5) text += kLetters[bits >> (count - 5) & 31];
  }
  if (count > 0) text += kLetters[bits << (5 - count) & 31];
  return text;
}

std::string UrlEncoded(absl::string_view text) {
  std::string encoded;
  for (const unsigned char c : text) {
    if (absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_') {
      encoded += static_cast<char>(c);
    } else {
      absl::StrAppendFormat(&encoded, "%%%02X", c);
    }
  }
  return encoded;
}

absl::Duration DelayAfter(int failures) {
  if (failures < kTotpFreeFailures) return absl::ZeroDuration();
  const int doubled = std::min(failures - kTotpFreeFailures, 16);
  return std::min(kTotpFirstDelay * (1 << doubled), kTotpLongestDelay);
}

}  // namespace

int64_t TotpStep(absl::Time now) { return absl::ToUnixSeconds(now) / kStepSeconds; }

std::string TotpCode(const TotpKey& key, int64_t step) {
  unsigned char counter[8];
  for (int i = 7; i >= 0; --i, step >>= 8) counter[i] = static_cast<unsigned char>(step & 0xff);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(key.hash == TotpKey::Hash::kSha256 ? EVP_sha256() : EVP_sha1(), key.secret.data(),
       static_cast<int>(key.secret.size()), counter, sizeof(counter), mac, &size);
  const unsigned at = mac[size - 1] & 15u;
  const uint32_t number = (mac[at] & 0x7fu) << 24 | mac[at + 1] << 16 | mac[at + 2] << 8 | mac[at + 3];
  uint32_t modulus = 1;
  for (int i = 0; i < key.digits; ++i) modulus *= 10;
  return absl::StrFormat("%0*d", key.digits, number % modulus);
}

bool LooksLikeCode(absl::string_view text) {
  return text.size() >= kMinDigits && text.size() <= kMaxDigits && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

absl::Status CheckTotp(TotpState& state, absl::string_view user, absl::string_view code, absl::Time now) {
  // A clock that was set back must not close it for longer than it could have been.
  state.closed_until = std::min(state.closed_until, now + kTotpLongestDelay);
  if (now < state.closed_until) {
    return absl::PermissionDeniedError(
        absl::StrCat("too many codes were wrong: a code of ", user, " is looked at again in ",
                     absl::ToInt64Seconds(absl::Ceil(state.closed_until - now, absl::Seconds(1))),
                     " s; the password still counts"));
  }
  const int64_t step = TotpStep(now);
  int64_t matched = 0;
  for (const int64_t candidate : {step - 1, step, step + 1}) {
    const std::string right = TotpCode(state.key, candidate);
    const bool same = code.size() == right.size() && CRYPTO_memcmp(code.data(), right.data(), right.size()) == 0;
    if (same) matched = std::max(matched, candidate);
  }
  if (matched == 0) {
    ++state.failures;
    state.closed_until = now + DelayAfter(state.failures);
    return absl::PermissionDeniedError(absl::StrCat("the code of ", user, " was not accepted"));
  }
  if (matched <= state.used_step) {
    return absl::PermissionDeniedError(
        absl::StrCat("this code of ", user, ", or a later one, has been used already: wait for the next one"));
  }
  state.used_step = matched;
  state.failures = 0;
  state.closed_until = absl::UnixEpoch();
  return absl::OkStatus();
}

std::string TotpUri(const TotpKey& key, absl::string_view host, absl::string_view user) {
  return absl::StrCat("otpauth://totp/Holdpoint:", UrlEncoded(absl::StrCat(user, "@", host)),
                      "?secret=", Base32(key.secret), "&issuer=Holdpoint&algorithm=",
                      key.hash == TotpKey::Hash::kSha256 ? "SHA256" : "SHA1", "&digits=", key.digits,
                      "&period=", kStepSeconds);
}

std::string RenderTotpState(const TotpState& state) {
  return absl::StrCat(kHead, "\nhash ", state.key.hash == TotpKey::Hash::kSha256 ? "sha256" : "sha1", "\ndigits ",
                      state.key.digits, "\nsecret ", Hex(state.key.secret), "\nused ", state.used_step, "\nfailures ",
                      state.failures, "\nclosed ", absl::ToUnixSeconds(state.closed_until), "\n");
}

absl::StatusOr<TotpState> ParseTotpState(absl::string_view text) {
  const auto wrong = [](absl::string_view what) { return absl::DataLossError(absl::StrCat("line ", what)); };
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (lines.size() != 8 || lines[0] != kHead || !lines[7].empty()) return wrong("1: not a file of this kind, or not whole");
  static constexpr const char* kNames[] = {"hash", "digits", "secret", "used", "failures", "closed"};
  std::map<absl::string_view, absl::string_view> values;
  for (size_t i = 0; i < 6; ++i) {
    const std::pair<absl::string_view, absl::string_view> words = absl::StrSplit(lines[i + 1], absl::MaxSplits(' ', 1));
    if (words.first != kNames[i]) return wrong(absl::StrCat(i + 2, ": want ", kNames[i]));
    values[words.first] = words.second;
  }
  TotpState state;
  if (values["hash"] != "sha1" && values["hash"] != "sha256") return wrong("2: want sha1 or sha256");
  state.key.hash = values["hash"] == "sha256" ? TotpKey::Hash::kSha256 : TotpKey::Hash::kSha1;
  if (!absl::SimpleAtoi(values["digits"], &state.key.digits) || state.key.digits < kMinDigits ||
      state.key.digits > kMaxDigits) {
    return wrong("3: want 6 to 8 digits");
  }
  const absl::string_view hex = values["secret"];
  if (hex.size() < 2 * kMinSecret || hex.size() > 2 * kMaxSecret || hex.size() % 2 != 0 ||
      !std::all_of(hex.begin(), hex.end(), absl::ascii_isxdigit)) {
    return wrong("4: want a secret of 16 to 64 bytes in hexadecimal");
  }
  state.key.secret = absl::HexStringToBytes(hex);
  int64_t closed = 0;
  if (!absl::SimpleAtoi(values["used"], &state.used_step) || state.used_step < 0) return wrong("5: want a step");
  if (!absl::SimpleAtoi(values["failures"], &state.failures) || state.failures < 0) return wrong("6: want a number");
  if (!absl::SimpleAtoi(values["closed"], &closed) || closed < 0) return wrong("7: want seconds");
  state.closed_until = absl::FromUnixSeconds(closed);
  return state;
}

}  // namespace holdpoint
