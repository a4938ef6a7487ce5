#include "agent/gate/package_runs.h"

#include <gtest/gtest.h>

namespace holdpoint {
namespace {

// 10 (apt-get) started 20 (dpkg) started 30 (sh); 40 is a daemon that left.
class PackageRunsTest : public testing::Test {
 protected:
  static ProcessId Process(pid_t tgid) { return ProcessId{tgid, static_cast<uint64_t>(tgid) * 100}; }

  std::map<pid_t, pid_t> parents_ = {{10, 5}, {20, 10}, {30, 20}, {40, 1}, {5, 1}};
  PackageRuns runs_{[this](const ProcessId& process) -> absl::StatusOr<ProcessId> {
                      const auto parent = parents_.find(process.tgid);
                      if (parent == parents_.end()) return absl::NotFoundError("gone");
                      return Process(parent->second);
                    },
                    [](const ProcessId& a, const ProcessId& b) { return a == b; }};
};

TEST_F(PackageRunsTest, WhatRunsBelowIsCoveredAndNothingElse) {
  EXPECT_EQ(runs_.Above(Process(30), 1), "");
  runs_.Began(Process(10), 7, 1, "apt-get install");
  EXPECT_EQ(runs_.Above(Process(10), 1), "apt-get install (10)");
  EXPECT_EQ(runs_.Above(Process(30), 1), "apt-get install (10)");
  EXPECT_EQ(runs_.Above(Process(5), 1), "") << "what started it";
  EXPECT_EQ(runs_.Above(Process(40), 1), "") << "a daemon has left its tree";
  EXPECT_EQ(runs_.Above(Process(30), 2), "") << "another session";
}

TEST_F(PackageRunsTest, TheCoverEndsWithTheProgram) {
  runs_.Began(Process(10), 7, 1, "apt-get install");
  runs_.Execed(Process(10), 7);
  EXPECT_NE(runs_.Above(Process(30), 1), "");
  runs_.Execed(Process(10), 8);
  EXPECT_EQ(runs_.Above(Process(30), 1), "");
  runs_.Began(Process(10), 9, 1, "apt-get install");
  runs_.Ended(ProcessId{10, 1});
  EXPECT_NE(runs_.Above(Process(30), 1), "") << "another process of the same number";
  runs_.Ended(Process(10));
  EXPECT_EQ(runs_.Above(Process(30), 1), "");
}

TEST_F(PackageRunsTest, AReusedNumberCoversNothing) {
  runs_.Began(ProcessId{10, 999}, 7, 1, "apt-get install");
  EXPECT_EQ(runs_.Above(Process(30), 1), "");
}

TEST_F(PackageRunsTest, PastTheBoundNothingMoreIsCovered) {
  for (int i = 0; i < static_cast<int>(PackageRuns::kMax); ++i) runs_.Began(Process(1000 + i), 1, 1, "x");
  runs_.Began(Process(10), 7, 1, "apt-get install");
  EXPECT_EQ(runs_.Above(Process(30), 1), "");
}

}  // namespace
}  // namespace holdpoint
