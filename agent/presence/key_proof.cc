#include "agent/presence/key_proof.h"

#include <openssl/evp.h>

#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/base/escape.h"
#include "agent/base/sha256.h"
#include "agent/presence/ssh_signature.h"
#include "agent/presence/ssh_wire.h"

namespace holdpoint {
namespace {

constexpr size_t kSignatureBytes = 64, kLineMax = 127;
constexpr uint8_t kTouched = 1;

struct FormName {
  const char* name;
  KeyProof::Form form;
  const char* hash;
};
constexpr FormName kForms[] = {{"raw", KeyProof::Form::kRaw, ""},
                               {"ssh-sha256", KeyProof::Form::kSsh, "sha256"},
                               {"ssh-sha512", KeyProof::Form::kSsh, "sha512"},
                               {"sk-sha256", KeyProof::Form::kToken, "sha256"},
                               {"sk-sha512", KeyProof::Form::kToken, "sha512"}};

struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct ContextFree {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

const unsigned char* Bytes(absl::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

bool Verifies(const OwnerKey& key, absl::string_view signature, absl::string_view bytes) {
  const std::unique_ptr<EVP_PKEY, KeyFree> point(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Bytes(key.point), key.point.size()));
  const std::unique_ptr<EVP_MD_CTX, ContextFree> context(EVP_MD_CTX_new());
  return point != nullptr && context != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, point.get()) == 1 &&
         EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(bytes), bytes.size()) == 1;
}

// What the signature would have to go over, for this key to have signed `message`.
std::string SignedBytes(const KeyProof& proof, const OwnerKey& key, absl::string_view message) {
  if (proof.form == KeyProof::Form::kRaw) return std::string(message);
  std::string framed = SshSignedBytes(kSignatureNamespace, proof.hash, message);
  if (proof.form == KeyProof::Form::kSsh) return framed;
  const auto digest = [](absl::string_view bytes) {
    const Sha256Digest sum = Sha256(bytes);
    return std::string(sum.begin(), sum.end());
  };
  return absl::StrCat(digest(key.application), std::string(1, static_cast<char>(proof.flags)), SshNumber(proof.counter),
                      digest(framed));
}

}  // namespace

absl::StatusOr<KeyProof> ReadSignatureFile(absl::string_view bytes) {
  if (bytes.size() == kSignatureBytes) return KeyProof{.form = KeyProof::Form::kRaw, .ed25519 = std::string(bytes)};
  const absl::StatusOr<SshSignature> read = ParseSshSignature(bytes);
  if (!read.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        read.status().message(), ". Wanted is what `ssh-keygen -Y sign -n holdpoint` writes, or 64 bytes of Ed25519"));
  }
  if (read->name_space != kSignatureNamespace) {
    return absl::InvalidArgumentError(absl::StrCat("the signature is one for '", EscapeAndClip(read->name_space, 64),
                                                   "' and not for Holdpoint: sign it with ssh-keygen -Y sign -n ",
                                                   kSignatureNamespace));
  }
  return KeyProof{.form = read->key.token ? KeyProof::Form::kToken : KeyProof::Form::kSsh,
                  .hash = read->hash,
                  .hint = KeyHint(read->key.blob),
                  .ed25519 = read->ed25519,
                  .flags = read->flags,
                  .counter = read->counter};
}

std::string RenderKeyProof(const KeyProof& proof) {
  const char* name = "raw";
  for (const FormName& form : kForms) {
    if (form.form == proof.form && form.hash == proof.hash) name = form.name;
  }
  std::string bytes = proof.ed25519;
  if (proof.form == KeyProof::Form::kToken) {
    bytes += static_cast<char>(proof.flags);
    bytes += SshNumber(proof.counter);
  }
  return absl::StrCat(name, ".", absl::WebSafeBase64Escape(proof.hint), ".", absl::WebSafeBase64Escape(bytes));
}

absl::StatusOr<KeyProof> ParseKeyProof(absl::string_view line) {
  const absl::Status wrong = absl::DataLossError("this is no proof by a key");
  const std::vector<absl::string_view> words = absl::StrSplit(line, '.');
  if (line.size() > kLineMax || words.size() != 3) return wrong;
  KeyProof proof;
  const FormName* found = nullptr;
  for (const FormName& form : kForms) {
    if (words[0] == form.name) found = &form;
  }
  std::string bytes;
  if (found == nullptr || !absl::WebSafeBase64Unescape(words[1], &proof.hint) ||
      !absl::WebSafeBase64Unescape(words[2], &bytes)) {
    return wrong;
  }
  proof.form = found->form;
  proof.hash = found->hash;
  const bool token = proof.form == KeyProof::Form::kToken;
  if (bytes.size() != kSignatureBytes + (token ? 5 : 0)) return wrong;
  if (proof.hint.size() != (proof.form == KeyProof::Form::kRaw ? 0 : kKeyHintBytes)) return wrong;
  proof.ed25519 = bytes.substr(0, kSignatureBytes);
  if (token) {
    proof.flags = static_cast<uint8_t>(bytes[kSignatureBytes]);
    SshReader(absl::string_view(bytes).substr(kSignatureBytes + 1)).Number(&proof.counter);
  }
  return proof;
}

absl::StatusOr<OwnerKey> VerifyKeyProof(const KeyProof& proof, const std::vector<OwnerKey>& keys, absl::string_view user,
                                        absl::string_view challenge) {
  bool known = false;
  for (const OwnerKey& key : keys) {
    if (key.token != (proof.form == KeyProof::Form::kToken)) continue;
    if (!proof.hint.empty() && KeyHint(key.blob) != proof.hint) continue;
    known = true;
    const bool signed_here = Verifies(key, proof.ed25519, SignedBytes(proof, key, absl::StrCat(challenge, "\n"))) ||
                             Verifies(key, proof.ed25519, SignedBytes(proof, key, challenge));
    if (!signed_here) continue;
    if (key.token && (proof.flags & kTouched) == 0) {
      return absl::PermissionDeniedError(absl::StrCat("nobody touched the token of ", user, " when it signed"));
    }
    return key;
  }
  if (!known) {
    return absl::PermissionDeniedError(absl::StrCat("the signature was made with a key that is none of ", user, "'s"));
  }
  return absl::PermissionDeniedError(
      absl::StrCat("no key of ", user, " has signed this challenge: it is one for this ticket, host and boot, this "
                                       "decision and its scope (holdpoint challenge shows it)"));
}

}  // namespace holdpoint
