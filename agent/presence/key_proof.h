#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/presence/owner_key.h"

namespace holdpoint {

inline constexpr absl::string_view kSignatureNamespace = "holdpoint";  // ssh-keygen -Y sign -n holdpoint

// A signature over a challenge, without anything that the verifier knows by itself: it has one small, fixed shape, and
// fits into a request's secret.
struct KeyProof {
  enum class Form { kRaw, kSsh, kToken };  // Ed25519 over the challenge itself; as OpenSSH frames it; by a token
  Form form = Form::kRaw;
  std::string hash = {};     // of the two others: "sha256" or "sha512"
  std::string hint = {};     // KeyHint() of the signer; empty where only the signature is known
  std::string ed25519 = {};  // 64 bytes
  uint8_t flags = 0;
  uint32_t counter = 0;
};

// From the file that a person brings: an SSH signature in its BEGIN and END lines, or the 64 bytes that `openssl
// pkeyutl -sign -rawin` writes. kInvalidArgument with a sentence for that person, also for another namespace.
absl::StatusOr<KeyProof> ReadSignatureFile(absl::string_view bytes);

// One line of at most 127 printable characters, and back. kDataLoss for anything else.
std::string RenderKeyProof(const KeyProof& proof);
absl::StatusOr<KeyProof> ParseKeyProof(absl::string_view line);

// Which of `keys` has signed `challenge` (as it is, or with the line feed that a file has at its end). The frame, and
// in it the namespace and the hash, is made here: nothing of it comes from the proof.
//
// kPermissionDenied with a sentence about `user`: another key, another text, a token that nobody touched.
absl::StatusOr<OwnerKey> VerifyKeyProof(const KeyProof& proof, const std::vector<OwnerKey>& keys, absl::string_view user,
                                        absl::string_view challenge);

}  // namespace holdpoint
