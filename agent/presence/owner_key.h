#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

// A public key that decides for an owner: Ed25519, in software or in a FIDO2 token (which OpenSSH calls sk).
struct OwnerKey {
  std::string blob = {};         // as OpenSSH writes it on the wire; the fingerprint is its hash
  std::string point = {};        // the 32 bytes of Ed25519
  bool token = false;            // the private key is in a FIDO2 token
  std::string application = {};  // of a token: "ssh:"
};

inline constexpr size_t kMaxOwnerKeys = 32;
inline constexpr size_t kOwnerKeysMaxBytes = 64 * 1024;

// A key as it stands on the wire: string type, string point, and of a token string application. kDataLoss for anything
// else, also for another kind of key.
absl::StatusOr<OwnerKey> ParseKeyBlob(absl::string_view blob);

// The lines of an owner's file: "ssh-ed25519 BASE64 comment" and "sk-ssh-ed25519@openssh.com BASE64 comment" as
// ssh-keygen writes them into a .pub file, or "ed25519 BASE64" with what `openssl pkey -pubout` writes between its two
// lines. Empty lines and lines with # are left out. One line that is wrong makes the file wrong: kDataLoss, with its
// number.
absl::StatusOr<std::vector<OwnerKey>> ParseOwnerKeys(absl::string_view text);

// "SHA256:..." as `ssh-keygen -l` prints it.
std::string KeyFingerprint(const OwnerKey& key);

// The first bytes of that hash: with which key a signature was made, where there is little room to say so.
inline constexpr size_t kKeyHintBytes = 12;
std::string KeyHint(absl::string_view blob);

}  // namespace holdpoint
