#include "agent/presence/owner_key.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/base/sha256.h"
#include "agent/presence/key_proof.h"
#include "agent/presence/ssh_signature.h"
#include "agent/presence/ssh_wire.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdpoint {
namespace {

using ::testing::HasSubstr;

// Made by ssh-keygen -Y sign -n holdpoint, OpenSSH 9.2, and by openssl pkeyutl -sign -rawin, for this test.
constexpr char kChallenge[] = "holdpoint-decision-1 decision=approve ticket=HP-4K7Q";
constexpr char kLine[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMzcrXQtlNSb/91MbZLloC3wtRF7PrATC3CvDN5SY36F dana@laptop";
constexpr char kPrint[] = "SHA256:3INEVFAkPKS4N0teKKOkjDQgzLYSJxKWTBqCLmDitB8";
constexpr char kSigned[] = R"(-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgzNytdC2U1Jv/3UxtkuWgLfC1EX
s+sBMLcK8M3lJjfoUAAAAJaG9sZHBvaW50AAAAAAAAAAZzaGE1MTIAAABTAAAAC3NzaC1l
ZDI1NTE5AAAAQBTuW7FSlgPiVXd1vOeArJddH4eI5weB7rg4K2atrzg5ZdS7ZoAy/geq9E
A+am0voZ7aWSErRambuYtmE0Ud9wo=
-----END SSH SIGNATURE-----
)";
constexpr char kOfFiles[] = R"(-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgzNytdC2U1Jv/3UxtkuWgLfC1EX
s+sBMLcK8M3lJjfoUAAAAEZmlsZQAAAAAAAAAGc2hhNTEyAAAAUwAAAAtzc2gtZWQyNTUx
OQAAAEDuKowUnW2vVjDloWxDfdfWVL4WUgWTJ3VTWKtrSW/ZL3ZnSUpat5HodRCDqXjg/M
hWPVjiiJyOeF8Mwm0smRAE
-----END SSH SIGNATURE-----
)";
constexpr char kOpenSslLine[] = "ed25519 MCowBQYDK2VwAyEA4uxb4tuyJgPSJdR3DEJhr07JYYM5gCuW1tjL2tmT2KM=";
constexpr char kOpenSslSigned[] =
    "f3Umm8K5nLF7zqO03zjQFJxU161a3OaMiV6AXzcIXm8rsQ3olguk57ik8jCQ9vtyZbn8vWQHAj2G+7PrBOX6DA==";

std::vector<OwnerKey> Keys(absl::string_view text) {
  auto keys = ParseOwnerKeys(text);
  EXPECT_TRUE(keys.ok()) << keys.status();
  return keys.ok() ? *keys : std::vector<OwnerKey>();
}

absl::StatusOr<KeyProof> Carried(absl::string_view file) {
  const auto proof = ReadSignatureFile(file);
  if (!proof.ok()) return proof;
  const std::string line = RenderKeyProof(*proof);
  EXPECT_LE(line.size(), 127u) << "it fits into a request";
  return ParseKeyProof(line);
}

std::string FromBase64(absl::string_view text) {
  std::string bytes;
  EXPECT_TRUE(absl::Base64Unescape(text, &bytes));
  return bytes;
}

TEST(OwnerKey, ReadsTheLinesOfItsFile) {
  const auto keys = Keys(absl::StrCat("# dana\n\n  ", kLine, "  \n", kOpenSslLine, "\n"));
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(KeyFingerprint(keys[0]), kPrint);
  EXPECT_FALSE(keys[0].token);
  EXPECT_EQ(keys[1].point.size(), 32u);
}

TEST(OwnerKey, OneWrongLineMakesTheFileWrong) {
  const std::string rsa = absl::Base64Escape(SshString("ssh-rsa") + SshString("e") + SshString("n"));
  const std::string half = absl::Base64Escape(SshString("ssh-ed25519") + SshString(std::string(31, 'x')));
  const std::string more = absl::Base64Escape(SshString("ssh-ed25519") + SshString(std::string(32, 'x')) + "x");
  const std::string token = absl::Base64Escape(SshString("sk-ssh-ed25519@openssh.com") + SshString(std::string(32, 'x')));
  for (const std::string& bad :
       {absl::StrCat("ssh-rsa ", rsa), absl::StrCat("ssh-ed25519 ", rsa), absl::StrCat("ssh-ed25519 ", half),
        absl::StrCat("ssh-ed25519 ", more), absl::StrCat("sk-ssh-ed25519@openssh.com ", token), std::string("ssh-ed25519"),
        std::string("ssh-ed25519 !!!"), std::string("ed25519 AAAA"), absl::StrCat("command=\"x\" ", kLine)}) {
    const auto keys = ParseOwnerKeys(absl::StrCat(kLine, "\n", bad));
    ASSERT_EQ(keys.status().code(), absl::StatusCode::kDataLoss) << bad;
    EXPECT_THAT(keys.status().message(), HasSubstr("line 2: ")) << bad;
  }
  std::string many;
  for (size_t i = 0; i <= kMaxOwnerKeys; ++i) absl::StrAppend(&many, kLine, "\n");
  EXPECT_FALSE(ParseOwnerKeys(many).ok());
}

TEST(KeyProof, SignaturesOfBothProgramsCount) {
  const auto ssh = Carried(kSigned);
  ASSERT_TRUE(ssh.ok()) << ssh.status();
  const auto by = VerifyKeyProof(*ssh, Keys(absl::StrCat(kOpenSslLine, "\n", kLine)), "dana", kChallenge);
  ASSERT_TRUE(by.ok()) << by.status();
  EXPECT_EQ(KeyFingerprint(*by), kPrint);

  const auto raw = Carried(FromBase64(kOpenSslSigned));
  ASSERT_TRUE(raw.ok()) << raw.status();
  EXPECT_TRUE(VerifyKeyProof(*raw, Keys(absl::StrCat(kLine, "\n", kOpenSslLine)), "dana", kChallenge).ok());
}

TEST(KeyProof, AnotherTextIsNotSigned) {
  for (const std::string& file : {std::string(kSigned), FromBase64(kOpenSslSigned)}) {
    const auto proof = Carried(file);
    ASSERT_TRUE(proof.ok());
    for (const std::string& text : {std::string(), absl::StrReplaceAll(kChallenge, {{"4K7Q", "4K7R"}}),
                                    absl::StrReplaceAll(kChallenge, {{"approve", "deny"}}), absl::StrCat(kChallenge, " ")}) {
      const auto by = VerifyKeyProof(*proof, Keys(absl::StrCat(kLine, "\n", kOpenSslLine)), "dana", text);
      EXPECT_EQ(by.status().code(), absl::StatusCode::kPermissionDenied) << text;
      EXPECT_THAT(by.status().message(), HasSubstr("no key of dana has signed this challenge"));
    }
  }
}

TEST(KeyProof, AnotherKeyIsToldApart) {
  const auto proof = Carried(kSigned);
  const auto by = VerifyKeyProof(*proof, Keys(kOpenSslLine), "lee", kChallenge);
  EXPECT_EQ(by.status().message(), "the signature was made with a key that is none of lee's");
  EXPECT_FALSE(VerifyKeyProof(*proof, {}, "lee", kChallenge).ok());
}

TEST(KeyProof, AnotherNamespaceIsSaidAndDoesNotVerifyEither) {
  const auto file = ReadSignatureFile(kOfFiles);
  EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(file.status().message(), HasSubstr("is one for 'file' and not for Holdpoint"));
  // Somebody who leaves the namespace out on the way gains nothing.
  const auto read = ParseSshSignature(kOfFiles);
  ASSERT_TRUE(read.ok());
  const KeyProof forged{.form = KeyProof::Form::kSsh, .hash = read->hash, .hint = KeyHint(read->key.blob), .ed25519 = read->ed25519};
  EXPECT_FALSE(VerifyKeyProof(forged, Keys(kLine), "dana", kChallenge).ok());
}

TEST(KeyProof, EveryFlippedBitOfASignatureIsSeen) {
  const auto proof = Carried(kSigned);
  const auto keys = Keys(kLine);
  for (size_t bit = 0; bit < 64 * 8; ++bit) {
    KeyProof other = *proof;
    other.ed25519[bit / 8] = static_cast<char>(other.ed25519[bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(VerifyKeyProof(other, keys, "dana", kChallenge).ok()) << bit;
  }
}

TEST(KeyProof, WhatIsNoSignatureIsRefusedByWhatIsWrong) {
  const std::string good = kSigned;
  for (const std::string& bad : {std::string(), std::string("hello"), good.substr(0, 40), absl::StrReplaceAll(good, {{"END", "ENX"}}),
                                 absl::StrReplaceAll(good, {{"U1NI", "!!!!"}}), std::string(10000, 'x'), std::string(63, 'x')}) {
    EXPECT_EQ(ReadSignatureFile(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad.substr(0, 50);
  }
  const std::string line = RenderKeyProof(*ReadSignatureFile(kSigned));
  for (const std::string& bad : {std::string(), line.substr(1), line + "x", line + ".", absl::StrReplaceAll(line, {{"sha512", "md5"}}),
                                 absl::StrReplaceAll(line, {{"ssh-", "sk-"}}), absl::StrReplaceAll(line, {{"ssh-sha512", "raw"}})}) {
    EXPECT_EQ(ParseKeyProof(bad).status().code(), absl::StatusCode::kDataLoss) << bad;
  }
}

// Cut at every byte, and with every byte changed, what is inside is refused or read; it is never read past.
TEST(SshSignature, SurvivesWhatIsCutAndChanged) {
  const std::string body = FromBase64(absl::StrReplaceAll(
      kSigned, {{"-----BEGIN SSH SIGNATURE-----", ""}, {"-----END SSH SIGNATURE-----", ""}, {"\n", ""}}));
  const auto armored = [](absl::string_view bytes) {
    return absl::StrCat("-----BEGIN SSH SIGNATURE-----\n", absl::Base64Escape(bytes), "\n-----END SSH SIGNATURE-----");
  };
  EXPECT_TRUE(ParseSshSignature(armored(body)).ok());
  for (size_t size = 0; size < body.size(); ++size) EXPECT_FALSE(ParseSshSignature(armored(body.substr(0, size))).ok()) << size;
  EXPECT_FALSE(ParseSshSignature(armored(body + "x")).ok());
  for (size_t at = 0; at < body.size(); ++at) {
    for (const char value : {'\0', '\x7f', '\xff'}) {
      std::string other = body;
      if (other[at] == value) continue;
      other[at] = value;
      const auto proof = ReadSignatureFile(armored(other));
      EXPECT_FALSE(proof.ok() && VerifyKeyProof(*proof, Keys(kLine), "dana", kChallenge).ok()) << at;
    }
  }
}

// A FIDO2 token, played by a key in memory: PROTOCOL.u2f says what it signs.
class Token {
 public:
  Token() : key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")) {
    unsigned char point[32];
    size_t size = sizeof(point);
    EXPECT_EQ(EVP_PKEY_get_raw_public_key(key_, point, &size), 1);
    blob_ = SshString(kType) + SshString({reinterpret_cast<const char*>(point), size}) + SshString("ssh:");
  }
  ~Token() { EVP_PKEY_free(key_); }

  std::string Line() const { return absl::StrCat(kType, " ", absl::Base64Escape(blob_), " dana's token"); }
  std::string Sign(absl::string_view text, uint8_t flags) const {
    const auto hash = [](absl::string_view bytes) {
      const Sha256Digest digest = Sha256(bytes);
      return std::string(digest.begin(), digest.end());
    };
    const std::string tail = std::string(1, static_cast<char>(flags)) + SshNumber(7);
    const std::string bytes = hash("ssh:") + tail + hash(SshSignedBytes("holdpoint", "sha512", text));
    std::string signature(64, '\0');
    size_t size = signature.size();
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EXPECT_EQ(EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_), 1);
    EXPECT_EQ(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                             reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()), 1);
    EVP_MD_CTX_free(context);
    const std::string body = absl::StrCat("SSHSIG", SshNumber(1), SshString(blob_), SshString("holdpoint"), SshString(""),
                                          SshString("sha512"), SshString(SshString(kType) + SshString(signature) + tail));
    return absl::StrCat("-----BEGIN SSH SIGNATURE-----\n", absl::Base64Escape(body), "\n-----END SSH SIGNATURE-----\n");
  }

 private:
  static constexpr char kType[] = "sk-ssh-ed25519@openssh.com";
  EVP_PKEY* key_;
  std::string blob_;
};

TEST(KeyProof, ATokenCountsWhereSomebodyTouchedIt) {
  const Token token;
  const auto keys = Keys(token.Line());
  const auto touched = Carried(token.Sign(absl::StrCat(kChallenge, "\n"), 1));
  ASSERT_TRUE(touched.ok()) << touched.status();
  EXPECT_EQ(touched->counter, 7u);
  EXPECT_TRUE(VerifyKeyProof(*touched, keys, "dana", kChallenge).ok());
  EXPECT_FALSE(VerifyKeyProof(*touched, Keys(kLine), "dana", kChallenge).ok());

  const auto alone = Carried(token.Sign(absl::StrCat(kChallenge, "\n"), 0));
  EXPECT_EQ(VerifyKeyProof(*alone, keys, "dana", kChallenge).status().message(),
            "nobody touched the token of dana when it signed");
  KeyProof claims = *alone;
  claims.flags = 1;
  EXPECT_FALSE(VerifyKeyProof(claims, keys, "dana", kChallenge).ok()) << "the flags are signed";
}

// Whatever the installed ssh-keygen writes today.
TEST(KeyProof, SshKeygenOfThisHostIsUnderstood) {
  char folder[] = "/tmp/owner_key_test.XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string in = absl::StrCat("cd ", folder, " && ");
  ASSERT_EQ(system(absl::StrCat(in, "ssh-keygen -q -t ed25519 -N '' -f key && printf '%s\\n' '", kChallenge,
                                "' > text && for hash in sha256 sha512; do ssh-keygen -q -Y sign -O hashalg=$hash -n holdpoint "
                                "-f key < text > $hash.sig || exit 1; done").c_str()), 0) << "openssh-client is wanted";
  const auto read = [&folder](const char* name) {
    std::ifstream file(absl::StrCat(folder, "/", name));
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  };
  for (const char* name : {"sha256.sig", "sha512.sig"}) {
    const auto proof = Carried(read(name));
    ASSERT_TRUE(proof.ok()) << proof.status();
    EXPECT_TRUE(VerifyKeyProof(*proof, Keys(read("key.pub")), "dana", kChallenge).ok()) << name;
    EXPECT_FALSE(VerifyKeyProof(*proof, Keys(read("key.pub")), "dana", "another").ok()) << name;
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace holdpoint
