#include "agent/gate/active_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel.h"

namespace holdpoint {
namespace {

v1::Configured TwoPlaces() {
  v1::Configured configured;
  v1::Environment* production = configured.add_environments();
  production->set_name("production");
  production->set_protected_(true);
  production->set_enforce(true);
  production->set_fail_closed(true);
  v1::Environment* staging = configured.add_environments();
  staging->set_name("staging");
  staging->set_enforce(true);
  return configured;
}

void AddRange(v1::Configured& configured, const std::string& address, uint32_t length, uint32_t port,
              const std::string& environment) {
  v1::DestinationRange* range = configured.add_destinations();
  range->set_address(address);
  range->set_prefix_length(length);
  range->set_port_low(port);
  range->set_port_high(port);
  range->set_environment(environment);
}

TEST(ActivePolicyTest, OnlyCrossingIntoAProtectedPlaceIsRefusedAtConnect) {
  FakeKernel kernel;
  ASSERT_TRUE(ActivePolicy(TwoPlaces(), 3, false).Apply(kernel).ok());
  EXPECT_EQ((kernel.actions[{2, 1}]), HP_ACTION_REFUSE);
  EXPECT_EQ((kernel.actions[{0, 1}]), HP_ACTION_REFUSE);
  EXPECT_EQ((kernel.actions[{1, 1}]), HP_ACTION_ALLOW);
  EXPECT_EQ((kernel.actions[{1, 2}]), HP_ACTION_AUDIT);
  EXPECT_EQ((kernel.actions[{2, 0}]), HP_ACTION_ALLOW);
  EXPECT_EQ(kernel.generation, 3u);
}

TEST(ActivePolicyTest, LongerPrefixAlsoHoldsTheRangesAroundItBehindItsOwn) {
  v1::Configured configured = TwoPlaces();
  AddRange(configured, std::string("\x0a\x00\x00\x00", 4), 8, 5432, "production");
  AddRange(configured, std::string("\x0a\x01\x00\x00", 4), 16, 5432, "staging");
  AddRange(configured, std::string("\x0b\x00\x00\x00", 4), 8, 1, "staging");
  FakeKernel kernel;
  ASSERT_TRUE(ActivePolicy(configured, 1, false).Apply(kernel).ok());
  ASSERT_EQ(kernel.destinations.size(), 3u);
  for (const Kernel::DestinationPrefix& prefix : kernel.destinations) {
    if (prefix.prefix_length == 16) {
      ASSERT_EQ(prefix.ranges.size(), 2u);
      EXPECT_EQ(prefix.ranges[0].environment, 2);
      EXPECT_EQ(prefix.ranges[1].environment, 1);
    } else {
      EXPECT_EQ(prefix.ranges.size(), 1u);
    }
  }
}

TEST(ActivePolicyTest, ObserveSwitchesEveryEnvironmentAlsoUnknownOnes) {
  const ActivePolicy observing(TwoPlaces(), 1, true);
  EXPECT_FALSE(observing.Enforces("production"));
  EXPECT_FALSE(observing.Enforces("nowhere"));
  const ActivePolicy enforcing(TwoPlaces(), 1, false);
  EXPECT_TRUE(enforcing.Enforces("nowhere"));
  EXPECT_EQ(enforcing.SessionFlags("production"),
            static_cast<uint32_t>(HP_SESSION_CONFIRMED | HP_SESSION_ENFORCE | HP_SESSION_FAIL_CLOSED));
  EXPECT_EQ(enforcing.SessionFlags("staging"), static_cast<uint32_t>(HP_SESSION_CONFIRMED | HP_SESSION_ENFORCE));
}

TEST(ActivePolicyTest, OwnersAreTheTargetsAndElseTheSessions) {
  const ActivePolicy policy(TwoPlaces(), 1, false);
  EXPECT_EQ(policy.OwnersOf("production", "staging")->name(), "production");
  EXPECT_EQ(policy.OwnersOf("", "staging")->name(), "staging");
  EXPECT_EQ(policy.OwnersOf("", "nowhere"), nullptr);
}

TEST(ActivePolicyTest, MoreOverlappingRangesThanTheKernelHoldsAreAnError) {
  v1::Configured configured = TwoPlaces();
  for (uint32_t port = 1; port <= HP_DEST_RANGES + 1; ++port) {
    AddRange(configured, std::string("\x0a\x00\x00\x00", 4), 8, port, "staging");
  }
  FakeKernel kernel;
  EXPECT_EQ(ActivePolicy(configured, 1, false).Apply(kernel).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ActivePolicyTest, TwoPersonsAreAskedForAnIrreversibleLossWhereAProtectedPlaceSaysSo) {
  v1::Environment place;
  place.set_protected_(true);
  place.set_two_persons(true);
  v1::Judgement act;
  act.set_effect(v1::EFFECT_DESTROY);
  EXPECT_TRUE(ActivePolicy::NeedsTwo(act, &place)) << "what nobody assessed is not recoverable";
  act.set_recoverability(v1::RECOVERABILITY_IRREVERSIBLE);
  EXPECT_TRUE(ActivePolicy::NeedsTwo(act, &place));
  act.set_recoverability(v1::RECOVERABILITY_RECOVERABLE);
  EXPECT_FALSE(ActivePolicy::NeedsTwo(act, &place));
  act.set_recoverability(v1::RECOVERABILITY_IRREVERSIBLE);
  act.set_effect(v1::EFFECT_EXPOSE);
  EXPECT_FALSE(ActivePolicy::NeedsTwo(act, &place));
  act.set_effect(v1::EFFECT_DESTROY);
  EXPECT_FALSE(ActivePolicy::NeedsTwo(act, nullptr));
  place.set_protected_(false);
  EXPECT_FALSE(ActivePolicy::NeedsTwo(act, &place));
  place.set_protected_(true);
  place.set_two_persons(false);
  EXPECT_FALSE(ActivePolicy::NeedsTwo(act, &place));
}

}  // namespace
}  // namespace holdpoint
