#include "agent/gate/kept_session.h"

#include <gtest/gtest.h>
#include <pwd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

class KeptSessionTest : public testing::Test {
 protected:
  KeptSessionTest() : run_(testing::TempDir() + "/kept_session") {
    std::filesystem::remove_all(run_);
    std::filesystem::create_directories(run_);
    session_.number = 12;
    session_.without_ids = true;
    session_.hold_ms = 8000;
    session_.home = "/home/dev";
    session_.start_root = "/srv/shop";
    session_.start_changes = std::string("Ma\0?b", 5);
    session_.start_whole = true;
    session_.nested = {"aider", "codex"};
    session_.opened_credentials.push_back({.file = "/srv/.env",
                                           .credential = "account-token",
                                           .program = "/usr/bin/cat",
                                           .pid = 812,
                                           .own_process = true,
                                           .read = true,
                                           .first = absl::FromUnixSeconds(1'700'000'000)});
    started_.set_coding_agent("codex");
    started_.mutable_root()->set_tgid(77);
    (*started_.mutable_join_keys())["CODEX_THREAD_ID"] = "t-1";
  }
  ~KeptSessionTest() override { std::filesystem::remove_all(run_); }

  std::string run_;
  Session session_;
  v1::SessionStarted started_;
};

TEST_F(KeptSessionTest, IsReadBackAsItWas) {
  ASSERT_TRUE(KeepSession(run_, session_, started_).ok());
  const absl::StatusOr<KeptFile> kept = ReadKeptSession(run_, 12);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->started.SerializeAsString(), started_.SerializeAsString());
  Session after;
  Restore(kept->rest, &after);
  EXPECT_TRUE(after.without_ids);
  EXPECT_EQ(after.hold_ms, 8000u);
  EXPECT_EQ(after.home, "/home/dev");
  EXPECT_EQ(after.start_root, "/srv/shop");
  EXPECT_EQ(after.start_changes, session_.start_changes);
  EXPECT_TRUE(after.start_whole);
  EXPECT_EQ(after.nested, session_.nested);
  ASSERT_EQ(after.opened_credentials.size(), 1u);
  const OpenedCredential& opened = after.opened_credentials[0];
  EXPECT_EQ(opened.file, "/srv/.env");
  EXPECT_EQ(opened.credential, "account-token");
  EXPECT_EQ(opened.program, "/usr/bin/cat");
  EXPECT_EQ(opened.pid, 812);
  EXPECT_TRUE(opened.own_process && opened.read);
  EXPECT_EQ(opened.first, absl::FromUnixSeconds(1'700'000'000));
}

TEST_F(KeptSessionTest, AHomeThatWasNotKeptIsTheAccounts) {
  Session after;
  after.uid = 0;
  Restore(v1::KeptSession(), &after);
  ASSERT_NE(getpwuid(0), nullptr);
  EXPECT_EQ(after.home, getpwuid(0)->pw_dir);
  after.uid = 4'000'000'000;  // nobody's
  Restore(v1::KeptSession(), &after);
  EXPECT_EQ(after.home, "");
}

TEST_F(KeptSessionTest, WhatIsKeptAgainIsThereOnce) {
  ASSERT_TRUE(KeepSession(run_, session_, started_).ok());
  session_.opened_credentials.push_back({.file = "/srv/other"});
  ASSERT_TRUE(KeepSession(run_, session_).ok());
  ASSERT_TRUE(KeepSession(run_, session_).ok());
  const absl::StatusOr<KeptFile> kept = ReadKeptSession(run_, 12);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->started.coding_agent(), "codex");
  EXPECT_EQ(kept->rest.opened_size(), 2);
}

// Of a daemon that wrote a SessionStarted alone, and for one that reads nothing else.
TEST_F(KeptSessionTest, EitherHalfIsReadWithoutTheOther) {
  std::filesystem::create_directories(run_ + "/sessions");
  std::ofstream(run_ + "/sessions/12", std::ios::binary) << started_.SerializeAsString();
  absl::StatusOr<KeptFile> kept = ReadKeptSession(run_, 12);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->started.root().tgid(), 77u);
  EXPECT_EQ(kept->rest.opened_size(), 0);

  ASSERT_TRUE(KeepSession(run_, session_, started_).ok());
  std::ifstream file(run_ + "/sessions/12", std::ios::binary);
  v1::SessionStarted alone;
  ASSERT_TRUE(alone.ParseFromIstream(&file));
  EXPECT_EQ(alone.coding_agent(), "codex");
}

TEST_F(KeptSessionTest, NoMoreIsTakenBackThanASessionMayHave) {
  for (size_t i = 0; i < 2 * kMaxOpenedCredentials; ++i) session_.opened_credentials.push_back({.file = absl::StrCat("/f", i)});
  ASSERT_TRUE(KeepSession(run_, session_, started_).ok());
  Session after;
  Restore(ReadKeptSession(run_, 12)->rest, &after);
  ASSERT_EQ(after.opened_credentials.size(), kMaxOpenedCredentials);
  EXPECT_EQ(after.opened_credentials[0].file, "/srv/.env");
}

TEST_F(KeptSessionTest, WhatIsNotThereOrDamagedIsSaid) {
  EXPECT_TRUE(absl::IsNotFound(ReadKeptSession(run_, 13).status()));
  session_.number = 13;
  EXPECT_TRUE(absl::IsNotFound(KeepSession(run_, session_)));
  std::filesystem::create_directories(run_ + "/sessions");
  std::ofstream(run_ + "/sessions/13", std::ios::binary) << "\xff\xff\xff";
  EXPECT_TRUE(absl::IsDataLoss(ReadKeptSession(run_, 13).status()));
  ForgetSession(run_, 13);
  EXPECT_TRUE(absl::IsNotFound(ReadKeptSession(run_, 13).status()));
}

}  // namespace
}  // namespace holdpoint
