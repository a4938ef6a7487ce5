#include "agent/notify/settings.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace holdpoint {
namespace {

class SettingsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/hp-notify-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string File(const std::string& name, const std::string& text, mode_t mode) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }

  std::string folder_;
};

TEST_F(SettingsTest, NoneIsNotFound) { EXPECT_TRUE(absl::IsNotFound(ReadWebhook({}).status())); }

TEST_F(SettingsTest, SecretAndAddressComeFromFilesOfRootAlone) {
  NoticeSettings settings;
  SetNoticeText(settings.webhook_url_file, File("url", "https://hooks.example.com/T0/abc\n", 0600));
  SetNoticeText(settings.webhook_secret_file, File("secret", " word \n", 0400));
  const absl::StatusOr<Webhook::Options> options = ReadWebhook(settings);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->url, "https://hooks.example.com/T0/abc");
  EXPECT_EQ(options->secret, "word");
}

TEST_F(SettingsTest, ASecretThatOthersReachIsRefused) {
  NoticeSettings settings;
  SetNoticeText(settings.webhook_url, "https://hooks.example.com/");
  for (const mode_t mode : {0640, 0604, 0620}) {
    SetNoticeText(settings.webhook_secret_file, File("secret", "word", mode));
    EXPECT_TRUE(absl::IsPermissionDenied(ReadWebhook(settings).status())) << std::oct << mode;
  }
}

TEST_F(SettingsTest, AMissingOrEmptySecretIsNoUnsignedWebhook) {
  NoticeSettings settings;
  SetNoticeText(settings.webhook_url, "https://hooks.example.com/");
  SetNoticeText(settings.webhook_secret_file, folder_ + "/none");
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadWebhook(settings).status()));
  SetNoticeText(settings.webhook_secret_file, File("secret", "\n", 0600));
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadWebhook(settings).status()));
}

TEST(IsWebhookUrlTest, HttpsAnywhereHttpOnlyToThisHost) {
  for (const char* good : {"https://h", "https://h:8443/a?b=c", "http://127.0.0.1:1/x", "http://localhost", "http://[::1]:9/"}) {
    EXPECT_TRUE(IsWebhookUrl(good)) << good;
  }
  for (const char* bad : {"", "h", "ftp://h", "http://h", "http://localhost.example.com", "http://127.0.0.1.example.com",
                          "https://", "https:///x", "https://u:p@h", "http://127.0.0.1@h/", "https://h/a b", "https://h/\n"}) {
    EXPECT_FALSE(IsWebhookUrl(bad)) << bad;
  }
}

}  // namespace
}  // namespace holdpoint
