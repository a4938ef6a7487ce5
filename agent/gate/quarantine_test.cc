#include "agent/gate/quarantine.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

v1::ToJudge Exec(const std::string& argv, uint32_t tgid = 1) {
  v1::ToJudge question;
  question.set_id(tgid);
  question.mutable_exec()->set_raw_argv(argv);
  question.mutable_exec()->mutable_process()->set_tgid(tgid);
  return question;
}

TEST(QuarantineTest, TheSameInputOfAnotherProcessHasTheSameDigestAndAnotherInputHasNot) {
  const std::string digest = Quarantine::DigestOf(Exec("rm", 1));
  EXPECT_FALSE(digest.empty());
  EXPECT_EQ(Quarantine::DigestOf(Exec("rm", 2)), digest);
  EXPECT_NE(Quarantine::DigestOf(Exec("rn", 1)), digest);
  EXPECT_TRUE(Quarantine::DigestOf(v1::ToJudge()).empty());
}

TEST(QuarantineTest, TextsDoNotRunIntoEachOther) {
  v1::ToJudge one = Exec("b");
  one.mutable_exec()->set_raw_working_directory("a");
  v1::ToJudge other = Exec("");
  other.mutable_exec()->set_raw_working_directory("ab");
  EXPECT_NE(Quarantine::DigestOf(one), Quarantine::DigestOf(other));
}

TEST(QuarantineTest, ACrashCountsAtOnceWhatSomebodyElseMayHaveDoneTheSecondTime) {
  Quarantine quarantine(10);
  EXPECT_TRUE(quarantine.Strike("crashed", true));
  EXPECT_TRUE(quarantine.Has("crashed"));
  EXPECT_FALSE(quarantine.Strike("crashed", true)) << "told twice";
  EXPECT_FALSE(quarantine.Strike("killed", false));
  EXPECT_FALSE(quarantine.Has("killed"));
  EXPECT_TRUE(quarantine.Strike("killed", false));
  EXPECT_TRUE(quarantine.Has("killed"));
  EXPECT_FALSE(quarantine.Strike("", true));
  EXPECT_FALSE(quarantine.Has(""));
}

TEST(QuarantineTest, IsBoundedAndTheOldestGoesFirst) {
  Quarantine quarantine(3);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(quarantine.Strike(absl::StrCat("input ", i), true));
  EXPECT_FALSE(quarantine.Has("input 1"));
  EXPECT_TRUE(quarantine.Has("input 2"));
  quarantine.Clear();
  EXPECT_FALSE(quarantine.Has("input 4"));
}

}  // namespace
}  // namespace holdpoint
