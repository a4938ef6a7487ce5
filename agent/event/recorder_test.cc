#include "agent/event/recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "agent/event/chain.h"

namespace holdpoint {
namespace {

class FixedClock final : public Clock {
 public:
  BootTime Boot() const override { return {77}; }
  absl::Time Wall() const override { return absl::FromUnixSeconds(1'700'000'000); }
};

// A sink in memory that can be told to fail.
class MemorySink final : public RecordSink {
 public:
  absl::Status Append(uint64_t, absl::string_view record) override {
    if (failures_left > 0) {
      --failures_left;
      return absl::ResourceExhaustedError("no space");
    }
    records.emplace_back(record);
    return absl::OkStatus();
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  std::vector<Eviction> TakeEvictions() override { return std::exchange(evictions, {}); }

  v1::Envelope Parsed(size_t i) const {
    v1::Envelope event;
    EXPECT_TRUE(event.ParseFromString(records.at(i)));
    return event;
  }

  int failures_left = 0;
  std::vector<std::string> records;
  std::vector<Eviction> evictions;
};

class RecorderTest : public testing::Test {
 protected:
  RecorderTest() {
    v1::StreamId stream;
    stream.set_run_id("run");
    recorder_ = std::make_unique<Recorder>(stream, clock_, sink_);
  }

  static v1::Envelope Event(const std::string& session = "") {
    v1::Envelope event;
    event.set_session(session);
    event.mutable_exec()->mutable_process()->add_argv("ls");
    return event;
  }

  std::vector<ChainFinding> CheckChain() const {
    ChainChecker checker;
    for (size_t i = 0; i < sink_.records.size(); ++i) {
      const v1::Envelope event = sink_.Parsed(i);
      checker.Add(LinkOf(event, sink_.records[i]));
      if (event.has_tombstone() && event.tombstone().run_id().empty()) {
        const auto& t = event.tombstone();
        checker.AddDeclaredGap({t.first_sequence(), t.last_sequence(), t.last_hash()});
      }
    }
    return checker.Finish();
  }

  FixedClock clock_;
  MemorySink sink_;
  std::unique_ptr<Recorder> recorder_;
};

TEST_F(RecorderTest, FillsInWhatIdentifiesARecord) {
  EXPECT_EQ(*recorder_->Record(Event("s")), 1u);
  EXPECT_EQ(*recorder_->Record(Event()), 2u);
  EXPECT_EQ(*recorder_->Record(Event("s")), 3u);
  const v1::Envelope first = sink_.Parsed(0), second = sink_.Parsed(1), third = sink_.Parsed(2);
  EXPECT_EQ(first.schema(), 1u);
  EXPECT_EQ(first.stream().run_id(), "run");
  EXPECT_EQ(first.previous_hash(), std::string(32, '\0'));
  EXPECT_EQ(first.time_unix_ns(), 1'700'000'000'000'000'000);
  EXPECT_EQ(first.boot_ns(), 77u);
  EXPECT_EQ(first.session_sequence(), 1u);
  EXPECT_EQ(second.session_sequence(), 0u);
  EXPECT_EQ(third.session_sequence(), 2u);
  EXPECT_EQ(second.previous_hash(), LinkOf(first, sink_.records[0]).hash);
  EXPECT_EQ(recorder_->head().sequence, 3u);
  EXPECT_THAT(CheckChain(), testing::IsEmpty());
}

TEST_F(RecorderTest, KeepsTheKernelsTimeOfWhatHappened) {
  v1::Envelope event = Event();
  event.set_boot_ns(5);
  ASSERT_TRUE(recorder_->Record(event).ok());
  EXPECT_EQ(sink_.Parsed(0).boot_ns(), 5u);
}

TEST_F(RecorderTest, WantsExactlyOneBody) {
  EXPECT_EQ(recorder_->Record({}).status().code(), absl::StatusCode::kInvalidArgument);
  v1::Envelope two = Event();
  two.mutable_loss();
  EXPECT_EQ(recorder_->Record(two).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(recorder_->head().sequence, 0u);
}

TEST_F(RecorderTest, BytesThatAreNoUtf8StillMakeARecordThatParses) {
  v1::Envelope event = Event();
  event.mutable_exec()->mutable_process()->set_argv(0,
                                                    "a\xff"
                                                    "b\xc3\xa9");
  ASSERT_TRUE(recorder_->Record(event).ok());
  EXPECT_EQ(sink_.Parsed(0).exec().process().argv(0),
            "a\\xff"
            "b\xc3\xa9");
}

TEST_F(RecorderTest, FullDiskLeavesATombstoneAndTheChainVerifies) {
  ASSERT_TRUE(recorder_->Record(Event("s")).ok());
  sink_.failures_left = 5;  // Two events, and then the tombstone's own attempts fail as well.
  EXPECT_EQ(recorder_->Record(Event("s")).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(recorder_->Record(Event("s")).ok());
  EXPECT_FALSE(recorder_->Record(Event("s")).ok());
  ASSERT_TRUE(recorder_->Record(Event("s")).ok());
  ASSERT_EQ(sink_.records.size(), 3u);
  const v1::Envelope tombstone = sink_.Parsed(1);
  ASSERT_TRUE(tombstone.has_tombstone());
  EXPECT_EQ(tombstone.tombstone().first_sequence(), 2u);
  EXPECT_EQ(tombstone.tombstone().last_sequence(), 4u);
  EXPECT_THAT(tombstone.tombstone().reason(), testing::HasSubstr("no space"));
  EXPECT_EQ(tombstone.sequence(), 5u);
  EXPECT_EQ(recorder_->totals().unwritten, 3u);
  EXPECT_EQ(recorder_->totals().recorded, 3u);
  EXPECT_THAT(CheckChain(), testing::IsEmpty());
}

TEST_F(RecorderTest, LossesAreCountedByReasonAndBecomeRecords) {
  recorder_->CountLoss("ring", "full", 3);
  recorder_->CountLoss("ring", "full", 4);
  recorder_->CountLoss("judge", "late", 1);
  recorder_->CountLoss("judge", "never", 0);
  ASSERT_TRUE(recorder_->Record(Event()).ok());
  ASSERT_EQ(sink_.records.size(), 3u);
  EXPECT_EQ(sink_.Parsed(0).loss().stage(), "judge");
  EXPECT_EQ(sink_.Parsed(1).loss().count(), 7u);
  EXPECT_TRUE(sink_.Parsed(2).has_exec());
  EXPECT_EQ(recorder_->losses().at("ring/full"), 7u);
  EXPECT_EQ(recorder_->totals().lost, 8u);
  ASSERT_TRUE(recorder_->FlushLosses().ok());  // Nothing is declared twice.
  EXPECT_EQ(sink_.records.size(), 3u);
}

TEST_F(RecorderTest, LossThatTheSinkRefusesIsDeclaredLater) {
  recorder_->CountLoss("ring", "full", 9);
  sink_.failures_left = 1;
  EXPECT_FALSE(recorder_->FlushLosses().ok());
  ASSERT_TRUE(recorder_->FlushLosses().ok());
  ASSERT_EQ(sink_.records.size(), 2u);
  EXPECT_EQ(sink_.Parsed(0).tombstone().last_sequence(), 1u);
  EXPECT_EQ(sink_.Parsed(1).loss().count(), 9u);
  EXPECT_THAT(CheckChain(), testing::IsEmpty());
}

TEST_F(RecorderTest, EventPastTheLimitIsALossAndUsesNoSequence) {
  v1::Envelope event = Event();
  event.mutable_exec()->mutable_process()->set_argv(0, std::string(kMaxRecordBytes, 'x'));
  EXPECT_EQ(recorder_->Record(event).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(*recorder_->Record(Event()), 2u);
  EXPECT_EQ(sink_.Parsed(0).loss().stage(), "record");
}

TEST_F(RecorderTest, NeighbouringEvictionsBecomeOneTombstone) {
  sink_.evictions = {{"old", 1, 5, {}, false}, {"old", 6, 9, {}, false}, {"run", 1, 2, {}, false}};
  ASSERT_TRUE(recorder_->Record(Event()).ok());
  ASSERT_EQ(sink_.records.size(), 3u);
  EXPECT_EQ(sink_.Parsed(1).tombstone().run_id(), "old");
  EXPECT_EQ(sink_.Parsed(1).tombstone().last_sequence(), 9u);
  EXPECT_EQ(sink_.Parsed(2).tombstone().run_id(), "");
}

TEST_F(RecorderTest, ThreadsShareOneChain) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 200; ++i) ASSERT_TRUE(recorder_->Record(Event("s")).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(recorder_->head().sequence, 800u);
  EXPECT_EQ(sink_.Parsed(799).session_sequence(), 800u);
  EXPECT_THAT(CheckChain(), testing::IsEmpty());
}

}  // namespace
}  // namespace holdpoint
