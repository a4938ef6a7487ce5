#include "agent/environment/credential_files.h"

#include <fnmatch.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "agent/environment/load.h"

namespace holdpoint {
namespace {

constexpr char kConfiguration[] = R"(version: 1
environments:
  - {name: production, protected: true}
  - {name: staging}
credentials:
  - name: account-token
    environment: production
    files: ["/srv/domains/.env", "**/deploy-token", "vault.json", "~/.keys/*.pem"]
)";

std::vector<v1::CredentialFile> Files() {
  const auto configuration = LoadConfiguration("test.yaml", kConfiguration);
  EXPECT_TRUE(configuration.ok()) << configuration.status();
  return CredentialFiles(*configuration);
}

const v1::CredentialFile* Of(const std::vector<v1::CredentialFile>& files, const std::string& path) {
  const auto it = std::find_if(files.begin(), files.end(), [&path](const auto& file) { return file.path() == path; });
  return it == files.end() ? nullptr : &*it;
}

TEST(CredentialFilesTest, WhatTheConfigurationNamesComesFirstWithItsEnvironment) {
  const std::vector<v1::CredentialFile> files = Files();
  ASSERT_GE(files.size(), 4u);
  EXPECT_EQ(files[0].path(), "/srv/domains/.env");
  EXPECT_EQ(files[0].credential(), "account-token");
  EXPECT_EQ(files[0].environment().environment(), "production");
  EXPECT_TRUE(files[0].environment().protected_());
  EXPECT_EQ(files[3].path(), "~/.keys/*.pem");
}

TEST(CredentialFilesTest, FoldersAreNotSearched) {
  const std::vector<v1::CredentialFile> files = Files();
  EXPECT_NE(Of(files, "./deploy-token"), nullptr);
  EXPECT_NE(Of(files, "./vault.json"), nullptr);
}

TEST(CredentialFilesTest, ToolsKeepTheirsInPlacesThatAreKnown) {
  const std::vector<v1::CredentialFile> files = Files();
  for (const char* path : {"~/.aws/credentials", "~/.kube/config", "~/.railway/config.json", "./.env*"}) {
    ASSERT_NE(Of(files, path), nullptr) << path;
    EXPECT_EQ(Of(files, path)->credential(), "well-known");
    EXPECT_EQ(Of(files, path)->environment().environment(), "");
  }
}

TEST(CredentialFilesTest, PublicKeysAreNoCredentials) {
  const std::vector<v1::CredentialFile> files = Files();
  const auto watched = [&files](const std::string& name) {
    return std::any_of(files.begin(), files.end(), [&name](const v1::CredentialFile& file) {
      return file.path().starts_with("~/.ssh/") && fnmatch(file.path().c_str() + 7, name.c_str(), 0) == 0;
    });
  };
  for (const char* name : {"id_rsa", "id_ed25519", "id_ecdsa_sk", "id_bob", "id_work"}) EXPECT_TRUE(watched(name)) << name;
  for (const char* name : {"id_rsa.pub", "id_ed25519.pub", "config", "known_hosts"}) EXPECT_FALSE(watched(name)) << name;
}

}  // namespace
}  // namespace holdpoint
