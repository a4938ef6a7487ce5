#include "agent/stream/tls_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace holdpoint {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class TlsFilesTest : public testing::Test {
 protected:
  TlsFilesTest() {
    char name[] = "/tmp/holdpoint-tls-XXXXXX";
    root_ = mkdtemp(name);
    MakePair("host", 3600);
  }
  ~TlsFilesTest() override { fs::remove_all(root_); }

  std::string At(const std::string& name) const { return root_ + "/" + name; }

  // NAME.key and NAME.pem, a certificate for it that ends in `seconds`.
  void MakePair(const std::string& name, long seconds) {
    EVP_PKEY* key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
    X509* x509 = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -7200);
    X509_gmtime_adj(X509_getm_notAfter(x509), seconds);
    X509_set_pubkey(x509, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("web-1"), -1, -1, 0);
    X509_sign(x509, key, EVP_sha256());
    FILE* file = fopen(At(name + ".pem").c_str(), "w");
    PEM_write_X509(file, x509);
    fclose(file);
    file = fopen(At(name + ".key").c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    fclose(file);
    chmod(At(name + ".key").c_str(), 0600);
    X509_free(x509);
    EVP_PKEY_free(key);
  }

  KafkaSettings Settings() const {
    return {{"ssl.certificate.location", At("host.pem")}, {"ssl.key.location", At("host.key")}};
  }
  std::string Problem(KafkaSettings settings) {
    const absl::StatusOr<TlsFiles> read = TlsFiles::Read(&settings);
    return read.ok() ? "" : std::string(read.status().message());
  }

  std::string root_;
};

TEST_F(TlsFilesTest, LibraryGetsCopiesThatStayWhenTheFilesGo) {
  KafkaSettings settings = Settings();
  const absl::StatusOr<TlsFiles> files = TlsFiles::Read(&settings);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(files->certificate(), HasSubstr("CN=web-1"));
  EXPECT_GT(files->certificate_ends(), absl::FromTimeT(time(nullptr)));
  const std::string key = At("host.key");
  std::ifstream before(key);
  const std::string bytes{std::istreambuf_iterator<char>(before), {}};
  fs::remove(key);
  EXPECT_NE(settings.at("ssl.key.location"), key);
  for (int time = 0; time < 2; ++time) {  // Each producer opens it anew.
    std::ifstream copy(settings.at("ssl.key.location"));
    EXPECT_EQ((std::string{std::istreambuf_iterator<char>(copy), {}}), bytes);
  }
}

TEST_F(TlsFilesTest, RenewedFilesAreNoticed) {
  KafkaSettings settings = Settings();
  const absl::StatusOr<TlsFiles> files = TlsFiles::Read(&settings);
  ASSERT_TRUE(files.ok()) << files.status();
  pollfd changed{files->changed_fd(), POLLIN, 0};
  EXPECT_EQ(poll(&changed, 1, 0), 0);
  std::ofstream(At("other")) << "x";
  EXPECT_EQ(poll(&changed, 1, 0), 0);
  MakePair("new", 7200);
  fs::rename(At("new.pem"), At("host.pem"));
  EXPECT_EQ(poll(&changed, 1, 0), 1);
}

TEST_F(TlsFilesTest, NoFilesNoWatch) {
  KafkaSettings settings;
  const absl::StatusOr<TlsFiles> files = TlsFiles::Read(&settings);
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(files->changed_fd(), -1);
  EXPECT_EQ(files->certificate(), "");
}

TEST_F(TlsFilesTest, EachMistakeIsOneSentence) {
  EXPECT_EQ(Problem(Settings()), "");
  KafkaSettings settings = Settings();
  settings["ssl.key.location"] = At("gone");
  EXPECT_THAT(Problem(settings), HasSubstr("gone: No such file"));
  settings = Settings();
  MakePair("other", 3600);
  settings["ssl.key.location"] = At("other.key");
  EXPECT_THAT(Problem(settings), HasSubstr("not the key of the certificate"));
  settings = Settings();
  std::ofstream(At("text")) << "hello";
  chmod(At("text").c_str(), 0600);
  settings["ssl.certificate.location"] = At("text");
  EXPECT_THAT(Problem(settings), HasSubstr("no certificate"));
  settings = Settings();
  settings["ssl.key.location"] = At("text");
  EXPECT_THAT(Problem(settings), HasSubstr("no private key"));
}

TEST_F(TlsFilesTest, AKeyThatOthersMayReadIsRefused) {
  for (const mode_t mode : {0640, 0604, 0620}) {
    chmod(At("host.key").c_str(), mode);
    EXPECT_THAT(Problem(Settings()), HasSubstr("chmod 600")) << mode;
  }
  chmod(At("host.key").c_str(), 0400);
  EXPECT_EQ(Problem(Settings()), "");
}

TEST_F(TlsFilesTest, AnExpiredCertificateIsNoMistakeOfTheFiles) {
  MakePair("host", -60);  // The brokers say no; until then records wait.
  KafkaSettings settings = Settings();
  const absl::StatusOr<TlsFiles> files = TlsFiles::Read(&settings);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_LT(files->certificate_ends(), absl::FromTimeT(time(nullptr)));
}

}  // namespace
}  // namespace holdpoint
