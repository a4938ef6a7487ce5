#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
// clang-format off: the mock header wants the other one first.
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
// clang-format on

#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"
#include "agent/event/recorder.h"
#include "agent/spool/spool.h"
#include "agent/stream/drain.h"
#include "agent/stream/producer.h"
#include "agent/stream/settings.h"
#include "agent/stream/tracker.h"

namespace holdpoint {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(TrackerTest, CursorMovesOnlyOverRecordsWithNothingUndeliveredBefore) {
  DeliveryTracker tracker({.next_sequence = {{"a", 5}}});
  const uint64_t five = tracker.Add("a", 5), six = tracker.Add("a", 6), next_run = tracker.Add("b", 1);
  tracker.Delivered(six);
  tracker.Delivered(next_run);
  EXPECT_EQ(tracker.cursor().Next("a"), 5u);
  EXPECT_EQ(tracker.cursor().Next("b"), 1u);
  EXPECT_EQ(tracker.in_flight(), 3u);
  tracker.Delivered(five);
  EXPECT_EQ(tracker.cursor().Next("a"), 7u);
  EXPECT_EQ(tracker.cursor().Next("b"), 2u);
  EXPECT_EQ(tracker.in_flight(), 0u);
  EXPECT_EQ(tracker.delivered(), 3u);
  tracker.Delivered(five);  // Once more does nothing.
  tracker.Delivered(99);
  EXPECT_EQ(tracker.delivered(), 3u);
}

TEST(SettingsTest, GuaranteesCannotBeSetAway) {
  KafkaSettings settings;
  for (const char* text : {"acks=1", "enable.idempotence=false", "message.timeout.ms=1", "bootstrap.servers=x"}) {
    EXPECT_EQ(AddKafkaSetting(text, &settings).code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_TRUE(settings.empty());
  ASSERT_TRUE(AddKafkaSetting("ssl.ca.location=/ca=1.pem", &settings).ok());
  const KafkaSettings all = ProducerSettings("h:1", settings, "gzip,lz4,zstd");
  EXPECT_EQ(all.at("acks"), "all");
  EXPECT_EQ(all.at("enable.idempotence"), "true");
  EXPECT_EQ(all.at("ssl.ca.location"), "/ca=1.pem");
  EXPECT_EQ(all.at("compression.codec"), "zstd");
  EXPECT_EQ(ProducerSettings("h:1", {}, "gzip,lz4").at("compression.codec"), "lz4");
  EXPECT_EQ(ProducerSettings("h:1", {}, "").at("compression.codec"), "none");
}

TEST(SettingsTest, SecretsComeFromAFileAndAreNeverShown) {
  KafkaSettings settings;
  const absl::Status status = AddKafkaSetting("sasl.password=hunter2", &settings);
  EXPECT_THAT(status.message(), HasSubstr("set sasl.password.file"));
  EXPECT_THAT(status.message(), testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(AddKafkaSetting("hunter2", &settings).message(), testing::Not(HasSubstr("hunter2")));
  char name[] = "/tmp/holdpoint-settings-XXXXXX";
  close(mkstemp(name));
  std::ofstream(name) << " hunter2\n";
  ASSERT_TRUE(AddKafkaSetting(absl::StrCat("sasl.password.file=", name), &settings).ok());
  EXPECT_EQ(settings.at("sasl.password"), "hunter2");
  EXPECT_EQ(settings.size(), 1u);
  EXPECT_EQ(AddKafkaSetting(absl::StrCat("acks.file=", name), &settings).code(), absl::StatusCode::kInvalidArgument);
  unlink(name);
  EXPECT_EQ(AddKafkaSetting(absl::StrCat("sasl.password.file=", name), &settings).code(), absl::StatusCode::kNotFound);
}

TEST(SettingsTest, ASecretThatOthersMayReadIsRefused) {
  char name[] = "/tmp/holdpoint-settings-XXXXXX";
  close(mkstemp(name));
  std::ofstream(name) << "hunter2";
  chmod(name, 0640);
  KafkaSettings settings;
  const absl::Status status = AddKafkaSetting(absl::StrCat("sasl.password.file=", name), &settings);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("chmod 600"));
  EXPECT_TRUE(AddKafkaSetting(absl::StrCat("client.id.file=", name), &settings).ok());  // No secret.
  unlink(name);
}

TEST(SettingsTest, AwayFromThisHostTlsWithACertificateIsTheDefault) {
  EXPECT_EQ(ProducerSettings("kafka-1:9093", {}, "").at("security.protocol"), "ssl");
  EXPECT_EQ(ProducerSettings("127.0.0.1:1,kafka-1:9093", {}, "").at("security.protocol"), "ssl");
  EXPECT_FALSE(ProducerSettings("127.0.0.1:9092,localhost:9093", {}, "").contains("security.protocol"));
  EXPECT_EQ(ProducerSettings("k:1", {{"security.protocol", "plaintext"}}, "").at("security.protocol"), "plaintext");

  const auto check = [](const KafkaSettings& settings) {
    return std::string(CheckIdentity(ProducerSettings("k:1", settings, ""), "sasl_oauthbearer").message());
  };
  EXPECT_THAT(check({}), HasSubstr("ssl.certificate.location"));
  EXPECT_EQ(check({{"ssl.certificate.location", "/host.pem"}}), "");
  EXPECT_EQ(check({{"security.protocol", "plaintext"}}), "");
  EXPECT_THAT(check({{"security.protocol", "sasl_plaintext"}, {"sasl.mechanism", "PLAIN"}}), HasSubstr("sasl_ssl"));
  EXPECT_THAT(check({{"security.protocol", "SASL_SSL"}}), HasSubstr("wants sasl.mechanism"));
  EXPECT_EQ(check({{"security.protocol", "sasl_ssl"}, {"sasl.mechanisms", "PLAIN"}}), "");
  const KafkaSettings oidc = {
      {"security.protocol", "sasl_ssl"}, {"sasl.mechanism", "OAUTHBEARER"}, {"sasl.oauthbearer.method", "oidc"}};
  EXPECT_THAT(check(oidc), HasSubstr("without OIDC"));
  EXPECT_TRUE(CheckIdentity(ProducerSettings("k:1", oidc, ""), "oauthbearer_oidc").ok());
}

TEST(SettingsTest, ScramTrapIsNamedForOldLibrariesOnly) {
  const KafkaSettings scram = {{"sasl.mechanisms", "SCRAM-SHA-512"}};
  EXPECT_THAT(ScramTrap(0x020002ff, scram), HasSubstr("librdkafka 2.0.2"));
  EXPECT_EQ(ScramTrap(0x020601ff, scram), "");
  EXPECT_EQ(ScramTrap(0x020002ff, {{"sasl.mechanisms", "PLAIN"}}), "");
  EXPECT_EQ(ScramTrap(0x020002ff, {}), "");
}

// A cluster of brokers inside of librdkafka; the real broker is met by the end-to-end test.
class DrainTest : public testing::Test {
 protected:
  static constexpr char kTopic[] = "events";

  DrainTest() {
    char name[] = "/tmp/holdpoint-drain-XXXXXX";
    root_ = mkdtemp(name);
    spool_ = root_ + "/spool";
    cursor_ = root_ + "/cursor";
    char error[256];
    host_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), error, sizeof(error));
    mock_ = rd_kafka_mock_cluster_new(host_, 1);
    rd_kafka_mock_topic_create(mock_, kTopic, 3, 1);
  }
  ~DrainTest() override {
    rd_kafka_mock_cluster_destroy(mock_);
    rd_kafka_destroy(host_);
    fs::remove_all(root_);
  }

  void WriteRun(const std::string& run_id, int count) {
    auto spool = Spool::Open(spool_, run_id, {.segment_bytes = 16 * 1024});
    ASSERT_TRUE(spool.ok()) << spool.status();
    v1::StreamId stream;
    stream.set_host_id("host-1");
    stream.set_run_id(run_id);
    Recorder recorder(stream, Clock::Real(), **spool);
    for (int i = 0; i < count; ++i) {
      v1::Envelope event;
      if (i % 4 != 0) event.set_session(absl::StrCat("s-", i % 4));
      event.mutable_rollup()->set_count(static_cast<uint64_t>(i));
      ASSERT_TRUE(recorder.Record(event).ok());
    }
  }

  // Drains to `brokers`, the topic kTopic, with copies where those have a topic.
  DrainOptions ToBrokers(const std::string& brokers, const KafkaSettings& extra = {}) {
    KafkaOptions kafka;
    kafka.settings = ProducerSettings(brokers, extra, KafkaFeatures());
    kafka.events.name = kTopic;
    kafka.heartbeats.name = heartbeats_;
    return {.spool_dir = spool_, .cursor_path = cursor_, .make_sink = [kafka](Sink::Reports reports) {
              return absl::StatusOr<std::unique_ptr<Sink>>(KafkaSink::Create(kafka, std::move(reports)));
            }};
  }

  absl::Status DrainOnce(uint64_t* delivered, KafkaSettings extra = {}) {
    DrainOptions options = ToBrokers(rd_kafka_mock_cluster_bootstraps(mock_), extra);
    options.once = true;
    Drain drain(std::move(options));
    const absl::Status status = drain.Run();
    *delivered = drain.counts().delivered;
    counts_ = drain.counts();
    return status;
  }

  struct Message {
    std::string key, value;
    std::map<std::string, std::string> headers;
    int32_t partition;
  };

  // Everything in a topic of three partitions.
  std::vector<Message> Consume(const char* topic = kTopic) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    char error[256];
    rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(mock_), error, sizeof(error));
    rd_kafka_conf_set(conf, "group.id", "test", error, sizeof(error));
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", error, sizeof(error));
    rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(3);
    for (int32_t p = 0; p < 3; ++p) {
      rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    std::vector<Message> all;
    for (int ended = 0; ended < 3;) {
      rd_kafka_message_t* m = rd_kafka_consumer_poll(consumer, 30'000);
      if (m == nullptr) {
        ADD_FAILURE() << "nothing from the mock broker for 30 s";
        break;
      }
      if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        ++ended;
      } else if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        Message message{std::string(static_cast<const char*>(m->key), m->key_len),
                        std::string(static_cast<const char*>(m->payload), m->len),
                        {},
                        m->partition};
        rd_kafka_headers_t* headers = nullptr;
        rd_kafka_message_headers(m, &headers);
        const char* name;
        const void* value;
        size_t size;
        for (size_t i = 0; headers != nullptr && rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; ++i) {
          message.headers[name] = std::string(static_cast<const char*>(value), size);
        }
        all.push_back(std::move(message));
      }
      rd_kafka_message_destroy(m);
    }
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return all;
  }

  std::string root_, spool_, cursor_, heartbeats_;
  DrainCounts counts_;
  rd_kafka_t* host_;
  rd_kafka_mock_cluster_t* mock_;
};

TEST_F(DrainTest, EveryRecordArrivesOnceInOrderOfItsKeyWithTheBytesOfTheSpool) {
  WriteRun("a", 300);
  WriteRun("b", 50);
  uint64_t delivered = 0;
  ASSERT_TRUE(DrainOnce(&delivered).ok());
  EXPECT_EQ(delivered, 350u);

  const std::vector<Message> all = Consume();
  ASSERT_EQ(all.size(), 350u);
  std::map<std::string, std::pair<std::string, uint64_t>> last;  // by key
  std::map<std::string, int32_t> partition;
  for (const Message& m : all) {
    v1::Envelope event;
    ASSERT_TRUE(event.ParseFromString(m.value));
    EXPECT_EQ(m.key, event.session().empty() ? "host-1" : event.session());
    EXPECT_EQ(m.headers.at("ce_id"), absl::StrCat(event.stream().run_id(), "/", event.sequence()));
    EXPECT_EQ(m.headers.at("ce_type"), "holdpoint.v1.rollup");
    EXPECT_EQ(m.headers.at("content-type"), "application/protobuf");
    const auto place = std::make_pair(event.stream().run_id(), event.sequence());
    EXPECT_LT(last[m.key], place);
    last[m.key] = place;
    EXPECT_EQ(partition.emplace(m.key, m.partition).first->second, m.partition);
  }
  EXPECT_EQ(ReadCursor(cursor_)->Next("a"), 301u);
  EXPECT_EQ(ReadCursor(cursor_)->Next("b"), 51u);

  ASSERT_TRUE(DrainOnce(&delivered).ok());  // Nothing is sent twice.
  EXPECT_EQ(delivered, 0u);
}

TEST_F(DrainTest, BrokerErrorsAreRetriedWithoutLossOrRepetition) {
  WriteRun("a", 500);
  constexpr int16_t kProduce = 0;
  rd_kafka_mock_push_request_errors(mock_, kProduce, 4, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                                    RD_KAFKA_RESP_ERR__TRANSPORT);
  uint64_t delivered = 0;
  ASSERT_TRUE(DrainOnce(&delivered, {{"retry.backoff.ms", "1"}, {"reconnect.backoff.ms", "1"}}).ok());
  EXPECT_EQ(delivered, 500u);
  EXPECT_EQ(Consume().size(), 500u);
}

TEST_F(DrainTest, RecordTooLargeForTheBrokerDoesNotBlockWhatFollows) {
  WriteRun("a", 3);
  {
    auto spool = Spool::Open(spool_, "b");
    v1::StreamId stream;
    stream.set_run_id("b");
    Recorder recorder(stream, Clock::Real(), **spool);
    v1::Envelope event;
    event.mutable_rollup()->set_subject(std::string(9000, 'x'));
    ASSERT_TRUE(recorder.Record(event).ok());
    event.mutable_rollup()->set_subject("small");
    ASSERT_TRUE(recorder.Record(event).ok());
  }
  uint64_t delivered = 0;
  ASSERT_TRUE(DrainOnce(&delivered, {{"message.max.bytes", "4000"}}).ok());
  EXPECT_EQ(counts_.undeliverable, 1u);
  EXPECT_EQ(ReadCursor(cursor_)->Next("b"), 3u);

  const std::vector<Message> all = Consume();
  ASSERT_EQ(all.size(), 5u);
  int stand_ins = 0;
  for (const Message& m : all) {
    v1::Envelope event;
    ASSERT_TRUE(event.ParseFromString(m.value));
    if (!event.has_tombstone()) continue;
    ++stand_ins;
    EXPECT_EQ(event.sequence(), 1u);
    EXPECT_EQ(event.tombstone().first_sequence(), 1u);
    EXPECT_EQ(event.tombstone().last_sequence(), 1u);
    EXPECT_EQ(event.tombstone().last_hash().size(), 32u);
  }
  EXPECT_EQ(stand_ins, 1);
}

TEST_F(DrainTest, StopsWhileTheBrokersAreAwayAndKeepsTheCursor) {
  WriteRun("a", 10);
  int stop[2];
  ASSERT_EQ(pipe(stop), 0);
  close(stop[1]);  // Hang-up: stop at the first look.
  DrainOptions options = ToBrokers("127.0.0.1:1");
  options.stop_fd = stop[0];
  Drain drain(std::move(options));
  EXPECT_TRUE(drain.Run().ok());
  EXPECT_EQ(drain.counts().delivered, 0u);
  EXPECT_TRUE(ReadCursor(cursor_)->next_sequence.empty());
  close(stop[0]);
}

TEST_F(DrainTest, UnknownPropertyIsSaidByName) {
  WriteRun("a", 1);
  uint64_t delivered = 0;
  const absl::Status status = DrainOnce(&delivered, {{"no.such.thing", "1"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("no.such.thing"));
}

TEST_F(DrainTest, HeartbeatsAreCopiedIntoTheirTopicAndStayInTheEvents) {
  heartbeats_ = "heartbeats";
  rd_kafka_mock_topic_create(mock_, "heartbeats", 3, 1);
  WriteRun("a", 5);
  {
    auto spool = Spool::Open(spool_, "b");
    v1::StreamId stream;
    stream.set_run_id("b");
    Recorder recorder(stream, Clock::Real(), **spool);
    for (uint64_t n = 1; n <= 3; ++n) {
      v1::Envelope event;
      event.mutable_heartbeat()->set_sequence(n);
      ASSERT_TRUE(recorder.Record(event).ok());
    }
  }
  uint64_t delivered = 0;
  ASSERT_TRUE(DrainOnce(&delivered).ok());
  EXPECT_EQ(delivered, 8u);
  EXPECT_EQ(Consume().size(), 8u);
  EXPECT_EQ(Consume("heartbeats").size(), 3u);
}

// A receiver that does what the test says.
class FakeSink final : public Sink {
 public:
  FakeSink(Reports reports, std::function<absl::Status(uint64_t, absl::string_view)> take)
      : reports_(std::move(reports)), take_(std::move(take)) {}
  absl::Status Put(uint64_t number, absl::string_view bytes) override {
    const absl::Status status = take_(number, bytes);
    if (absl::IsUnavailable(status)) return status;
    reports_.delivered(number, status);
    return absl::OkStatus();
  }
  void Poll() override {}
  int wait_fd() const override { return -1; }
  void Flush(absl::Duration) override {}

 private:
  Reports reports_;
  std::function<absl::Status(uint64_t, absl::string_view)> take_;
};

TEST_F(DrainTest, ASinkOfNoUseIsMadeAnewAndBeginsBehindTheLastThatWasFreed) {
  WriteRun("a", 10);
  int sinks = 0;
  std::vector<uint64_t> taken;
  DrainOptions options{.spool_dir = spool_, .cursor_path = cursor_, .make_sink = {}, .once = true};
  options.first_pause = absl::Milliseconds(1);
  options.make_sink = [&](Sink::Reports reports) -> absl::StatusOr<std::unique_ptr<Sink>> {
    if (++sinks == 2) return absl::UnavailableError("the registry does not answer");
    return std::make_unique<FakeSink>(std::move(reports), [&](uint64_t, absl::string_view bytes) {
      v1::Envelope event;
      EXPECT_TRUE(ParseRecord(bytes, &event));
      if (sinks == 1 && event.sequence() == 5) return absl::AbortedError("the disk of the other side is full");
      taken.push_back(event.sequence());
      return absl::OkStatus();
    });
  };
  Drain drain(std::move(options));
  ASSERT_TRUE(drain.Run().ok());
  EXPECT_EQ(sinks, 3);
  EXPECT_THAT(taken, testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  EXPECT_EQ(drain.counts().restarts, 2u);
  EXPECT_EQ(drain.counts().delivered, 10u);
  EXPECT_EQ(drain.counts().trouble.at("the registry does not answer"), 1u);
}

}  // namespace
}  // namespace holdpoint
