#include "agent/session/session_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdpoint {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsNull;
using ::testing::NotNull;

constexpr char kBoot[] = "1F3c9a52-0f10-4f5e-9f3a-1f6f4a0a6a11\n";

Session Make(SessionNumber number, pid_t root) {
  Session session;
  session.number = number;
  session.root = ProcessId{root, 1000};
  return session;
}

TEST(SessionTableTest, IdsNameBootAndNumber) {
  EXPECT_EQ(SessionTable(kBoot).IdOf(12), "s-1f3c-12");
  EXPECT_EQ(SessionTable("").IdOf(1), "s-0000-1");
}

TEST(SessionTableTest, AddedSessionIsFoundByNumberAndId) {
  SessionTable table(kBoot);
  auto added = table.Add(Make(3, 100));
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ((*added)->id, "s-1f3c-3");
  EXPECT_EQ(table.Find(3), *added);
  EXPECT_EQ(table.FindById("s-1f3c-3"), *added);
  EXPECT_THAT(table.FindById("s-1f3c-4"), IsNull());
  EXPECT_THAT(table.Find(4), IsNull());
  EXPECT_THAT(table.Processes(3), ElementsAre(ProcessId{100, 1000}));
}

TEST(SessionTableTest, RefusesNumberZeroTwiceAndTooMany) {
  SessionTable table(kBoot, {.sessions = 2});
  EXPECT_EQ(table.Add(Make(0, 1)).status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(table.Add(Make(1, 100)).ok());
  EXPECT_EQ(table.Add(Make(1, 101)).status().code(), absl::StatusCode::kAlreadyExists);
  ASSERT_TRUE(table.Add(Make(2, 101)).ok());
  EXPECT_EQ(table.Add(Make(3, 102)).status().code(), absl::StatusCode::kResourceExhausted);
  table.Erase(1);
  EXPECT_TRUE(table.Add(Make(3, 102)).ok());
}

TEST(SessionTableTest, ReusedPidIsAnotherProcess) {
  SessionTable table(kBoot);
  ASSERT_TRUE(table.Add(Make(1, 100)).ok());
  table.ProcessExited(1, ProcessId{100, 2000});
  EXPECT_EQ(table.LiveProcesses(1), 1u);
  table.ProcessExited(1, ProcessId{100, 1000});
  EXPECT_EQ(table.LiveProcesses(1), 0u);
}

TEST(SessionTableTest, ExecSeenAfterExitDoesNotRevive) {
  SessionTable table(kBoot);
  ASSERT_TRUE(table.Add(Make(1, 100)).ok());
  table.ProcessExited(1, ProcessId{200, 5});
  table.ProcessSeen(1, ProcessId{200, 5});
  EXPECT_THAT(table.Processes(1), ElementsAre(ProcessId{100, 1000}));
}

TEST(SessionTableTest, RootGoneButChildAliveIsNotEnded) {
  SessionTable table(kBoot);
  ASSERT_TRUE(table.Add(Make(1, 100)).ok());
  table.ProcessSeen(1, ProcessId{200, 5});
  table.ProcessExited(1, ProcessId{100, 1000});
  EXPECT_THAT(table.MaybeEnded(), IsEmpty());
  table.ProcessExited(1, ProcessId{200, 5});
  EXPECT_THAT(table.MaybeEnded(), ElementsAre(1u));
}

TEST(SessionTableTest, ReconcileDecidesBetweenEndedAndForkedOnlyChildren) {
  SessionTable table(kBoot);
  ASSERT_TRUE(table.Add(Make(1, 100)).ok());
  ASSERT_TRUE(table.Add(Make(2, 101)).ok());
  table.ProcessExited(1, ProcessId{100, 1000});
  table.ProcessExited(2, ProcessId{101, 1000});
  EXPECT_THAT(table.MaybeEnded(), ElementsAre(1u, 2u));
  EXPECT_THAT(table.Reconcile({{1, ProcessId{300, 7}}}), ElementsAre(2u));
  EXPECT_EQ(table.Find(2)->state, SessionState::kEnded);
  EXPECT_THAT(table.Processes(1), ElementsAre(ProcessId{300, 7}));
  EXPECT_THAT(table.MaybeEnded(), IsEmpty());
  EXPECT_THAT(table.Reconcile({}), ElementsAre(1u)) << "an ended session is said once";
}

TEST(SessionTableTest, LostExitIsHealedByReconcile) {
  SessionTable table(kBoot);
  ASSERT_TRUE(table.Add(Make(1, 100)).ok());
  table.ProcessSeen(1, ProcessId{200, 5});
  EXPECT_THAT(table.Reconcile({{1, ProcessId{100, 1000}}}), IsEmpty());
  EXPECT_THAT(table.Processes(1), ElementsAre(ProcessId{100, 1000}));
  EXPECT_EQ(table.SessionOf(ProcessId{200, 5}), std::nullopt);
}

TEST(SessionTableTest, NestedSessionTakesTheProcessOver) {
  SessionTable table(kBoot);
  ASSERT_TRUE(table.Add(Make(1, 100)).ok());
  table.ProcessSeen(1, ProcessId{200, 5});
  Session nested = Make(2, 200);
  nested.root = ProcessId{200, 5};
  ASSERT_TRUE(table.Add(nested).ok());
  EXPECT_EQ(table.SessionOf(ProcessId{200, 5}), 2u);
  EXPECT_THAT(table.Processes(1), ElementsAre(ProcessId{100, 1000}));
  EXPECT_THAT(table.Processes(2), ElementsAre(ProcessId{200, 5}));
}

TEST(SessionTableTest, ProcessesBeyondTheLimitEndByReconcileOnly) {
  SessionTable table(kBoot, {.processes_per_session = 2});
  ASSERT_TRUE(table.Add(Make(1, 100)).ok());
  for (pid_t pid = 200; pid < 210; ++pid) table.ProcessSeen(1, ProcessId{pid, 5});
  EXPECT_EQ(table.LiveProcesses(1), 2u);
  EXPECT_EQ(table.untracked_processes(), 9u);
  EXPECT_THAT(table.MaybeEnded(), ElementsAre(1u)) << "unknown: ask the kernel";
  EXPECT_THAT(table.Reconcile({{1, ProcessId{205, 5}}}), IsEmpty());
  EXPECT_THAT(table.Reconcile({}), ElementsAre(1u));
}

TEST(SessionTableTest, RememberedExitsStayBounded) {
  SessionTable table(kBoot, {.exits_remembered = 2});
  ASSERT_TRUE(table.Add(Make(1, 100)).ok());
  for (pid_t pid = 200; pid < 203; ++pid) table.ProcessExited(1, ProcessId{pid, 5});
  table.ProcessSeen(1, ProcessId{200, 5});  // forgotten: the oldest
  table.ProcessSeen(1, ProcessId{202, 5});  // remembered
  EXPECT_THAT(table.Processes(1), ElementsAre(ProcessId{100, 1000}, ProcessId{200, 5}));
}

TEST(SessionTableTest, UnknownSessionIsIgnoredAndEraseForgetsProcesses) {
  SessionTable table(kBoot);
  table.ProcessSeen(9, ProcessId{200, 5});
  EXPECT_EQ(table.SessionOf(ProcessId{200, 5}), std::nullopt);
  ASSERT_TRUE(table.Add(Make(1, 100)).ok());
  table.Erase(1);
  EXPECT_EQ(table.SessionOf(ProcessId{100, 1000}), std::nullopt);
  EXPECT_THAT(table.Find(1), IsNull());
  EXPECT_THAT(table.All(), IsEmpty());
}

}  // namespace
}  // namespace holdpoint
