#include "agent/presence/totp.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdpoint {
namespace {

using ::testing::HasSubstr;

const TotpKey kSha1{.hash = TotpKey::Hash::kSha1, .digits = 8, .secret = "12345678901234567890"};
const TotpKey kSha256{.hash = TotpKey::Hash::kSha256, .digits = 8, .secret = "12345678901234567890123456789012"};
const absl::Time kNow = absl::FromUnixSeconds(1234567890);

std::string CodeAt(const TotpKey& key, absl::Time now, int steps = 0) { return TotpCode(key, TotpStep(now) + steps); }

// RFC 6238, appendix B.
TEST(Totp, MakesTheCodesOfTheStandard) {
  const struct {
    int64_t time;
    const char *sha1, *sha256;
  } kVectors[] = {{59, "94287082", "46119246"},         {1111111109, "07081804", "68084774"},
                  {1111111111, "14050471", "67062674"}, {1234567890, "89005924", "91819424"},
                  {2000000000, "69279037", "90698825"}, {20000000000, "65353130", "77737706"}};
  for (const auto& vector : kVectors) {
    const absl::Time at = absl::FromUnixSeconds(vector.time);
    EXPECT_EQ(CodeAt(kSha1, at), vector.sha1) << vector.time;
    EXPECT_EQ(CodeAt(kSha256, at), vector.sha256) << vector.time;
    TotpKey six = kSha1;
    six.digits = 6;
    EXPECT_EQ(CodeAt(six, at), std::string(vector.sha1).substr(2)) << "the last digits";
  }
}

TEST(Totp, AcceptsOneStepEitherSideAndNoMore) {
  for (const int steps : {-1, 0, 1}) {
    TotpState state{.key = kSha1};
    EXPECT_TRUE(CheckTotp(state, "dana", CodeAt(kSha1, kNow, steps), kNow).ok()) << steps;
    EXPECT_EQ(state.used_step, TotpStep(kNow) + steps);
  }
  for (const int steps : {-2, 2}) {
    TotpState state{.key = kSha1};
    EXPECT_EQ(CheckTotp(state, "dana", CodeAt(kSha1, kNow, steps), kNow).code(), absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(state.failures, 1);
  }
}

TEST(Totp, AStepIsAcceptedOnceAndNoneBeforeIt) {
  TotpState state{.key = kSha1};
  ASSERT_TRUE(CheckTotp(state, "dana", CodeAt(kSha1, kNow), kNow).ok());
  for (const int steps : {0, -1}) {
    const absl::Status again = CheckTotp(state, "dana", CodeAt(kSha1, kNow, steps), kNow);
    EXPECT_EQ(again.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_THAT(again.message(), HasSubstr("has been used already"));
  }
  EXPECT_EQ(state.failures, 0) << "that was no guess";
  EXPECT_TRUE(CheckTotp(state, "dana", CodeAt(kSha1, kNow, 1), kNow).ok());
  // Not after the clock was set back either.
  EXPECT_FALSE(CheckTotp(state, "dana", CodeAt(kSha1, kNow, -3), kNow - absl::Seconds(90)).ok());
}

TEST(Totp, WrongCodesCloseItForLongerAndLonger) {
  TotpState state{.key = kSha1};
  absl::Time now = kNow;
  absl::Duration before = absl::ZeroDuration();
  for (int failure = 1; failure <= 20; ++failure) {
    ASSERT_EQ(CheckTotp(state, "dana", "00000000", now).message(), "the code of dana was not accepted") << failure;
    const absl::Duration delay = std::max(state.closed_until - now, absl::ZeroDuration());
    EXPECT_EQ(delay > absl::ZeroDuration(), failure >= kTotpFreeFailures);
    EXPECT_GE(delay, before);
    EXPECT_LE(delay, kTotpLongestDelay);
    before = delay;
    if (delay == absl::ZeroDuration()) continue;
    // Closed, the right code is not looked at, and it makes nothing worse.
    const TotpState closed = state;
    EXPECT_THAT(CheckTotp(state, "dana", CodeAt(kSha1, now), now).message(), HasSubstr("is looked at again in"));
    EXPECT_EQ(state.failures, closed.failures);
    EXPECT_EQ(state.closed_until, closed.closed_until);
    now = state.closed_until;
  }
  EXPECT_EQ(before, kTotpLongestDelay);
  EXPECT_TRUE(CheckTotp(state, "dana", CodeAt(kSha1, now), now).ok());
  EXPECT_EQ(state.failures, 0);
}

TEST(Totp, AClockSetBackClosesItForNoLonger) {
  TotpState state{.key = kSha1};
  state.closed_until = kNow + absl::Hours(24 * 365);
  EXPECT_FALSE(CheckTotp(state, "dana", CodeAt(kSha1, kNow), kNow).ok());
  EXPECT_EQ(state.closed_until, kNow + kTotpLongestDelay);
}

TEST(Totp, OtherTextsThanItsCodeAreWrong) {
  for (const std::string& text :
       {std::string(), std::string("8900592"), std::string("890059240"), std::string("89005924\0", 9), std::string("x9005924")}) {
    TotpState state{.key = kSha1};
    EXPECT_FALSE(CheckTotp(state, "dana", text, kNow).ok()) << text;
  }
}

TEST(Totp, KnowsWhatCouldBeACode) {
  for (const char* text : {"123456", "1234567", "12345678"}) EXPECT_TRUE(LooksLikeCode(text)) << text;
  for (const char* text : {"", "12345", "123456789", "12345a", " 123456", "123 456"}) EXPECT_FALSE(LooksLikeCode(text)) << text;
}

TEST(Totp, UriIsOneThatAuthenticatorProgramsRead) {
  const TotpKey key{.hash = TotpKey::Hash::kSha256, .digits = 8, .secret = "12345678901234567890"};
  EXPECT_EQ(TotpUri(key, "build 1", "dana"),
            "otpauth://totp/Holdpoint:dana%40build%201?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Holdpoint"
            "&algorithm=SHA256&digits=8&period=30");
}

TEST(Totp, StateIsReadAsItWasWritten) {
  const TotpState state{.key = kSha256, .used_step = 41152263, .failures = 4, .closed_until = kNow};
  const auto read = ParseTotpState(RenderTotpState(state));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->key.secret, state.key.secret);
  EXPECT_EQ(read->key.digits, 8);
  EXPECT_EQ(read->key.hash, TotpKey::Hash::kSha256);
  EXPECT_EQ(read->used_step, state.used_step);
  EXPECT_EQ(read->failures, 4);
  EXPECT_EQ(read->closed_until, kNow);
}

TEST(Totp, AStateThatIsNotWholeIsNone) {
  const std::string text = RenderTotpState({.key = kSha1});
  for (size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(ParseTotpState(text.substr(0, size)).ok()) << size;
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"totp 1", "totp 2"}, {"sha1", "md5"}, {"digits 8", "digits 9"}, {"digits 8", "digits 5"}, {"used 0", "used -1"},
           {"secret 31", "secret xx"}, {"failures", "fail"}, {"closed 0", "closed x"}}) {
    const std::string wrong = absl::StrReplaceAll(text, {{from, to}});
    ASSERT_NE(wrong, text) << from;
    EXPECT_EQ(ParseTotpState(wrong).status().code(), absl::StatusCode::kDataLoss) << wrong;
  }
}

}  // namespace
}  // namespace holdpoint
