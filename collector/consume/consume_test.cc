#include "collector/consume/consume.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
// clang-format off: the mock header wants the other one first.
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
// clang-format on

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "agent/event/recorder.h"
#include "agent/spool/spool.h"
#include "agent/stream/drain.h"
#include "agent/stream/producer.h"
#include "collector/consume/kafka_source.h"
#include "collector/consume/spool_source.h"
#include "collector/store/query.h"

namespace holdpoint {
namespace {

class ConsumeTest : public testing::Test {
 protected:
  ConsumeTest() {
    char name[] = "/tmp/holdpoint-consume-XXXXXX";
    root_ = mkdtemp(name);
    spool_ = root_ + "/spool";
    db_ = root_ + "/c.db";
  }
  ~ConsumeTest() override {
    if (mock_ != nullptr) rd_kafka_mock_cluster_destroy(mock_);
    if (host_ != nullptr) rd_kafka_destroy(host_);
    std::filesystem::remove_all(root_);
  }

  void WriteRun(const std::string& run_id, int count) {
    auto spool = Spool::Open(spool_, run_id, {.segment_bytes = 16 * 1024});
    ASSERT_TRUE(spool.ok()) << spool.status();
    v1::StreamId stream;
    stream.set_host("web-1");
    stream.set_host_id("host-1");
    stream.set_run_id(run_id);
    Recorder recorder(stream, Clock::Real(), **spool);
    for (int i = 0; i < count; ++i) {
      v1::Envelope event;
      if (i % 5 != 0) event.set_session(absl::StrCat("s-", i % 5));
      event.mutable_rollup()->set_count(static_cast<uint64_t>(i));
      ASSERT_TRUE(recorder.Record(event).ok());
    }
  }

  void StartBrokers() {
    char error[256];
    host_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), error, sizeof(error));
    mock_ = rd_kafka_mock_cluster_new(host_, 1);
    rd_kafka_mock_topic_create(mock_, "events", 3, 1);
    brokers_ = rd_kafka_mock_cluster_bootstraps(mock_);
  }

  void DrainToTopic(const std::string& cursor) {
    KafkaOptions kafka;
    kafka.settings = ProducerSettings(brokers_, {}, KafkaFeatures());
    kafka.events.name = "events";
    Drain drain({.spool_dir = spool_,
                 .cursor_path = root_ + "/" + cursor,
                 .make_sink = [&kafka](Sink::Reports reports) {
                   return absl::StatusOr<std::unique_ptr<Sink>>(KafkaSink::Create(kafka, std::move(reports)));
                 },
                 .once = true});
    ASSERT_TRUE(drain.Run().ok());
  }

  Store::Counts ConsumeTopic(const ConsumeOptions& options) {
    auto store = Store::Open(db_);
    EXPECT_TRUE(store.ok()) << store.status();
    // The mock broker keeps a member that has left until its session ends: a short session, or the next one waits.
    auto source = KafkaSource::Open({.brokers = brokers_,
                                     .topic = "events",
                                     .group = "g",
                                     .settings = {{"session.timeout.ms", "5000"}}},
                                    **store);
    EXPECT_TRUE(source.ok()) << source.status();
    const absl::Status status = Consume(**source, **store, options);
    EXPECT_TRUE(status.ok()) << status;
    return (*store)->counts();
  }

  std::vector<StreamRow> Streams() { return *Query::Open(db_)->Streams(); }

  std::string root_, spool_, db_, brokers_;
  rd_kafka_t* host_ = nullptr;
  rd_kafka_mock_cluster_t* mock_ = nullptr;
};

TEST_F(ConsumeTest, SpoolIsTakenOnceAndVerified) {
  WriteRun("a", 120);
  for (const uint64_t stored : {120u, 0u}) {
    auto store = Store::Open(db_);
    ASSERT_TRUE(store.ok());
    auto source = SpoolSource::Open(spool_, **store);
    ASSERT_TRUE(source.ok()) << source.status();
    ASSERT_TRUE(Consume(**source, **store, {.until_idle = true, .batch = 50, .stopped = {}}).ok());
    EXPECT_EQ((*store)->counts().stored, stored);
    EXPECT_EQ((*store)->counts().duplicates, 0u);  // The offsets are kept: nothing is read again.
  }
  EXPECT_EQ(Streams().at(0).verified_to, 120);
  EXPECT_EQ(Query::Open(db_)->Sessions()->size(), 4u);
}

TEST_F(ConsumeTest, MissingSpoolIsSaid) {
  auto store = Store::Open(db_);
  ASSERT_TRUE(store.ok());
  EXPECT_EQ(SpoolSource::Open(spool_, **store).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ConsumeTest, TopicWithEverythingTwiceIsStoredOnceWithTheChainWhole) {
  StartBrokers();
  WriteRun("a", 200);
  WriteRun("b", 30);
  DrainToTopic("cursor-1");
  DrainToTopic("cursor-2");  // A lost cursor: the whole spool once more.
  const Store::Counts counts = ConsumeTopic({.until_idle = true, .batch = 64, .stopped = {}});
  EXPECT_EQ(counts.stored, 230u);
  EXPECT_EQ(counts.duplicates, 230u);
  EXPECT_TRUE(Query::Open(db_)->Findings()->empty());
  ASSERT_EQ(Streams().size(), 2u);
  EXPECT_EQ(Streams().at(0).verified_to, 200);
}

TEST_F(ConsumeTest, GoesOnWhereItsTransactionsEnded) {
  StartBrokers();
  WriteRun("a", 100);
  DrainToTopic("cursor");
  int seen = 0;
  const Store::Counts first = ConsumeTopic({.until_idle = true, .batch = 10, .stopped = [&] { return ++seen >= 35; }});
  EXPECT_GT(first.stored, 0u);
  EXPECT_LE(first.stored, 35u);
  const Store::Counts rest = ConsumeTopic({.until_idle = true, .batch = 10, .stopped = {}});
  EXPECT_EQ(first.stored + rest.stored, 100u);
  EXPECT_EQ(rest.duplicates, 0u);
  EXPECT_TRUE(Query::Open(db_)->Findings()->empty());
}

}  // namespace
}  // namespace holdpoint
