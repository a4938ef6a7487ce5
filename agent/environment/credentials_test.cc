#include "agent/environment/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/environment/fingerprint.h"
#include "agent/environment/load.h"

namespace holdpoint {
namespace {

const std::string kKey(32, 'k');
constexpr char kValue[] = "0f6ad1c2-account-wide-secret-of-a-test";

Configuration WithFingerprint() {
  return *LoadConfiguration("t",
                            absl::StrCat("credentials:\n  - {name: account, environment: production, fingerprints: [\"",
                                         Fingerprint(kKey, kValue), "\"]}\n",
                                         "  - {name: stage, environment: staging, variables: [STAGE_TOKEN]}\n"));
}

TEST(FingerprintTest, HasItsFormAndIgnoresWhiteSpaceAround) {
  EXPECT_TRUE(IsFingerprint(Fingerprint(kKey, "x")));
  EXPECT_EQ(Fingerprint(kKey, "x\n"), Fingerprint(kKey, "x"));
  EXPECT_NE(Fingerprint(kKey, "x"), Fingerprint(std::string(32, 'l'), "x"));
  EXPECT_FALSE(IsFingerprint("fp:0123"));
  EXPECT_FALSE(IsFingerprint("fp:0123456789ABCDEF"));
}

TEST(FindCredentialsTest, ConfiguredValueIsFoundInEveryPlace) {
  const Configuration configuration = WithFingerprint();
  const std::string basic = absl::Base64Escape(absl::StrCat("dana:", kValue));
  for (const std::vector<std::string>& argv : std::vector<std::vector<std::string>>{
           {"curl", "-H", absl::StrCat("Authorization: Bearer ", kValue)},
           {"curl", "-H", absl::StrCat("Authorization: Basic ", basic)},
           {"curl", "-H", absl::StrCat("X-Own: ", kValue)},
           {"curl", "-u", absl::StrCat("dana:", kValue)},
           {"curl", absl::StrCat("https://h.example/?key=", kValue)},
           {"tool", kValue},
           {"sh", "-c", absl::StrCat("tool '", kValue, "' x")},
           {"tool", absl::StrCat("opt:", kValue)},
       }) {
    bool found = false;
    for (const FoundCredential& credential : FindCredentials(configuration, kKey, argv, {})) {
      found = found || (credential.tag_name == "account" && credential.tag.environment == "production" &&
                        credential.tag.is_protected && !credential.in_environment);
      EXPECT_EQ(credential.kind.find(kValue), std::string::npos);
    }
    EXPECT_TRUE(found) << argv[0] << " " << argv.back();
  }
}

TEST(FindCredentialsTest, UnknownSecretIsListedWithoutATag) {
  const auto found = FindCredentials(WithFingerprint(), kKey, {"curl", "-u", "a:other-secret"}, {});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].fingerprint, Fingerprint(kKey, "other-secret"));
  EXPECT_FALSE(found[0].tag.known());
  EXPECT_TRUE(FindCredentials(WithFingerprint(), kKey, {"ls", "-la", "a-long-and-harmless-file-name"}, {}).empty());
}

TEST(FindCredentialsTest, InheritedVariablesAreMarkedAsSuch) {
  const Configuration configuration = WithFingerprint();
  auto found =
      FindCredentials(configuration, kKey, {"make"},
                      {"PATH=/bin", "STAGE_TOKEN=abc", absl::StrCat("MY_TOKEN=", kValue), "OTHER_TOKEN=zzzzzzzzz"});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].tag_name, "stage");
  EXPECT_EQ(found[1].tag_name, "account");
  EXPECT_TRUE(found[0].in_environment && found[1].in_environment);
  found = FindCredentials(configuration, kKey, {"curl", "-u", absl::StrCat("a:", kValue)},
                          {absl::StrCat("MY_TOKEN=", kValue)});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_FALSE(found[0].in_environment) << "argv names it";
}

TEST(FindCredentialsTest, BodyIsSearchedToo) {
  const auto found = FindCredentialsInText(WithFingerprint(), kKey, absl::StrCat("{\"x\": [\"", kValue, "\"]}"));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].tag_name, "account");
}

TEST(FindCredentialsTest, IsBounded) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) absl::StrAppend(&text, "token=abcdefgh", i, "\n");
  EXPECT_EQ(FindCredentialsInText(WithFingerprint(), kKey, text).size(), 64u);
  EXPECT_EQ(FingerprintsIn(kKey, text, 10).size(), 10u);
}

TEST(CredentialsTest, TheValueBehindANameHasAFingerprintOfItsOwn) {
  const std::string value = "Zm9vYmFyYmF6cXV4MTIz";  // 20 characters that are no token's shape, under a name that tells nothing
  EXPECT_THAT(FingerprintsIn(kKey, absl::StrCat("DEPLOYMENT=", value, "\n"), 10), testing::Contains(Fingerprint(kKey, value)));
  EXPECT_THAT(FingerprintsIn(kKey, "DEPLOYMENT=short\n", 10), testing::Not(testing::Contains(Fingerprint(kKey, "short"))));
}

}  // namespace
}  // namespace holdpoint
