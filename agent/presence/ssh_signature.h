#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/presence/owner_key.h"

namespace holdpoint {

// What the file holds that `ssh-keygen -Y sign` writes (OpenSSH's PROTOCOL.sshsig), with an Ed25519 key.
struct SshSignature {
  OwnerKey key = {};
  std::string name_space = {};
  std::string hash = {};  // "sha256" or "sha512"
  std::string ed25519 = {};  // 64 bytes
  uint8_t flags = 0;         // of a token: bit 0, somebody touched it
  uint32_t counter = 0;      // of a token
};

inline constexpr size_t kSshSignatureMaxBytes = 8 * 1024;

// Reads the text between its BEGIN and END lines. kDataLoss with what is wrong; nothing is verified.
absl::StatusOr<SshSignature> ParseSshSignature(absl::string_view armored);

// The bytes over which such a signature goes: not `message` itself, but its hash within a frame.
std::string SshSignedBytes(absl::string_view name_space, absl::string_view hash, absl::string_view message);

}  // namespace holdpoint
