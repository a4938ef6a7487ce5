#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

struct SHA256state_st;

namespace holdpoint {

using Sha256Digest = std::array<uint8_t, 32>;

// SHA-256 of the bytes, by OpenSSL, without its providers: to look one up reads openssl.cnf, which may name programs to
// load, and takes longer than a short text. A reader sees the file system of a session.
Sha256Digest Sha256(absl::string_view bytes);

// The same of what comes in parts.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;

  void Add(absl::string_view bytes);
  Sha256Digest Finish();  // once

 private:
  std::unique_ptr<SHA256state_st> state_;
};

// HMAC-SHA-256; the keyed hash behind credential fingerprints.
Sha256Digest HmacSha256(absl::string_view key, absl::string_view bytes);

// Lower-case hexadecimal of any bytes.
std::string Hex(absl::string_view bytes);
std::string Hex(const Sha256Digest& digest);

}  // namespace holdpoint
