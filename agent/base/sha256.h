#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace holdpoint {

using Sha256Digest = std::array<uint8_t, 32>;

// SHA-256 of the bytes, by OpenSSL.
Sha256Digest Sha256(absl::string_view bytes);

// HMAC-SHA-256; the keyed hash behind credential fingerprints.
Sha256Digest HmacSha256(absl::string_view key, absl::string_view bytes);

// Lower-case hexadecimal of any bytes.
std::string Hex(absl::string_view bytes);
std::string Hex(const Sha256Digest& digest);

}  // namespace holdpoint
