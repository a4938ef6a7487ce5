#include "agent/control/decide.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdpoint {
namespace {

using ::testing::HasSubstr;

const EligibleOwner kDana{.user = "dana", .uid = 1000, .through = "dana"};
const EligibleOwner kLee{.user = "lee", .uid = 1001, .through = "%sudo"};
const EligibleOwner kRoot{.user = "root", .uid = 0, .through = "root"};
// Another name for dana's uid: a person is a uid, not a name.
const EligibleOwner kDanaAgain{.user = "dana-admin", .uid = 1000, .through = "%sudo"};

struct Case {
  std::string name;
  DecisionAttempt attempt;
  std::string refusal;  // part of the sentence; empty: may decide
};

class MayDecideTest : public ::testing::TestWithParam<Case> {};

TEST_P(MayDecideTest, Table) {
  const absl::Status status = MayDecide(GetParam().attempt);
  if (GetParam().refusal.empty()) {
    EXPECT_TRUE(status.ok()) << status;
  } else {
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().refusal));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rules, MayDecideTest,
    testing::Values(
        Case{"SudoAsTheOwner", {.peer_uid = 0, .as_user = "lee", .session_uid = 1000, .eligible = {kDana, kLee}}, ""},
        Case{"OwnerWithoutSudo", {.peer_uid = 1001, .as_user = "lee", .session_uid = 1000, .eligible = {kLee}}, ""},
        Case{"InsideASessionRefusedThoughRoot",
             {.peer_uid = 0, .peer_in_session = true, .as_user = "lee", .session_uid = 1000, .eligible = {kLee}},
             "inside a coding agent's session"},
        Case{"InsideASessionRefusedThoughOwner",
             {.peer_uid = 1001, .peer_in_session = true, .as_user = "lee", .session_uid = 1000, .eligible = {kLee}},
             "inside a coding agent's session"},
        Case{"ThirdUidRefused",
             {.peer_uid = 1002, .as_user = "lee", .session_uid = 1000, .eligible = {kLee}},
             "cannot decide as lee"},
        Case{"SessionsUidCannotTakeAnotherName",
             {.peer_uid = 1000, .as_user = "lee", .session_uid = 1000, .eligible = {kDana, kLee}},
             "cannot decide as lee"},
        Case{"ASignatureIsBroughtByAnybody",
             {.peer_uid = 1002, .as_user = "lee", .session_uid = 1000, .eligible = {kLee}, .by_signature = true},
             ""},
        Case{"ASignatureFromInsideASessionRefused",
             {.peer_uid = 0, .peer_in_session = true, .as_user = "lee", .session_uid = 1000, .eligible = {kLee},
              .by_signature = true},
             "inside a coding agent's session"},
        Case{"ASignatureOfTheSessionsUserRefused",
             {.peer_uid = 1002, .as_user = "dana", .session_uid = 1000, .eligible = {kDana, kLee}, .by_signature = true},
             "the session runs as dana"},
        Case{"NoOwnerRefused",
             {.peer_uid = 0, .as_user = "sam", .session_uid = 1000, .eligible = {kLee}},
             "sam is no owner of this environment; may decide: lee"},
        Case{"RootIsNoOwnerByBeingRoot",
             {.peer_uid = 0, .as_user = "root", .session_uid = 1000, .eligible = {kLee}},
             "root is no owner"},
        Case{"NobodyEligible",
             {.peer_uid = 0, .as_user = "lee", .session_uid = 1000, .eligible = {}},
             "nobody may decide"},
        Case{"SessionsOwnUserRefusedWhereAnotherMay",
             {.peer_uid = 0, .as_user = "dana", .session_uid = 1000, .eligible = {kDana, kLee}},
             "the session runs as dana, who cannot decide on it; may decide: lee"},
        Case{"OnePersonMachineDecides",
             {.peer_uid = 0, .as_user = "dana", .session_uid = 1000, .eligible = {kDana}},
             ""},
        Case{"OnePersonUnderTwoNamesDecides",
             {.peer_uid = 0, .as_user = "dana", .session_uid = 1000, .eligible = {kDana, kDanaAgain}},
             ""},
        Case{"SecondNameOfTheSessionsUserRefused",
             {.peer_uid = 0, .as_user = "dana-admin", .session_uid = 1000, .eligible = {kDanaAgain, kLee}},
             "who cannot decide on it"},
        Case{"OnePersonMachineRefusedWhereTwoAreAsked",
             {.peer_uid = 0, .as_user = "dana", .session_uid = 1000, .eligible = {kDana}, .two_persons = true},
             "two persons are asked"},
        Case{"SessionOfRootNotByRoot",
             {.peer_uid = 0, .as_user = "root", .session_uid = 0, .eligible = {kRoot}},
             "other than root"},
        Case{"SessionOfRootNotByRootThoughOthersMay",
             {.peer_uid = 0, .as_user = "root", .session_uid = 0, .eligible = {kRoot, kLee}},
             "other than root"},
        Case{"SessionOfRootByAnOwner",
             {.peer_uid = 0, .as_user = "lee", .session_uid = 0, .eligible = {kRoot, kLee}},
             ""},
        Case{"SameOwnerTwiceRefused",
             {.peer_uid = 0,
              .as_user = "lee",
              .session_uid = 1002,
              .eligible = {kDana, kLee},
              .two_persons = true,
              .approved_by = {1001}},
             "has approved this ticket already"},
        Case{"SameOwnerUnderASecondNameRefused",
             {.peer_uid = 0,
              .as_user = "dana-admin",
              .session_uid = 1002,
              .eligible = {kDana, kDanaAgain, kLee},
              .two_persons = true,
              .approved_by = {1000}},
             "has approved this ticket already"},
        Case{"SecondOwnerApproves",
             {.peer_uid = 0,
              .as_user = "dana",
              .session_uid = 1002,
              .eligible = {kDana, kLee},
              .two_persons = true,
              .approved_by = {1001}},
             ""}),
    [](const auto& test) { return test.param.name; });

TEST(MayDecideText, EscapesTheNameThatWasGiven) {
  const absl::Status status =
      MayDecide({.peer_uid = 0, .as_user = "x\x1b[2Jy", .session_uid = 1000, .eligible = {kLee}});
  EXPECT_THAT(std::string(status.message()), HasSubstr("x\\x1b[2Jy"));
}

TEST(MayAdminister, RootOutsideEverySession) {
  EXPECT_TRUE(MayAdminister(0, false).ok());
  EXPECT_FALSE(MayAdminister(0, true).ok());
  EXPECT_FALSE(MayAdminister(1000, false).ok());
}

TEST(WhoMayDecide, NamesEachOwnerOnceAndTheSessionsOwnUserOnlyWhereNobodyElseCan) {
  EXPECT_EQ(WhoMayDecide({kDana, kLee, kDanaAgain}, 1002, false), (std::vector<EligibleOwner>{kDana, kLee}));
  EXPECT_EQ(WhoMayDecide({kDana, kLee}, 1000, false), (std::vector<EligibleOwner>{kLee}));
  EXPECT_EQ(WhoMayDecide({kDana, kDanaAgain}, 1000, false), (std::vector<EligibleOwner>{kDana}));
  EXPECT_TRUE(WhoMayDecide({kRoot}, 0, false).empty());
}

TEST(AnybodyMayDecide, FollowsTheSameRules) {
  EXPECT_FALSE(AnybodyMayDecide({}, 1000, false));
  EXPECT_TRUE(AnybodyMayDecide({kDana}, 1000, false));
  EXPECT_FALSE(AnybodyMayDecide({kDana}, 1000, true));
  EXPECT_TRUE(AnybodyMayDecide({kDana, kLee}, 1000, false));
  EXPECT_FALSE(AnybodyMayDecide({kDana, kLee}, 1000, true));  // dana is the session's own user
  EXPECT_TRUE(AnybodyMayDecide({kDana, kLee}, 1002, true));
  EXPECT_FALSE(AnybodyMayDecide({kDana, kDanaAgain}, 1002, true));
  EXPECT_FALSE(AnybodyMayDecide({kRoot}, 0, false));
}

}  // namespace
}  // namespace holdpoint
