#include "agent/event/heartbeat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "agent/event/recorder.h"

namespace holdpoint {
namespace {

class HeartbeatTest : public testing::Test {
 protected:
  HeartbeatTest() {
    char name[] = "/tmp/holdpoint-heartbeat-XXXXXX";
    root_ = mkdtemp(name);
    path_ = root_ + "/heartbeat.key";
  }
  ~HeartbeatTest() override { std::filesystem::remove_all(root_); }

  std::string root_, path_;
};

TEST_F(HeartbeatTest, AKeyIsMadeOnceAndIsRootsAlone) {
  const auto made = HeartbeatKey::ReadOrMake(path_);
  ASSERT_TRUE(made.ok()) << made.status();
  struct stat about {};
  ASSERT_EQ(stat(path_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0600u);
  const auto again = HeartbeatKey::ReadOrMake(path_);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->public_key(), made->public_key());
  std::filesystem::remove(path_);
  const auto other = HeartbeatKey::ReadOrMake(path_);
  ASSERT_TRUE(other.ok());
  EXPECT_NE(other->public_key(), made->public_key());
}

TEST_F(HeartbeatTest, AKeyThatOthersMayUseOrThatIsNoneIsRefused) {
  ASSERT_TRUE(HeartbeatKey::ReadOrMake(path_).ok());
  chmod(path_.c_str(), 0640);
  EXPECT_THAT(HeartbeatKey::Read(path_).status().message(), testing::HasSubstr("chmod 600"));
  EXPECT_EQ(HeartbeatKey::ReadOrMake(path_).status().code(), absl::StatusCode::kFailedPrecondition);
  chmod(path_.c_str(), 0600);
  std::ofstream(path_) << "not a key";
  EXPECT_THAT(HeartbeatKey::Read(path_).status().message(), testing::HasSubstr("Ed25519"));
  EXPECT_EQ(HeartbeatKey::Read(path_ + "x").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(HeartbeatTest, OnlyTheRightKeyAndTheRightBytesVerify) {
  const auto key = HeartbeatKey::ReadOrMake(path_);
  const auto other = HeartbeatKey::ReadOrMake(root_ + "/other.key");
  ASSERT_TRUE(key.ok() && other.ok());
  const std::string signature = key->Sign("statement");
  ASSERT_EQ(signature.size(), 64u);
  for (const std::string& text : {key->public_key(), key->PublicPem()}) {
    const auto verifier = HeartbeatPublicKey::Parse(text);
    ASSERT_TRUE(verifier.ok()) << verifier.status();
    EXPECT_TRUE(verifier->Verifies("statement", signature));
    EXPECT_FALSE(verifier->Verifies("statemenu", signature));
    EXPECT_FALSE(verifier->Verifies("statement", signature.substr(1)));
    EXPECT_FALSE(verifier->Verifies("statement", other->Sign("statement")));
    EXPECT_EQ(verifier->fingerprint(), KeyFingerprint(key->public_key()));
  }
  for (const char* bad : {"", "x", "AAAA", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}) {
    EXPECT_FALSE(HeartbeatPublicKey::Parse(bad).ok()) << bad;
  }
}

// Keeps what it gets.
struct Kept : RecordSink {
  absl::Status Append(uint64_t, absl::string_view record, RecordClass) override {
    records.emplace_back(record);
    return absl::OkStatus();
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  void NoteUnwritten(const SequenceGap&) override {}
  std::vector<Eviction> TakeEvictions() override { return {}; }
  void EvictionsDeclared() override {}
  std::vector<std::string> records;
};

TEST_F(HeartbeatTest, StatementIsFoundInTheRecordAsItWasSigned) {
  const auto key = HeartbeatKey::ReadOrMake(path_);
  ASSERT_TRUE(key.ok());
  Kept kept;
  v1::StreamId stream;
  stream.set_run_id("run-1");
  Recorder recorder(stream, Clock::Real(), kept);
  v1::Envelope event;
  event.mutable_rollup()->set_count(1);
  ASSERT_TRUE(recorder.Record(event).ok());
  const Recorder::Head head = recorder.head();

  v1::Envelope heartbeat;
  heartbeat.mutable_heartbeat()->set_sequence(1);
  ASSERT_TRUE(recorder.Record(heartbeat, [&](const Recorder::Head& before, v1::Envelope& e) {
    v1::HeartbeatStatement& statement = *e.mutable_heartbeat()->mutable_statement();
    statement.set_chain_sequence(before.sequence);
    statement.set_chain_hash(before.hash.data(), before.hash.size());
    for (const char* name : {"bytes", "records"}) statement.add_counts()->set_name(name);
    e.mutable_heartbeat()->set_signature(key->Sign(statement.SerializeAsString()));
  }).ok());

  const std::string& record = kept.records.at(1);
  const auto bytes = StatementBytes(record);
  ASSERT_TRUE(bytes.has_value());
  v1::Envelope read;
  ASSERT_TRUE(ParseRecord(record, &read));
  EXPECT_TRUE(HeartbeatPublicKey::Parse(key->public_key())->Verifies(*bytes, read.heartbeat().signature()));
  EXPECT_EQ(read.heartbeat().statement().chain_sequence(), head.sequence);
  EXPECT_EQ(read.heartbeat().statement().chain_hash(), read.previous_hash());
  EXPECT_FALSE(StatementBytes(kept.records.at(0)).has_value());
  for (size_t size = 0; size < record.size(); ++size) StatementBytes(absl::string_view(record).substr(0, size));
}

TEST_F(HeartbeatTest, AStatementThatComesTwiceIsNone) {
  v1::Envelope event;
  event.mutable_heartbeat()->mutable_statement()->set_heartbeat(1);
  const std::string one = event.SerializeAsString();
  EXPECT_TRUE(StatementBytes(one).has_value());
  EXPECT_FALSE(StatementBytes(one + one).has_value());
}

}  // namespace
}  // namespace holdpoint
