#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct evp_pkey_st;

namespace holdpoint {

// Signed heartbeats: each says where its stream's chain stood, and whoever has the public key can tell it from one that
// somebody else wrote. The signature is Ed25519 over "holdpoint heartbeat 1\n" and the statement's bytes as they are in
// the record.
struct KeyFree {
  void operator()(evp_pkey_st* key) const;
};
using KeyPtr = std::unique_ptr<evp_pkey_st, KeyFree>;

class HeartbeatKey {
 public:
  // A private key in PEM form (`openssl genpkey -algorithm ed25519`).
  // Errors: kNotFound; kFailedPrecondition for a file that others may use, or that holds no such key.
  static absl::StatusOr<HeartbeatKey> Read(const std::string& path);

  // The same; a key is made where there is none, mode 0600, on stable storage when this returns.
  static absl::StatusOr<HeartbeatKey> ReadOrMake(const std::string& path);

  // 64 bytes; empty where OpenSSL fails.
  std::string Sign(absl::string_view statement) const;

  // SubjectPublicKeyInfo in base64, one line.
  const std::string& public_key() const { return public_key_; }
  // The same for people who keep it elsewhere.
  std::string PublicPem() const;

 private:
  explicit HeartbeatKey(KeyPtr key);
  static absl::StatusOr<HeartbeatKey> Parse(const std::string& path, const std::string& pem);

  KeyPtr key_;
  std::string public_key_;
};

// What verifies: from PublicPem, or from public_key().
class HeartbeatPublicKey {
 public:
  // kInvalidArgument for what is no Ed25519 public key.
  static absl::StatusOr<HeartbeatPublicKey> Parse(absl::string_view text);

  bool Verifies(absl::string_view statement, absl::string_view signature) const;
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  std::shared_ptr<evp_pkey_st> key_;
  std::string fingerprint_;
};

// "SHA256:" and base64 of the hash of a SubjectPublicKeyInfo. Takes it in base64.
std::string KeyFingerprint(absl::string_view public_key);

// The statement's bytes inside of a record that is a heartbeat; nothing where it has none. Any bytes are fine.
std::optional<absl::string_view> StatementBytes(absl::string_view record);

}  // namespace holdpoint
