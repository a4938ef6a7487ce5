#include "agent/gate/asked.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <set>

namespace holdpoint {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
constexpr uint64_t kTomorrow = 1'800'086'400;

ControlRequest Request(uint32_t flags, uint64_t number = 0, const char* reason = "planned") {
  ControlRequest request{.command = ControlCommand::kApprove, .flags = flags, .number = number};
  strcpy(request.text1, "dana");
  strcpy(request.text2, reason);
  return request;
}

std::string Scope(const ControlRequest& request, bool approve = true) {
  Ticket ticket;
  ticket.id = "HP-4K7Q";
  return QuestionAsked(ticket, request, approve).scope;
}

TEST(Asked, AScopeIsSignedInWords) {
  EXPECT_EQ(Scope(Request(kControlOnce)), "once");
  EXPECT_EQ(Scope(Request(kControlSession)), "session");
  EXPECT_EQ(Scope(Request(kControlUntil, kTomorrow)), "until:2027-01-16T08:00:00Z");
  EXPECT_EQ(Scope(Request(0), false), "none");
  EXPECT_EQ(Scope(Request(kControlOnce | kControlSignature)), "once") << "how it is proven is no part of the question";
}

// A signature for one of these is never one for another.
TEST(Asked, RequestsThatLetDifferentThingsPassAreDifferentQuestions) {
  std::set<std::string> scopes;
  size_t requests = 0;
  for (const uint64_t number : {uint64_t{0}, uint64_t{1}, kTomorrow, kTomorrow + 1, uint64_t{1} << 37, ~uint64_t{0}}) {
    for (uint32_t flags = 0; flags < 16; ++flags, ++requests) scopes.insert(Scope(Request(flags, number)));
  }
  EXPECT_EQ(scopes.size(), requests);
}

TEST(Asked, ExactlyOneScopeIsWanted) {
  EXPECT_EQ(ScopeAsked(Request(kControlOnce), kNow)->scope, "once");
  EXPECT_EQ(ScopeAsked(Request(kControlSession), kNow)->scope, "session");
  for (const uint32_t flags : {0u, kControlOnce | kControlSession, kControlSession | kControlUntil}) {
    EXPECT_THAT(ScopeAsked(Request(flags, kTomorrow), kNow).status().message(), HasSubstr("--once, --session or --until"));
  }
}

TEST(Asked, ADateIsToComeAndWithinNinetyDays) {
  constexpr uint64_t kNowSeconds = kTomorrow - 86400, kLast = kNowSeconds + 90 * 86400;
  EXPECT_EQ(ScopeAsked(Request(kControlUntil, kTomorrow), kNow)->until, absl::FromUnixSeconds(kTomorrow));
  EXPECT_TRUE(ScopeAsked(Request(kControlUntil, kLast), kNow).ok());
  for (const uint64_t number : {uint64_t{0}, kNowSeconds, kLast + 1, ~uint64_t{0}}) {
    EXPECT_FALSE(ScopeAsked(Request(kControlUntil, number), kNow).ok()) << number;
  }
}

TEST(Asked, WhatIsRememberedNeedsAReasonAndOnceNeedsNone) {
  EXPECT_TRUE(GrantAsked(Request(kControlOnce, 0, ""), kNow).ok());
  EXPECT_FALSE(GrantAsked(Request(kControlSession, 0, ""), kNow).ok());
  EXPECT_FALSE(GrantAsked(Request(kControlUntil, kTomorrow, ""), kNow).ok());
  EXPECT_EQ(GrantAsked(Request(kControlSession), kNow)->reason, "planned");
  EXPECT_TRUE(ScopeAsked(Request(kControlSession, 0, ""), kNow).ok()) << "what is to be signed has none yet";
}

}  // namespace
}  // namespace holdpoint
