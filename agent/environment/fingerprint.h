#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace holdpoint {

inline constexpr size_t kFingerprintKeySize = 32;

// "fp:" and the first 8 bytes of HMAC-SHA-256 as 16 hexadecimal digits. `key` is the host's root-only key. White
// space around the value is not part of a credential. What `holdpoint fingerprint` prints. Pure.
std::string Fingerprint(absl::string_view key, absl::string_view value);

// Has the form that Fingerprint gives.
bool IsFingerprint(absl::string_view text);

}  // namespace holdpoint
