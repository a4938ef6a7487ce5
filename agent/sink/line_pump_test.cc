#include "agent/sink/line_pump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/event/body.h"
#include "agent/event/recorder.h"

namespace holdpoint {
namespace {

class FakeClock : public Clock {
 public:
  BootTime Boot() const override { return now; }
  absl::Time Wall() const override { return absl::FromUnixSeconds(1'700'000'000); }
  BootTime now{1};
};

// Takes as many as it has room for, then is away.
class FakeTarget : public LineTarget {
 public:
  absl::Status Write(const std::vector<OutLine>& lines, size_t* taken) override {
    ++calls;
    *taken = 0;
    for (const OutLine& line : lines) {
      if (room == 0) return absl::UnavailableError("siem: Connection refused");
      --room;
      seen.push_back(line.action);
      ++*taken;
    }
    return absl::OkStatus();
  }
  absl::Status Sync() override { return sync; }
  size_t room = 1'000'000;
  int calls = 0;
  absl::Status sync;
  std::vector<std::string> seen;
};

class LinePumpTest : public testing::Test {
 protected:
  std::unique_ptr<LinePump> Make(const std::string& minimum = "informational", Cursor from = {}) {
    SinkSpec spec = *ParseSinkSpec("siem=cef:tcp://siem.example.com:601");
    EXPECT_TRUE(SetSinkOption("minimum=" + minimum, &spec).ok());
    const bool fresh = from.next_sequence.empty();
    return std::make_unique<LinePump>(spec, target_, std::move(from), fresh, counters_, clock_);
  }

  static void Take(LinePump& pump, uint64_t sequence, v1::Envelope event = {}, const std::string& run = "run-1") {
    if (CountBodies(event) == 0) event.mutable_rollup()->set_count(sequence);
    event.mutable_stream()->set_run_id(run);
    event.set_sequence(sequence);
    std::string bytes;
    SerializeRecord(event, &bytes);
    pump.Take(run, sequence, bytes);
  }

  static v1::Envelope Gone(const std::string& run, uint64_t first, uint64_t last, const std::string& reason) {
    v1::Envelope event;
    v1::Tombstone& tombstone = *event.mutable_tombstone();
    tombstone.set_run_id(run);
    tombstone.set_first_sequence(first);
    tombstone.set_last_sequence(last);
    tombstone.set_reason(reason);
    return event;
  }

  void Later(absl::Duration time) { clock_.now = clock_.now + time; }

  FakeClock clock_;
  FakeTarget target_;
  SinkCounters counters_;
};

TEST_F(LinePumpTest, TheCursorMovesOverWhatTheTargetTookAndTheRestIsTriedAgain) {
  const auto pump = Make();
  for (uint64_t i = 1; i <= 5; ++i) Take(*pump, i);
  EXPECT_EQ(pump->cursor().Next("run-1"), 1u);
  target_.room = 2;
  EXPECT_EQ(pump->Push().message(), "siem: Connection refused");
  EXPECT_EQ(pump->cursor().Next("run-1"), 3u);
  EXPECT_EQ(counters_.failures, 1u);
  target_.room = 10;
  EXPECT_GT(pump->Pause(), absl::ZeroDuration());
  EXPECT_TRUE(pump->Push().ok());  // Not yet: it is given a moment.
  EXPECT_EQ(pump->cursor().Next("run-1"), 3u);
  Later(absl::Seconds(1));
  EXPECT_TRUE(pump->Push().ok());
  EXPECT_EQ(pump->cursor().Next("run-1"), 6u);
  EXPECT_TRUE(pump->empty());
  EXPECT_EQ(target_.seen.size(), 5u);
  EXPECT_EQ(counters_.delivered, 5u);
}

TEST_F(LinePumpTest, AsksAnAwayTargetEverMoreSlowly) {
  const auto pump = Make();
  Take(*pump, 1);
  target_.room = 0;
  for (int i = 0; i < 3600; ++i) {
    pump->Push().IgnoreError();
    Later(absl::Seconds(1));
  }
  EXPECT_GT(target_.calls, 100);
  EXPECT_LT(target_.calls, 140);
}

TEST_F(LinePumpTest, KeepsABoundedNumber) {
  const auto pump = Make();
  uint64_t number = 0;
  while (pump->HasRoom()) Take(*pump, ++number);
  EXPECT_EQ(number, 1000u);
  EXPECT_TRUE(pump->Push().ok());
  EXPECT_TRUE(pump->HasRoom());
}

TEST_F(LinePumpTest, WhatIsNotSafeIsHandedOverAgain) {
  const auto pump = Make();
  Take(*pump, 1);
  target_.sync = absl::InternalError("Input/output error");
  EXPECT_FALSE(pump->Push().ok());
  EXPECT_EQ(pump->cursor().Next("run-1"), 1u);
  EXPECT_EQ(counters_.delivered, 0u);
  target_.sync = absl::OkStatus();
  Later(absl::Seconds(1));
  EXPECT_TRUE(pump->Push().ok());
  EXPECT_EQ(pump->cursor().Next("run-1"), 2u);
}

TEST_F(LinePumpTest, LeavesOutWhatIsBelowItsMinimumAndWhatIsNoRecord) {
  const auto pump = Make("high");
  v1::Envelope loss;
  loss.mutable_loss()->set_stage("ring");
  Take(*pump, 1);
  EXPECT_EQ(pump->cursor().Next("run-1"), 2u);
  Take(*pump, 2, loss);
  pump->Take("run-1", 3, "no envelope");
  EXPECT_EQ(pump->cursor().Next("run-1"), 2u);
  EXPECT_TRUE(pump->Push().ok());
  EXPECT_EQ(pump->cursor().Next("run-1"), 4u);
  EXPECT_EQ(target_.seen, std::vector<std::string>{"events-lost"});
  EXPECT_EQ(counters_.below_minimum, 1u);
  EXPECT_EQ(counters_.unreadable, 1u);
  EXPECT_EQ(counters_.delivered, 1u);
}

TEST_F(LinePumpTest, CountsWhatWasGoneBeforeItWasRead) {
  const auto pump = Make("informational", {.next_sequence = {{"run-1", 5}}});
  const auto missing_after = [&](uint64_t sequence, const v1::Envelope& event, const std::string& run) {
    Take(*pump, sequence, event, run);
    EXPECT_TRUE(pump->Push().ok());
    return counters_.missing;
  };
  EXPECT_EQ(missing_after(5, {}, "run-1"), 0u);
  EXPECT_EQ(missing_after(9, {}, "run-1"), 3u);  // 6, 7, 8
  EXPECT_EQ(missing_after(3, {}, "run-2"), 5u);  // 1, 2
  EXPECT_EQ(missing_after(20, Gone("", 10, 19, "could not be written: No space left on device"), "run-1"), 5u)
      << "never written: nobody's loss here";
  EXPECT_EQ(missing_after(30, Gone("", 21, 29, "evicted before delivery: the spool is full"), "run-1"), 14u);
  const auto fresh = Make();
  Take(*fresh, 100);  // A new sink begins with what is there.
  EXPECT_TRUE(fresh->Push().ok());
  EXPECT_EQ(counters_.missing, 14u);
}

TEST_F(LinePumpTest, CountsWhatATombstoneSaysOfRunsThatAreGone) {
  const auto pump = Make("informational", {.next_sequence = {{"run-1", 5}}});
  const std::string full = "evicted after delivery: the spool is full";  // To the brokers, not to this sink.
  target_.room = 0;
  Take(*pump, 1, Gone("run-1", 1, 10, full), "run-9");
  EXPECT_FALSE(pump->Push().ok());
  EXPECT_EQ(counters_.missing, 0u) << "told by whoever takes it, and that may be after a restart";
  target_.room = 100;
  Later(absl::Seconds(1));
  EXPECT_TRUE(pump->Push().ok());
  EXPECT_EQ(counters_.missing, 6u);
  EXPECT_EQ(pump->cursor().Next("run-1"), 11u);
  Take(*pump, 2, Gone("run-1", 1, 10, full), "run-9");  // Declared once more.
  Take(*pump, 3, Gone("run-2", 1, 7, full), "run-9");   // Came and went while this sink was away.
  Take(*pump, 4, Gone("run-3", 1, 7, "by the run itself: could not be written"), "run-9");
  EXPECT_TRUE(pump->Push().ok());
  EXPECT_EQ(counters_.missing, 13u);
  const auto fresh = Make();
  Take(*fresh, 1, Gone("run-8", 1, 7, full), "run-9");
  EXPECT_TRUE(fresh->Push().ok());
  EXPECT_EQ(counters_.missing, 13u) << "before its time";
  EXPECT_EQ(fresh->cursor().Next("run-8"), 8u);
}

}  // namespace
}  // namespace holdpoint
