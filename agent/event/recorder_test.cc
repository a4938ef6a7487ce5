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
  absl::Status Append(uint64_t, absl::string_view record, RecordClass record_class) override {
    if (full && record_class != RecordClass::kEvidence) return absl::ResourceExhaustedError("no space");
    if (failures_left > 0) {
      --failures_left;
      return absl::ResourceExhaustedError("no space");
    }
    records.emplace_back(record);
    return absl::OkStatus();
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  std::vector<Eviction> TakeEvictions() override { return std::exchange(evictions, {}); }
  void NoteUnwritten(const SequenceGap& gap) override { noted = gap; }
  void EvictionsDeclared() override { ++declared; }

  v1::Envelope Parsed(size_t i) const {
    v1::Envelope event;
    EXPECT_TRUE(event.ParseFromString(records.at(i)));
    return event;
  }

  int failures_left = 0;
  bool full = false;  // but for evidence
  int declared = 0;
  SequenceGap noted;
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
  EXPECT_EQ(recorder_->counts().losses, (std::map<LossKey, uint64_t>{{{"spool", "could not be written"}, 3}}));
  EXPECT_EQ(recorder_->counts().recorded, 3u);
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
  EXPECT_EQ(recorder_->counts().losses.at({"ring", "full"}), 7u);
  EXPECT_EQ(recorder_->counts().lost(), 8u);
  ASSERT_TRUE(recorder_->FlushLosses().ok());  // Nothing is declared twice.
  EXPECT_EQ(sink_.records.size(), 3u);
}

TEST_F(RecorderTest, LossWithATimeIsDeclaredAtOnceAndCountedWhereItCannotBe) {
  v1::Loss loss;
  loss.set_stage("gate");
  loss.set_reason("killed");
  loss.set_count(4);
  loss.set_first_unix_ns(5);
  loss.set_run_id("before");
  ASSERT_TRUE(recorder_->DeclareLoss(loss).ok());
  EXPECT_EQ(sink_.Parsed(0).loss().run_id(), "before");
  EXPECT_EQ(sink_.Parsed(0).loss().total(), 4u);
  sink_.failures_left = 1;
  EXPECT_FALSE(recorder_->DeclareLoss(loss).ok());
  ASSERT_TRUE(recorder_->FlushLosses().ok());
  EXPECT_EQ(sink_.Parsed(1).loss().count(), 4u);
  EXPECT_EQ(sink_.Parsed(1).loss().total(), 8u);
  EXPECT_EQ(recorder_->counts().losses.at({"gate", "killed"}), 8u);
  EXPECT_EQ(recorder_->counts().lost_before, 8u);
  EXPECT_EQ(recorder_->counts().losses_unknown, 0u);
  EXPECT_THAT(CheckChain(), testing::IsEmpty());
}

TEST_F(RecorderTest, LossWhoseNumberIsUnknownIsNoneOfZero) {
  v1::Loss loss;
  loss.set_stage("gate");
  loss.set_reason("the host went down");
  loss.set_unknown(true);
  sink_.failures_left = 1;
  EXPECT_FALSE(recorder_->DeclareLoss(loss).ok());
  ASSERT_TRUE(recorder_->FlushLosses().ok());
  ASSERT_EQ(sink_.records.size(), 1u);
  EXPECT_TRUE(sink_.Parsed(0).loss().unknown());
  EXPECT_EQ(sink_.Parsed(0).loss().count(), 0u);
  EXPECT_EQ(recorder_->counts().losses_unknown, 1u);
  EXPECT_TRUE(recorder_->counts().losses.empty());
}

TEST_F(RecorderTest, LossThatTheSinkRefusesIsDeclaredLater) {
  recorder_->CountLoss("ring", "full", 9);
  sink_.failures_left = 1;
  EXPECT_FALSE(recorder_->FlushLosses().ok());
  ASSERT_TRUE(recorder_->FlushLosses().ok());
  ASSERT_EQ(sink_.records.size(), 1u);
  EXPECT_EQ(sink_.Parsed(0).loss().count(), 9u);
  EXPECT_EQ(recorder_->counts().lost(), 9u) << "what was tried and is there after all is no loss";
  EXPECT_THAT(CheckChain(), testing::IsEmpty());
}

TEST_F(RecorderTest, EventPastTheLimitIsALossAndUsesNoSequence) {
  v1::Envelope event = Event();
  event.mutable_exec()->mutable_process()->set_argv(0, std::string(kMaxRecordBytes, 'x'));
  EXPECT_EQ(recorder_->Record(event).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(*recorder_->Record(Event()), 2u);
  EXPECT_EQ(sink_.Parsed(0).loss().stage(), "record");
}

TEST_F(RecorderTest, OnAFullDiskEvidenceIsWrittenAndWhatIsMissingBeforeItDeclared) {
  ASSERT_TRUE(recorder_->Record(Event("s")).ok());
  sink_.full = true;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(recorder_->Record(Event("s")).ok());
  EXPECT_EQ(sink_.noted.first, 2u);
  EXPECT_EQ(sink_.noted.last, 4u);
  EXPECT_EQ(sink_.noted.last_hash, recorder_->head().hash);
  EXPECT_EQ(sink_.declared, 0);
  ASSERT_EQ(sink_.records.size(), 1u) << "no tombstones for what is not worth the last place";
  v1::Envelope refusal = Event("s");
  refusal.mutable_exec()->mutable_judgement()->set_verdict(v1::VERDICT_REFUSE);
  recorder_->CountLoss("ring", "full", 2);
  ASSERT_TRUE(recorder_->Record(refusal).ok());
  ASSERT_EQ(sink_.records.size(), 4u);
  EXPECT_EQ(sink_.Parsed(1).tombstone().last_sequence(), 4u);
  EXPECT_EQ(sink_.Parsed(2).loss().total(), 2u);
  EXPECT_TRUE(sink_.Parsed(3).has_exec());
  EXPECT_EQ(sink_.declared, 1);
  EXPECT_THAT(CheckChain(), testing::IsEmpty());
}

TEST_F(RecorderTest, CountsWhatWasRecordedByBodyAndVerdict) {
  v1::Envelope refusal = Event("s"), rollup;
  refusal.mutable_exec()->mutable_judgement()->set_verdict(v1::VERDICT_REFUSE);
  rollup.mutable_rollup()->set_count(40);
  ASSERT_TRUE(recorder_->Record(refusal).ok());
  ASSERT_TRUE(recorder_->Record(rollup).ok());
  EXPECT_EQ(recorder_->counts().events, (std::map<std::string, uint64_t>{{"exec", 1}, {"rollup", 1}}));
  EXPECT_EQ(recorder_->counts().verdicts, (std::map<std::string, uint64_t>{{"allow", 40}, {"refuse", 1}}));
}

Eviction Gone(const std::string& run_id, uint64_t first, uint64_t last) {
  return {.run_id = run_id, .gaps = {{first, last, {}}}, .records = last + 1 - first, .reason = "the spool is full"};
}

TEST_F(RecorderTest, NeighbouringEvictionsBecomeOneTombstone) {
  sink_.evictions = {Gone("old", 1, 5), Gone("old", 6, 9), Gone("run", 1, 2)};
  ASSERT_TRUE(recorder_->Record(Event()).ok());
  ASSERT_EQ(sink_.records.size(), 3u);
  EXPECT_EQ(sink_.Parsed(1).tombstone().run_id(), "old");
  EXPECT_EQ(sink_.Parsed(1).tombstone().last_sequence(), 9u);
  EXPECT_EQ(sink_.Parsed(2).tombstone().run_id(), "");
  EXPECT_EQ(recorder_->counts().losses.at({"spool", "evicted: the spool is full"}), 11u);
  EXPECT_EQ(sink_.declared, 1);
}

TEST_F(RecorderTest, WhatTheBrokersHaveIsNoLossAndSeveralGapsAreOneTombstone) {
  Eviction thinned = Gone("old", 2, 3);
  thinned.gaps.push_back({5, 9, {}});
  thinned.delivered = true;
  thinned.kept_last = 1;
  sink_.evictions = {thinned};
  ASSERT_TRUE(recorder_->Record(Event()).ok());
  const v1::Tombstone tombstone = sink_.Parsed(1).tombstone();
  ASSERT_EQ(tombstone.gaps_size(), 1);
  EXPECT_EQ(tombstone.gaps(0).first_sequence(), 5u);
  EXPECT_TRUE(tombstone.delivered());
  EXPECT_EQ(tombstone.kept_last(), 1u);
  EXPECT_EQ(recorder_->counts().lost(), 0u);
  EXPECT_EQ(recorder_->counts().evicted_delivered, 2u);
}

TEST_F(RecorderTest, EvictionsAreForgottenOnlyWhenTheirTombstonesAreWritten) {
  sink_.evictions = {Gone("old", 1, 5)};
  sink_.full = true;
  EXPECT_FALSE(recorder_->Record(Event()).ok());
  EXPECT_EQ(sink_.declared, 0);
  sink_.full = false;
  ASSERT_TRUE(recorder_->Record(Event()).ok());
  EXPECT_EQ(sink_.declared, 1);
  EXPECT_THAT(CheckChain(), testing::IsEmpty());
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
