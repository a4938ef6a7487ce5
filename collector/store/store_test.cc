#include "collector/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "agent/event/recorder.h"
#include "collector/store/query.h"

namespace holdpoint {
namespace {

using testing::HasSubstr;

class MemorySink final : public RecordSink {
 public:
  absl::Status Append(uint64_t, absl::string_view record, RecordClass) override {
    records.emplace_back(record);
    return absl::OkStatus();
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  std::vector<Eviction> TakeEvictions() override { return std::exchange(evictions, {}); }
  void NoteUnwritten(const SequenceGap&) override {}
  void EvictionsDeclared() override {}
  std::vector<std::string> records;
  std::vector<Eviction> evictions;
};

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    char name[] = "/tmp/holdpoint-store-XXXXXX";
    root_ = mkdtemp(name);
    path_ = root_ + "/c.db";
    auto store = Store::Open(path_);
    EXPECT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  ~StoreTest() override { std::filesystem::remove_all(root_); }

  // A stream of `count` records of run `run_id`.
  static std::vector<std::string> Records(const std::string& run_id, int count) {
    MemorySink sink;
    v1::StreamId stream;
    stream.set_host("web-1");
    stream.set_host_id("id-1");
    stream.set_run_id(run_id);
    Recorder recorder(stream, Clock::Real(), sink);
    for (int i = 0; i < count; ++i) {
      v1::Envelope event;
      event.mutable_rollup()->set_count(static_cast<uint64_t>(i));
      EXPECT_TRUE(recorder.Record(event).ok());
    }
    return sink.records;
  }

  absl::Status Insert(const std::string& record, int64_t next_offset = 1) {
    return store_->Insert(record, {"kafka", "t", 0, next_offset});
  }

  std::vector<std::string> Findings() {
    EXPECT_TRUE(store_->Verify().ok());
    auto query = Query::Open(path_);
    EXPECT_TRUE(query.ok()) << query.status();
    std::vector<std::string> lines;
    const auto rows = query->Findings();
    EXPECT_TRUE(rows.ok()) << rows.status();
    for (const FindingRow& f : *rows) {
      lines.push_back(absl::StrCat(f.kind, " ", f.run_id, " ", f.first_sequence, "-", f.last_sequence));
    }
    return lines;
  }

  std::string root_, path_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreTest, RepeatedDeliveryIsStoredOnce) {
  const auto records = Records("a", 10);
  for (int round = 0; round < 2; ++round) {
    for (const std::string& record : records) ASSERT_TRUE(Insert(record).ok());
  }
  EXPECT_EQ(store_->counts().stored, 10u);
  EXPECT_EQ(store_->counts().duplicates, 10u);
  EXPECT_THAT(Findings(), testing::IsEmpty());
  EXPECT_EQ(Query::Open(path_)->Streams()->at(0).verified_to, 10);
}

TEST_F(StoreTest, OffsetsAndRowsAreCommittedTogetherOrNotAtAll) {
  const auto records = Records("a", 3);
  ASSERT_TRUE(Insert(records[0], 41).ok());
  ASSERT_TRUE(store_->Commit().ok());
  ASSERT_TRUE(Insert(records[1], 42).ok());
  store_.reset();  // As if killed: no commit.
  auto again = Store::Open(path_);
  ASSERT_TRUE(again.ok());
  store_ = *std::move(again);
  EXPECT_EQ(*store_->NextOffset("kafka", "t", 0), 41);
  EXPECT_EQ(*store_->NextOffset("kafka", "t", 1), std::nullopt);
  EXPECT_EQ(Query::Open(path_)->Streams()->at(0).records, 1);
  ASSERT_TRUE(Insert(records[1], 42).ok());
  EXPECT_EQ(store_->counts().stored, 1u);
}

TEST_F(StoreTest, RecordsOfPartitionsMayComeInAnyOrder) {
  auto records = Records("a", 9);
  for (const int i : {8, 0, 3, 5, 4, 1}) ASSERT_TRUE(Insert(records[static_cast<size_t>(i)]).ok());
  EXPECT_THAT(Findings(), testing::ElementsAre("missing a 3-3", "missing a 7-8"));
  for (const int i : {6, 2, 7}) ASSERT_TRUE(Insert(records[static_cast<size_t>(i)]).ok());
  EXPECT_THAT(Findings(), testing::IsEmpty());
}

TEST_F(StoreTest, RemovedChangedRepeatedAndForgedRecordsAreFound) {
  auto records = Records("a", 6);
  v1::Envelope forged;
  ASSERT_TRUE(forged.ParseFromString(records[1]));
  forged.mutable_rollup()->set_count(999);
  ASSERT_TRUE(Insert(records[0]).ok());
  ASSERT_TRUE(Insert(forged.SerializeAsString()).ok());  // instead of the second
  ASSERT_TRUE(Insert(records[2]).ok());
  ASSERT_TRUE(Insert(records[4]).ok());  // the fourth is removed
  forged.set_sequence(1);
  ASSERT_TRUE(Insert(forged.SerializeAsString()).ok());  // the first again, with other content
  EXPECT_THAT(Findings(), testing::UnorderedElementsAre("broken a 3-3", "missing a 4-4", "changed a 1-1"));
  EXPECT_THAT(Findings(), testing::SizeIs(3));  // Looking again adds nothing.
}

TEST_F(StoreTest, WhatIsNoRecordIsAFindingAndTheOffsetMovesOn) {
  ASSERT_TRUE(Insert("\x01garbage", 7).ok());
  ASSERT_TRUE(Insert("", 8).ok());
  v1::Envelope event;
  ASSERT_TRUE(event.ParseFromString(Records("a", 1)[0]));
  event.mutable_stream()->set_run_id("../../etc");
  ASSERT_TRUE(Insert(event.SerializeAsString(), 9).ok());
  event.mutable_stream()->set_run_id("a");
  event.set_sequence(UINT64_MAX);
  ASSERT_TRUE(Insert(event.SerializeAsString(), 10).ok());
  EXPECT_EQ(store_->counts().rejected, 4u);
  EXPECT_EQ(Findings().size(), 4u);
  EXPECT_EQ(*store_->NextOffset("kafka", "t", 0), 10);
  EXPECT_TRUE(Query::Open(path_)->Streams()->empty());
}

TEST_F(StoreTest, TombstoneOfALaterRunAccountsForWhatNeverArrived) {
  const auto old_run = Records("old", 5);
  v1::Envelope fifth;
  ASSERT_TRUE(fifth.ParseFromString(old_run[4]));
  ASSERT_TRUE(Insert(old_run[4]).ok());
  EXPECT_THAT(Findings(), testing::ElementsAre("missing old 1-4"));
  MemorySink sink;
  Sha256Digest hash;
  std::copy(fifth.previous_hash().begin(), fifth.previous_hash().end(), hash.begin());
  sink.evictions = {{.run_id = "old", .gaps = {{1, 2, {}}, {3, 4, hash}}, .records = 4}};
  v1::StreamId stream;
  stream.set_run_id("new");
  Recorder recorder(stream, Clock::Real(), sink);
  ASSERT_TRUE(recorder.FlushLosses().ok());
  ASSERT_TRUE(Insert(sink.records.at(0)).ok());
  EXPECT_THAT(Findings(), testing::IsEmpty());
}

TEST_F(StoreTest, RunOfWhichNothingArrivedIsMissedWhereTheNextOneKnewIt) {
  MemorySink sink;
  v1::StreamId stream;
  stream.set_run_id("new");
  Recorder recorder(stream, Clock::Real(), sink);
  v1::Envelope started;
  started.mutable_daemon()->set_state("started");
  started.mutable_daemon()->set_previous_run_id("old");
  started.mutable_daemon()->set_previous_last_sequence(5);
  started.mutable_daemon()->set_previous_last_hash(std::string(32, '\0'));
  ASSERT_TRUE(recorder.Record(started).ok());
  ASSERT_TRUE(Insert(sink.records[0]).ok());
  EXPECT_THAT(Findings(), testing::ElementsAre("missing old 1-5"));
  sink.evictions = {{.run_id = "old", .gaps = {{1, 5, {}}}, .records = 5}};
  ASSERT_TRUE(recorder.FlushLosses().ok());
  ASSERT_TRUE(Insert(sink.records[1]).ok());
  EXPECT_THAT(Findings(), testing::IsEmpty()) << "declared, with the hash that the next run saw";
}

TEST_F(StoreTest, SessionsAreSummedUp) {
  MemorySink sink;
  v1::StreamId stream;
  stream.set_host("web-1");
  stream.set_host_id("id-1");
  stream.set_run_id("a");
  Recorder recorder(stream, Clock::Real(), sink);
  v1::Envelope started, held, refused, ended;
  for (v1::Envelope* event : {&started, &held, &refused, &ended}) event->set_session("s-1");
  started.mutable_session_started()->set_coding_agent("codex");
  started.mutable_session_started()->mutable_environment()->set_environment("staging");
  held.mutable_exec()->set_held(true);
  held.mutable_exec()->mutable_judgement()->set_verdict(v1::VERDICT_HOLD);
  refused.mutable_connect()->mutable_judgement()->set_verdict(v1::VERDICT_REFUSE);
  ended.mutable_session_ended()->set_reason("exited");
  for (v1::Envelope* event : {&started, &held, &refused, &ended}) ASSERT_TRUE(recorder.Record(*event).ok());
  // The start arrives last: the row is the same.
  for (const int i : {1, 2, 3, 0, 0}) ASSERT_TRUE(Insert(sink.records[static_cast<size_t>(i)]).ok());
  ASSERT_TRUE(store_->Commit().ok());
  auto query = Query::Open(path_);
  const auto rows = query->Sessions();
  ASSERT_EQ(rows->size(), 1u);
  const SessionRow& row = rows->at(0);
  EXPECT_EQ(row.host, "web-1");
  EXPECT_EQ(row.coding_agent, "codex");
  EXPECT_EQ(row.environment, "staging");
  EXPECT_EQ(row.events, 4);
  EXPECT_EQ(row.held, 1);
  EXPECT_EQ(row.refused, 1);
  EXPECT_EQ(row.end_reason, "exited");
  EXPECT_TRUE(row.started_unix_ns.has_value());
  EXPECT_TRUE(row.ended_unix_ns.has_value());

  std::vector<std::string> types;
  ASSERT_TRUE(query
                  ->Events({.session = "s-1", .type = "", .host = "", .min_verdict = v1::VERDICT_REFUSE},
                           [&](absl::string_view, absl::string_view record) {
                             v1::Envelope event;
                             ASSERT_TRUE(event.ParseFromArray(record.data(), static_cast<int>(record.size())));
                             types.push_back(absl::StrCat(event.sequence()));
                           })
                  .ok());
  EXPECT_THAT(types, testing::ElementsAre("3"));
}

TEST_F(StoreTest, OtherPeoplesDatabaseIsLeftAlone) {
  const std::string other = root_ + "/other.db";
  ASSERT_TRUE(Database::Open(other, Database::Mode::kWrite)->Execute("CREATE TABLE mine(x)").ok());
  const auto store = Store::Open(other);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(store.status().message(), HasSubstr("use another --db"));
  std::ofstream(root_ + "/text") << "this is no database, and quite a bit longer than sixteen bytes";
  EXPECT_EQ(Store::Open(root_ + "/text").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Query::Open(root_ + "/none").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace holdpoint
