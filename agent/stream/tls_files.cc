#include "agent/stream/tls_files.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/stream/identity_file.h"

namespace holdpoint {
namespace {

struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct X509Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using BioPtr = std::unique_ptr<BIO, BioFree>;

BioPtr Reader(const std::string& bytes) { return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size()))); }

int Password(char* to, int size, int, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  if (text.empty() || text.size() > static_cast<size_t>(size)) return -1;
  std::memcpy(to, text.data(), text.size());
  return static_cast<int>(text.size());
}

absl::Status Bad(const std::string& name, const std::string& path, absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat("kafka: ", name, ": ", path, ": ", what));
}

std::string SubjectOf(X509* certificate) {
  char text[256] = "";
  X509_NAME_oneline(X509_get_subject_name(certificate), text, sizeof(text));
  return EscapeAndClip(text, sizeof(text));
}

absl::StatusOr<UniqueFd> Copy(const std::string& bytes) {
  UniqueFd fd(memfd_create("holdpoint-tls", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.ok()) return ErrnoStatus("memfd_create");
  if (write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) return ErrnoStatus("memfd");
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) != 0) return ErrnoStatus("memfd seals");
  return fd;
}

}  // namespace

absl::StatusOr<std::string> TlsFiles::Take(const std::string& name, bool secret, KafkaSettings* settings) {
  const auto it = settings->find(name);
  if (it == settings->end() || it->second.empty() || it->second == "probe") return std::string();
  const std::string path = it->second;
  if (!inotify_.ok()) inotify_.reset(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  // The file itself, watched while it may be read: written in place, or its name given to another one.
  inotify_add_watch(inotify_.get(), path.c_str(), IN_CLOSE_WRITE | IN_MOVE_SELF | IN_DELETE_SELF | IN_ATTRIB);
  if (struct stat about {}; stat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode)) return std::string();
  absl::StatusOr<std::string> bytes = ReadIdentityFile(path, secret);
  if (!bytes.ok()) return absl::FailedPreconditionError(absl::StrCat("kafka: ", name, ": ", bytes.status().message()));
  HP_ASSIGN_OR_RETURN(UniqueFd copy, Copy(*bytes));
  it->second = absl::StrCat("/proc/self/fd/", copy.get());
  copies_.push_back(std::move(copy));
  return bytes;
}

absl::StatusOr<TlsFiles> TlsFiles::Read(KafkaSettings* settings) {
  TlsFiles files;
  const KafkaSettings asked = *settings;
  HP_RETURN_IF_ERROR(files.Take("ssl.ca.location", false, settings).status());
  HP_ASSIGN_OR_RETURN(const std::string certificate, files.Take("ssl.certificate.location", false, settings));
  HP_ASSIGN_OR_RETURN(const std::string key, files.Take("ssl.key.location", true, settings));
  HP_RETURN_IF_ERROR(files.LookAt(certificate, key, asked));
  return files;
}

absl::Status TlsFiles::LookAt(const std::string& certificate, const std::string& key, const KafkaSettings& settings) {
  const auto value = [&settings](const char* name) {
    const auto it = settings.find(name);
    return it == settings.end() ? std::string() : it->second;
  };
  authorities_ = value("ssl.ca.location");
  const std::string path = value("ssl.certificate.location"), key_path = value("ssl.key.location");
  std::unique_ptr<X509, X509Free> x509;
  if (!certificate.empty()) {
    x509.reset(PEM_read_bio_X509(Reader(certificate).get(), nullptr, nullptr, nullptr));
    ERR_clear_error();
    if (x509 == nullptr) return Bad("ssl.certificate.location", path, "no certificate in PEM form");
    tm ends{};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(x509.get()), &ends) != 1) {
      return Bad("ssl.certificate.location", path, "a certificate without an end");
    }
    certificate_ends_ = absl::FromTimeT(timegm(&ends));
    certificate_ = absl::StrCat(SubjectOf(x509.get()), " (", path, ")");
  }
  if (key.empty()) return absl::OkStatus();
  std::string password = value("ssl.key.password");
  const std::unique_ptr<EVP_PKEY, KeyFree> pkey(
      PEM_read_bio_PrivateKey(Reader(key).get(), nullptr, &Password, &password));
  ERR_clear_error();
  if (pkey == nullptr) return Bad("ssl.key.location", key_path, "no private key in PEM form that ssl.key.password opens");
  if (x509 != nullptr && X509_check_private_key(x509.get(), pkey.get()) != 1) {
    ERR_clear_error();
    return Bad("ssl.key.location", key_path, absl::StrCat("not the key of the certificate in ", path));
  }
  return absl::OkStatus();
}

}  // namespace holdpoint
