#include "agent/presence/ssh_signature.h"

#include <openssl/evp.h>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/base/status.h"
#include "agent/presence/ssh_wire.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kBegin = "-----BEGIN SSH SIGNATURE-----", kEnd = "-----END SSH SIGNATURE-----";
constexpr absl::string_view kMagic = "SSHSIG";
constexpr uint32_t kVersion = 1;
constexpr size_t kSignatureBytes = 64, kNameMax = 255;

absl::Status NotWhole() { return absl::DataLossError("the signature is not whole"); }

absl::Status ReadSignature(absl::string_view bytes, SshSignature& signature) {
  SshReader reader(bytes);
  absl::string_view type, ed25519, flags;
  if (!reader.String(&type) || !reader.String(&ed25519) || ed25519.size() != kSignatureBytes) return NotWhole();
  if (type != (signature.key.token ? "sk-ssh-ed25519@openssh.com" : "ssh-ed25519")) {
    return absl::DataLossError("the signature is of another kind than its key");
  }
  signature.ed25519 = std::string(ed25519);
  if (signature.key.token) {
    if (!reader.Bytes(1, &flags) || !reader.Number(&signature.counter)) return NotWhole();
    signature.flags = static_cast<uint8_t>(flags[0]);
  }
  return reader.AtEnd() ? absl::OkStatus() : absl::DataLossError("there is more behind the signature");
}

std::string HashOf(absl::string_view name, absl::string_view message) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const EVP_MD* hash = name == "sha256" ? EVP_sha256() : EVP_sha512();
  if (EVP_Digest(message.data(), message.size(), digest, &size, hash, nullptr) != 1) size = 0;
  return {reinterpret_cast<const char*>(digest), size};
}

}  // namespace

absl::StatusOr<SshSignature> ParseSshSignature(absl::string_view armored) {
  if (armored.size() > kSshSignatureMaxBytes) return absl::DataLossError("the file is too large for a signature");
  absl::string_view text = absl::StripAsciiWhitespace(armored);
  if (!absl::ConsumePrefix(&text, kBegin) || !absl::ConsumeSuffix(&text, kEnd)) {
    return absl::DataLossError("this is no SSH signature: it has no BEGIN and END lines");
  }
  std::string bytes;
  if (!absl::Base64Unescape(text, &bytes)) return absl::DataLossError("what is between its BEGIN and END lines is no base64");

  SshReader reader(bytes);
  absl::string_view magic, key, name_space, reserved, hash, signed_part;
  uint32_t version = 0;
  if (!reader.Bytes(kMagic.size(), &magic) || magic != kMagic) return absl::DataLossError("this is no SSH signature");
  if (!reader.Number(&version) || version != kVersion) {
    return absl::DataLossError(absl::StrCat("SSH signatures of version ", kVersion, " are known, this is another"));
  }
  if (!reader.String(&key) || !reader.String(&name_space) || !reader.String(&reserved) || !reader.String(&hash) ||
      !reader.String(&signed_part)) {
    return NotWhole();
  }
  if (!reader.AtEnd()) return absl::DataLossError("there is more behind the signature");
  if (name_space.size() > kNameMax) return absl::DataLossError("the namespace is too long");
  if (!reserved.empty()) return absl::DataLossError("the signature says something that this program does not know");
  if (hash != "sha256" && hash != "sha512") return absl::DataLossError("want a signature over sha256 or sha512");
  SshSignature signature;
  HP_ASSIGN_OR_RETURN(signature.key, ParseKeyBlob(key));
  signature.name_space = std::string(name_space);
  signature.hash = std::string(hash);
  HP_RETURN_IF_ERROR(ReadSignature(signed_part, signature));
  return signature;
}

std::string SshSignedBytes(absl::string_view name_space, absl::string_view hash, absl::string_view message) {
  return absl::StrCat(kMagic, SshString(name_space), SshString(""), SshString(hash), SshString(HashOf(hash, message)));
}

}  // namespace holdpoint
