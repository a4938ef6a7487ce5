#include "agent/presence/owner_key.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/base/sha256.h"
#include "agent/presence/ssh_wire.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kPlain = "ssh-ed25519", kToken = "sk-ssh-ed25519@openssh.com", kOpenSsl = "ed25519";
constexpr size_t kPointBytes = 32, kApplicationMax = 255;
// SubjectPublicKeyInfo of an Ed25519 key (RFC 8410) up to the point.
constexpr absl::string_view kInfoHead("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", 12);

absl::string_view AsText(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

absl::StatusOr<OwnerKey> ParseKeyLine(absl::string_view line) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  std::string bytes;
  if (words.size() < 2 || (words[0] != kPlain && words[0] != kToken && words[0] != kOpenSsl)) {
    return absl::DataLossError("want ssh-ed25519, sk-ssh-ed25519@openssh.com or ed25519, and the key in base64");
  }
  if (!absl::Base64Unescape(words[1], &bytes)) return absl::DataLossError("the key is no base64");
  if (words[0] == kOpenSsl) {
    if (bytes.size() != kInfoHead.size() + kPointBytes || !absl::StartsWith(bytes, kInfoHead)) {
      return absl::DataLossError("want the line that `openssl pkey -pubout` writes for an Ed25519 key");
    }
    return ParseKeyBlob(SshString(kPlain) + SshString(absl::string_view(bytes).substr(kInfoHead.size())));
  }
  absl::StatusOr<OwnerKey> key = ParseKeyBlob(bytes);
  if (key.ok() && key->token != (words[0] == kToken)) return absl::DataLossError("the key is of another kind than the line says");
  return key;
}

}  // namespace

absl::StatusOr<OwnerKey> ParseKeyBlob(absl::string_view blob) {
  SshReader reader(blob);
  absl::string_view type, point, application;
  if (!reader.String(&type)) return absl::DataLossError("this is no public key");
  if (type != kPlain && type != kToken) {
    return absl::DataLossError("only Ed25519 keys count: ssh-keygen -t ed25519, or -t ed25519-sk");
  }
  if (!reader.String(&point) || point.size() != kPointBytes) return absl::DataLossError("the key is not whole");
  const bool token = type == kToken;
  if (token && (!reader.String(&application) || application.empty() || application.size() > kApplicationMax)) {
    return absl::DataLossError("the key names no application");
  }
  if (!reader.AtEnd()) return absl::DataLossError("there is more behind the key");
  return OwnerKey{.blob = std::string(blob), .point = std::string(point), .token = token, .application = std::string(application)};
}

absl::StatusOr<std::vector<OwnerKey>> ParseOwnerKeys(absl::string_view text) {
  if (text.size() > kOwnerKeysMaxBytes) return absl::DataLossError("the file is too large");
  std::vector<OwnerKey> keys;
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    absl::StatusOr<OwnerKey> key = ParseKeyLine(line);
    if (!key.ok()) return absl::DataLossError(absl::StrCat("line ", number, ": ", key.status().message()));
    if (keys.size() == kMaxOwnerKeys) {
      return absl::DataLossError(absl::StrCat("line ", number, ": at most ", kMaxOwnerKeys, " keys"));
    }
    keys.push_back(*std::move(key));
  }
  return keys;
}

std::string KeyFingerprint(const OwnerKey& key) {
  const Sha256Digest digest = Sha256(key.blob);
  return absl::StrCat("SHA256:", absl::StripSuffix(absl::Base64Escape(AsText(digest)), "="));
}

std::string KeyHint(absl::string_view blob) {
  const Sha256Digest digest = Sha256(blob);
  return std::string(AsText(digest).substr(0, kKeyHintBytes));
}

}  // namespace holdpoint
