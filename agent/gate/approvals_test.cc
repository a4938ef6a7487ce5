#include "agent/gate/approvals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'000'000);

Approval Until(const std::string& id, char loss, absl::Duration length = absl::Hours(1)) {
  return {.id = id,
          .scope = Approval::Scope::kUntil,
          .loss = std::string(32, loss),
          .session_uid = 1000,
          .environment = "production",
          .by = {"dana", "lee"},
          .rule = "files.rm",
          .resource_type = "path",
          .resource_id = "/srv/a b\nend 1",
          .reason = "",
          .since = kNow,
          .until = kNow + length};
}

Approval OfSession(const std::string& id, char loss, SessionNumber session) {
  Approval approval = Until(id, loss);
  approval.scope = Approval::Scope::kSession;
  approval.session = session;
  approval.until = absl::InfiniteFuture();
  return approval;
}

TEST(ApprovalBookTest, IsForItsLossItsUserAndItsTime) {
  ApprovalBook book;
  ASSERT_TRUE(book.Add(Until("AP-1", 'a')).ok());
  EXPECT_EQ(book.For(7, 1000, std::string(32, 'a'), kNow).size(), 1u);
  EXPECT_EQ(book.For(8, 1000, std::string(32, 'a'), kNow).size(), 1u);
  EXPECT_TRUE(book.For(7, 1001, std::string(32, 'a'), kNow).empty());
  EXPECT_TRUE(book.For(7, 1000, std::string(32, 'b'), kNow).empty());
  EXPECT_TRUE(book.For(7, 1000, "", kNow).empty());
  EXPECT_TRUE(book.For(7, 1000, std::string(32, 'a'), kNow + absl::Hours(1)).empty());
  EXPECT_TRUE(book.Remove("AP-1"));
  EXPECT_TRUE(book.For(7, 1000, std::string(32, 'a'), kNow).empty());
}

TEST(ApprovalBookTest, OfASessionIsForThatOneAndGoesWithIt) {
  ApprovalBook book;
  ASSERT_TRUE(book.Add(OfSession("AP-1", 'a', 7)).ok());
  ASSERT_TRUE(book.Add(Until("AP-2", 'b')).ok());
  EXPECT_EQ(book.For(7, 1000, std::string(32, 'a'), kNow).size(), 1u);
  EXPECT_TRUE(book.For(8, 1000, std::string(32, 'a'), kNow).empty());
  EXPECT_TRUE(book.Expire(kNow, [](SessionNumber number) { return number == 7; }).empty());
  const std::vector<Approval> gone = book.Expire(kNow, [](SessionNumber) { return false; });
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(gone[0].id, "AP-1");
  EXPECT_EQ(book.Expire(kNow + absl::Hours(1), [](SessionNumber) { return true; }).size(), 1u);
  EXPECT_TRUE(book.All().empty());
}

TEST(ApprovalBookTest, WhatIsKeptIsReadAsItWas) {
  ApprovalBook book;
  ASSERT_TRUE(book.Add(Until("AP-1", 'a')).ok());
  ASSERT_TRUE(book.Add(Until("AP-2", '\0')).ok());
  ASSERT_TRUE(book.Add(OfSession("AP-3", 'c', 7)).ok());
  absl::StatusOr<ApprovalBook> read = ApprovalBook::Parse("x", book.Render());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->All().size(), 2u);
  EXPECT_EQ(read->FindById("AP-3"), nullptr);
  const Approval* one = read->FindById("AP-1");
  ASSERT_NE(one, nullptr);
  EXPECT_EQ(one->resource_id, "/srv/a b\nend 1");
  EXPECT_EQ(one->reason, "");
  EXPECT_THAT(one->by, ::testing::ElementsAre("dana", "lee"));
  EXPECT_EQ(one->until, kNow + absl::Hours(1));
  EXPECT_EQ(read->Render(), ApprovalBook::Parse("x", read->Render())->Render());
}

TEST(ApprovalBookTest, EveryDamageIsSeen) {
  ApprovalBook book;
  ASSERT_TRUE(book.Add(Until("AP-1", 'a')).ok());
  const std::string whole = book.Render();
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(ApprovalBook::Parse("x", damaged).ok()) << i;
    EXPECT_FALSE(ApprovalBook::Parse("x", whole.substr(0, i)).ok()) << i;
  }
  EXPECT_FALSE(ApprovalBook::Parse("x", whole + "x").ok());
}

TEST(ApprovalBookTest, IdsAreFreshAndTheNumberIsBounded) {
  ApprovalBook book;
  for (size_t i = 0; i < ApprovalBook::kMax; ++i) ASSERT_TRUE(book.Add(Until(book.FreshId(7), 'a')).ok());
  EXPECT_EQ(book.Add(Until(book.FreshId(7), 'a')).code(), absl::StatusCode::kResourceExhausted);
}

TEST(ApprovalBookTest, AFileThatOthersMayWriteCountsForNothing) {
  char name[] = "/tmp/hp-approvals-XXXXXX";
  const std::string folder = mkdtemp(name), path = ApprovalsPath(folder);
  EXPECT_EQ(ApprovalBook::Read(path).status().code(), absl::StatusCode::kNotFound);
  ApprovalBook book;
  ASSERT_TRUE(book.Add(Until("AP-1", 'a')).ok());
  ASSERT_TRUE(book.Write(path).ok());
  EXPECT_TRUE(ApprovalBook::Read(path).ok());
  ASSERT_EQ(chmod(path.c_str(), 0622), 0);
  EXPECT_EQ(ApprovalBook::Read(path).status().code(), absl::StatusCode::kDataLoss);
  std::filesystem::rename(path, path + "2");
  std::filesystem::create_symlink(path + "2", path);
  EXPECT_FALSE(ApprovalBook::Read(path).ok());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace holdpoint
