#include "agent/event/heartbeat.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/sha256.h"
#include "agent/base/status.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kContext = "holdpoint heartbeat 1\n";
constexpr size_t kSignatureBytes = 64, kMaxPem = 16 * 1024;

struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPtr = std::unique_ptr<BIO, BioFree>;
struct ContextFree {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using ContextPtr = std::unique_ptr<EVP_MD_CTX, ContextFree>;

const unsigned char* Bytes(absl::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

BioPtr Reader(absl::string_view text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

std::string SubjectPublicKeyInfo(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  std::string bytes = size > 0 ? std::string(reinterpret_cast<char*>(der), static_cast<size_t>(size)) : "";
  OPENSSL_free(der);
  return bytes;
}

std::string Fingerprint(absl::string_view der) {
  const Sha256Digest hash = Sha256(der);
  std::string text = absl::Base64Escape({reinterpret_cast<const char*>(hash.data()), hash.size()});
  while (!text.empty() && text.back() == '=') text.pop_back();
  return absl::StrCat("SHA256:", text);
}

std::string SignedText(absl::string_view statement) { return absl::StrCat(kContext, statement); }

// The bytes of the last field `number` of a message, as a parser would take it; nothing where it is not there.
std::optional<absl::string_view> FieldBytes(absl::string_view message, int number) {
  using google::protobuf::internal::WireFormatLite;
  if (message.size() > INT_MAX) return std::nullopt;
  google::protobuf::io::CodedInputStream in(Bytes(message), static_cast<int>(message.size()));
  std::optional<absl::string_view> found;
  while (const uint32_t tag = in.ReadTag()) {
    if (WireFormatLite::GetTagFieldNumber(tag) != number ||
        WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&in, tag)) return std::nullopt;
      continue;
    }
    uint32_t size = 0;
    if (found.has_value()) return std::nullopt;  // Twice: a parser would merge them, and sign nothing of it.
    if (!in.ReadVarint32(&size)) return std::nullopt;
    const auto at = static_cast<size_t>(in.CurrentPosition());
    if (size > message.size() - at) return std::nullopt;
    found = message.substr(at, size);
    if (!in.Skip(static_cast<int>(size))) return std::nullopt;
  }
  return in.ConsumedEntireMessage() ? found : std::nullopt;
}

// Both files or none of them are there afterwards, whole, also after a power cut.
absl::Status WriteWhole(const std::string& path, const std::string& bytes, mode_t mode) {
  const std::string part = absl::StrCat(path, ".new");
  unlink(part.c_str());
  const UniqueFd fd(open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd.ok()) return ErrnoStatus(part);
  if (fchmod(fd.get(), mode) != 0 || write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      fsync(fd.get()) != 0 || rename(part.c_str(), path.c_str()) != 0) {
    return ErrnoStatus(path);
  }
  const UniqueFd folder(open(std::filesystem::path(path).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.ok() || fsync(folder.get()) != 0) return ErrnoStatus(path);
  return absl::OkStatus();
}

}  // namespace

void KeyFree::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

HeartbeatKey::HeartbeatKey(KeyPtr key)
    : key_(std::move(key)), public_key_(absl::Base64Escape(SubjectPublicKeyInfo(key_.get()))) {}

absl::StatusOr<HeartbeatKey> HeartbeatKey::Parse(const std::string& path, const std::string& pem) {
  KeyPtr key(PEM_read_bio_PrivateKey(Reader(pem).get(), nullptr, nullptr, const_cast<char*>("")));
  ERR_clear_error();
  if (key == nullptr || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": want an Ed25519 private key in PEM form without a password: openssl genpkey -algorithm ed25519"));
  }
  return HeartbeatKey(std::move(key));
}

absl::StatusOr<HeartbeatKey> HeartbeatKey::Read(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat about {};
  if (!fd.ok() || fstat(fd.get(), &about) != 0) return ErrnoStatus(path);
  if (!S_ISREG(about.st_mode) || (about.st_mode & 077) != 0 || (about.st_uid != 0 && about.st_uid != geteuid())) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": heartbeats are not signed with a key that others may use: chown root and chmod 600"));
  }
  std::string pem(kMaxPem, '\0');
  const ssize_t got = read(fd.get(), pem.data(), pem.size());
  if (got < 0) return ErrnoStatus(path);
  pem.resize(static_cast<size_t>(got));
  return Parse(path, pem);
}

absl::StatusOr<HeartbeatKey> HeartbeatKey::ReadOrMake(const std::string& path) {
  absl::StatusOr<HeartbeatKey> there = Read(path);
  if (!absl::IsNotFound(there.status())) return there;
  const KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  const BioPtr pem(BIO_new(BIO_s_mem()));
  if (key == nullptr || PEM_write_bio_PKCS8PrivateKey(pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    ERR_clear_error();
    return absl::InternalError("OpenSSL made no Ed25519 key");
  }
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(pem.get(), &bytes);
  HP_RETURN_IF_ERROR(WriteWhole(path, std::string(bytes, static_cast<size_t>(size)), 0600));
  return Read(path);
}

std::string HeartbeatKey::PublicPem() const {
  const BioPtr pem(BIO_new(BIO_s_mem()));
  PEM_write_bio_PUBKEY(pem.get(), key_.get());
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(pem.get(), &bytes);
  return {bytes, static_cast<size_t>(size)};
}

std::string HeartbeatKey::Sign(absl::string_view statement) const {
  const std::string text = SignedText(statement);
  const ContextPtr context(EVP_MD_CTX_new());
  std::string signature(kSignatureBytes, '\0');
  size_t size = signature.size();
  const bool good = EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
                    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, Bytes(text),
                                   text.size()) == 1;
  ERR_clear_error();
  return good && size == kSignatureBytes ? signature : "";
}

absl::StatusOr<HeartbeatPublicKey> HeartbeatPublicKey::Parse(absl::string_view text) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
  KeyPtr key;
  std::string der;
  if (absl::StartsWith(trimmed, "-----BEGIN")) {
    key.reset(PEM_read_bio_PUBKEY(Reader(text).get(), nullptr, nullptr, nullptr));
  } else if (absl::Base64Unescape(trimmed, &der) && der.size() < kMaxPem) {
    const unsigned char* at = Bytes(der);
    key.reset(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  }
  ERR_clear_error();
  if (key == nullptr || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519) {
    return absl::InvalidArgumentError("want an Ed25519 public key: the file heartbeat.pub of the host's state directory");
  }
  HeartbeatPublicKey made;
  made.fingerprint_ = Fingerprint(SubjectPublicKeyInfo(key.get()));
  made.key_ = std::shared_ptr<evp_pkey_st>(std::move(key));
  return made;
}

bool HeartbeatPublicKey::Verifies(absl::string_view statement, absl::string_view signature) const {
  if (signature.size() != kSignatureBytes) return false;
  const std::string text = SignedText(statement);
  const ContextPtr context(EVP_MD_CTX_new());
  const bool good = EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
                    EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(text), text.size()) == 1;
  ERR_clear_error();
  return good;
}

std::string KeyFingerprint(absl::string_view public_key) {
  std::string der;
  return absl::Base64Unescape(public_key, &der) ? Fingerprint(der) : "";
}

std::optional<absl::string_view> StatementBytes(absl::string_view record) {
  const auto heartbeat = FieldBytes(record, v1::Envelope::kHeartbeatFieldNumber);
  return heartbeat.has_value() ? FieldBytes(*heartbeat, v1::Heartbeat::kStatementFieldNumber) : std::nullopt;
}

}  // namespace holdpoint
