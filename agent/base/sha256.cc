#define OPENSSL_SUPPRESS_DEPRECATED  // the functions below the providers
#include "agent/base/sha256.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

namespace holdpoint {

Sha256Stream::Sha256Stream() : state_(std::make_unique<SHA256_CTX>()) { SHA256_Init(state_.get()); }
Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::Add(absl::string_view bytes) { SHA256_Update(state_.get(), bytes.data(), bytes.size()); }

Sha256Digest Sha256Stream::Finish() {
  Sha256Digest digest;
  SHA256_Final(digest.data(), state_.get());
  return digest;
}

Sha256Digest Sha256(absl::string_view bytes) {
  Sha256Stream stream;
  stream.Add(bytes);
  return stream.Finish();
}

Sha256Digest HmacSha256(absl::string_view key, absl::string_view bytes) {
  Sha256Digest digest;
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(bytes.data()),
       bytes.size(), digest.data(), &size);
  return digest;
}

std::string Hex(absl::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::string Hex(const Sha256Digest& digest) {
  return Hex(absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

}  // namespace holdpoint
