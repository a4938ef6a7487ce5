#include "collector/verify/topic_verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "agent/event/framing.h"
#include "agent/event/recorder.h"

namespace holdpoint {
namespace {

using Kind = TopicFinding::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kTopic[] = "events";

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

class FixedClock final : public Clock {
 public:
  BootTime Boot() const override { return {1'000'000'000}; }
  absl::Time Wall() const override { return now; }
  absl::Time now = absl::FromUnixSeconds(1'700'000'000);
};

struct Message {
  std::string value;
  int32_t partition = 0;
  std::string topic = kTopic;
  absl::Time appended = absl::InfinitePast();
};

// A host with a key and one run: started, a heartbeat, `count` records of three sessions, a heartbeat, perhaps an end.
class TopicVerifierTest : public testing::Test {
 protected:
  static std::string MakeFolder() {
    char name[] = "/tmp/holdpoint-topic-XXXXXX";
    return mkdtemp(name);
  }
  ~TopicVerifierTest() override { std::filesystem::remove_all(root_); }

  void Beat(Recorder& recorder, const HeartbeatKey& key, absl::string_view state) {
    v1::Envelope event;
    event.mutable_heartbeat()->set_sequence(1);
    ASSERT_TRUE(recorder.Record(event, [&](const Recorder::Head& head, v1::Envelope& e) {
      v1::HeartbeatStatement& statement = *e.mutable_heartbeat()->mutable_statement();
      *statement.mutable_stream() = recorder.stream();
      statement.set_chain_sequence(head.sequence);
      statement.set_chain_hash(head.hash.data(), head.hash.size());
      statement.set_time_unix_ns(absl::ToUnixNanos(clock_.now));
      statement.set_interval_seconds(30);
      statement.set_state(std::string(state));
      v1::Count& loss = *statement.add_losses();
      loss.set_name("ring/full");
      loss.set_value(3);
      e.mutable_heartbeat()->set_signature(key.Sign(statement.SerializeAsString()));
    }).ok());
  }

  // Its records, 1 to count + 4.
  std::vector<std::string> Run(const std::string& run_id, int count, const HeartbeatKey& key, bool ends = true,
                               const std::string& previous = "", uint64_t previous_last = 0,
                               const std::string& previous_hash = "") {
    Kept kept;
    v1::StreamId stream;
    stream.set_host("web-1");
    stream.set_host_id("host-1");
    stream.set_run_id(run_id);
    Recorder recorder(stream, clock_, kept);
    v1::Envelope started;
    started.mutable_daemon()->set_state("started");
    started.mutable_daemon()->set_heartbeat_key(key.public_key());
    started.mutable_daemon()->set_previous_run_id(previous);
    started.mutable_daemon()->set_previous_last_sequence(previous_last);
    started.mutable_daemon()->set_previous_last_hash(previous_hash);
    EXPECT_TRUE(recorder.Record(started).ok());
    Beat(recorder, key, "running");
    for (int i = 0; i < count; ++i) {
      v1::Envelope event;
      event.set_session(absl::StrCat("s-", i % 3));
      event.mutable_rollup()->set_count(static_cast<uint64_t>(i));
      EXPECT_TRUE(recorder.Record(event).ok());
    }
    Beat(recorder, key, "running");
    if (ends) Beat(recorder, key, "stopping");
    clock_.now += absl::Minutes(1);
    return kept.records;
  }

  // As a stream delivers them: three partitions, by session; host events in partition 0.
  static std::vector<Message> Deliver(const std::vector<std::string>& records) {
    std::vector<Message> messages;
    for (const std::string& record : records) {
      v1::Envelope event;
      ParseRecord(record, &event);
      messages.push_back({record, event.session().empty() ? 0 : event.session().back() - '0'});
    }
    return messages;
  }

  TopicReport Verify(const std::vector<Message>& messages) {
    TopicVerifier verifier({.topic = kTopic, .keys = keys_, .now = clock_.now});
    std::map<std::pair<std::string, int32_t>, int64_t> offsets;
    for (const Message& m : messages) {
      verifier.Add({.value = m.value,
                    .topic = m.topic,
                    .partition = m.partition,
                    .offset = offsets[{m.topic, m.partition}]++,
                    .appended = m.appended});
    }
    for (const int32_t partition : cut_) verifier.BeginIsGone(kTopic, partition);
    return verifier.Finish();
  }

  // "KIND FIRST-LAST" of each.
  static std::vector<std::string> Findings(const TopicReport& report) {
    std::vector<std::string> all;
    for (const TopicFinding& f : report.findings) {
      all.push_back(absl::StrCat(TopicFindingName(f.kind), " ", f.first, "-", f.last));
    }
    return all;
  }
  std::vector<std::string> FindingsOf(const std::vector<Message>& messages) { return Findings(Verify(messages)); }

  // The index of the message with record `sequence`.
  static size_t At(const std::vector<Message>& messages, uint64_t sequence) {
    for (size_t i = 0; i < messages.size(); ++i) {
      v1::Envelope event;
      ParseRecord(messages[i].value, &event);
      if (event.sequence() == sequence) return i;
    }
    return messages.size();
  }

  // The records from `index` on, chained anew as somebody does who changed that one and can write everything behind it.
  static void Rechain(std::vector<std::string>* records, size_t index) {
    for (size_t i = index + 1; i < records->size(); ++i) {
      v1::Envelope event;
      ParseRecord((*records)[i], &event);
      const Sha256Digest hash = Sha256((*records)[i - 1]);
      event.set_previous_hash(hash.data(), hash.size());
      SerializeRecord(event, &(*records)[i]);
    }
  }

  static std::string Changed(const std::string& record) {
    v1::Envelope event;
    ParseRecord(record, &event);
    event.mutable_rollup()->set_subject("nothing happened");
    std::string bytes;
    SerializeRecord(event, &bytes);
    return bytes;
  }

  const std::string root_ = MakeFolder();
  FixedClock clock_;
  const HeartbeatKey key_ = *HeartbeatKey::ReadOrMake(root_ + "/key");
  const HeartbeatKey other_ = *HeartbeatKey::ReadOrMake(root_ + "/other");
  std::vector<HeartbeatPublicKey> keys_;
  std::vector<int32_t> cut_;
};

TEST_F(TopicVerifierTest, WhatAStreamDeliversIsWhole) {
  const std::vector<Message> messages = Deliver(Run("a", 20, key_));
  const TopicReport report = Verify(messages);
  EXPECT_THAT(Findings(report), IsEmpty());
  ASSERT_EQ(report.runs.size(), 1u);
  const TopicRun& run = report.runs[0];
  EXPECT_EQ(run.records, 24u);
  EXPECT_EQ(run.attested_to, 24u);
  EXPECT_TRUE(run.ended);
  EXPECT_EQ(run.host, "web-1");
  EXPECT_EQ(run.key, KeyFingerprint(key_.public_key()));
  EXPECT_EQ(run.losses.at("ring/full"), 3u);
}

TEST_F(TopicVerifierTest, PartitionsMayComeInAnyOrderAndValuesMayBeFramed) {
  std::vector<Message> messages = Deliver(Run("a", 20, key_));
  std::stable_sort(messages.begin(), messages.end(),
                   [](const Message& a, const Message& b) { return a.partition > b.partition; });
  EXPECT_THAT(FindingsOf(messages), IsEmpty());
  for (Message& m : messages) {
    const std::string record = m.value;
    FrameRecord(7, record, &m.value);
  }
  EXPECT_THAT(FindingsOf(messages), IsEmpty());
}

TEST_F(TopicVerifierTest, WhatIsSentAgainAfterARestartIsNoFinding) {
  std::vector<Message> messages = Deliver(Run("a", 20, key_));
  const std::vector<Message> again(messages.begin() + 10, messages.begin() + 15);
  messages.insert(messages.begin() + 15, again.begin(), again.end());
  const TopicReport report = Verify(messages);
  EXPECT_THAT(Findings(report), IsEmpty());
  EXPECT_EQ(report.runs[0].repeated, 5u);
}

TEST_F(TopicVerifierTest, CopiesInTopicsOfTheirOwnAreNoRepetition) {
  std::vector<Message> messages = Deliver(Run("a", 20, key_));
  const std::vector<Message> all = messages;
  for (Message m : all) {
    v1::Envelope event;
    ParseRecord(m.value, &event);
    m.topic = "heartbeats";
    if (event.has_heartbeat()) messages.insert(messages.begin(), m);
  }
  // In their order: they were put in front one by one.
  std::reverse(messages.begin(), messages.begin() + 3);
  EXPECT_THAT(FindingsOf(messages), IsEmpty());
  messages.erase(messages.begin() + 3 + static_cast<long>(At(all, 2)));  // Taken away from the events, the copy tells.
  EXPECT_THAT(FindingsOf(messages), ElementsAre("missing 2-2"));
}

TEST_F(TopicVerifierTest, ARemovedRecordIsFound) {
  std::vector<Message> messages = Deliver(Run("a", 20, key_));
  messages.erase(messages.begin() + static_cast<long>(At(messages, 8)));
  EXPECT_THAT(FindingsOf(messages), ElementsAre("missing 8-8"));
  messages.erase(messages.begin() + static_cast<long>(At(messages, 9)));
  EXPECT_THAT(FindingsOf(messages), ElementsAre("missing 8-9"));
}

TEST_F(TopicVerifierTest, ARemovedSessionIsFound) {
  std::vector<Message> messages = Deliver(Run("a", 6, key_));
  messages.erase(std::remove_if(messages.begin(), messages.end(), [](const Message& m) { return m.partition == 1; }),
                 messages.end());
  EXPECT_THAT(FindingsOf(messages), ElementsAre("missing 4-4", "missing 7-7"));
}

TEST_F(TopicVerifierTest, ARemovedEndIsFoundByTheHeartbeatThatIsLeftAndBySilenceWhereNoneIs) {
  std::vector<Message> messages = Deliver(Run("a", 20, key_, /*ends=*/false));
  clock_.now += absl::Hours(1);
  EXPECT_THAT(FindingsOf(messages), ElementsAre("silent 23-23"));
  messages.resize(messages.size() - 5);
  EXPECT_THAT(FindingsOf(messages), ElementsAre("silent 2-2"));
}

TEST_F(TopicVerifierTest, ARunningStreamIsNotSilent) {
  const std::vector<Message> messages = Deliver(Run("a", 20, key_, /*ends=*/false));
  EXPECT_THAT(FindingsOf(messages), IsEmpty());  // One minute later: twice its interval.
}

TEST_F(TopicVerifierTest, AnEndThatTheNextRunSawIsFoundMissing) {
  const std::vector<std::string> first = Run("a", 20, key_, /*ends=*/false);
  const Sha256Digest hash = Sha256(first.back());
  const std::vector<std::string> second = Run("b", 3, key_, true, "a", 23, std::string(hash.begin(), hash.end()));
  std::vector<Message> messages = Deliver(first);
  const std::vector<Message> more = Deliver(second);
  messages.insert(messages.end(), more.begin(), more.end());
  EXPECT_THAT(FindingsOf(messages), IsEmpty());
  messages.erase(messages.begin() + 18, messages.begin() + 23);
  EXPECT_THAT(FindingsOf(messages), ElementsAre("missing 19-23"));
}

TEST_F(TopicVerifierTest, AChangedRecordIsFound) {
  std::vector<Message> messages = Deliver(Run("a", 20, key_));
  Message& m = messages[At(messages, 8)];
  m.value = Changed(m.value);
  // The one behind it speaks of the record that was there.
  EXPECT_THAT(FindingsOf(messages), ElementsAre("changed 9-9"));
}

TEST_F(TopicVerifierTest, ARecordThatIsThereWithOtherBytesToo) {
  std::vector<Message> messages = Deliver(Run("a", 20, key_));
  Message other = messages[At(messages, 8)];
  other.value = Changed(other.value);
  messages.push_back(other);
  const TopicReport report = Verify(messages);
  EXPECT_THAT(Findings(report), ElementsAre("changed 8-8"));
  EXPECT_THAT(report.findings[0].text, HasSubstr("at events partition 2 offset 1 and at events partition 2 offset 6"));
}

TEST_F(TopicVerifierTest, AHistoryThatIsWrittenAnewWithoutTheKeyIsFound) {
  std::vector<std::string> records = Run("a", 20, key_);
  records[7] = Changed(records[7]);
  Rechain(&records, 7);
  // The chain is whole; the heartbeats behind it were signed for another one.
  EXPECT_THAT(FindingsOf(Deliver(records)), ElementsAre("forged 23-23", "forged 24-24"));
}

TEST_F(TopicVerifierTest, AHistoryThatIsWrittenAnewWithTheKeyContradictsWhatWasDelivered) {
  // Root on the host has the key. What the brokers have already is out of its reach.
  std::vector<std::string> records = Run("a", 20, key_, /*ends=*/false);
  std::vector<Message> messages = Deliver({records.begin(), records.begin() + 12});
  records[7] = Changed(records[7]);
  Rechain(&records, 7);
  const std::vector<Message> forged = Deliver({records.begin() + 12, records.end()});
  messages.insert(messages.end(), forged.begin(), forged.end());
  EXPECT_THAT(FindingsOf(messages), testing::Contains("changed 13-13"));
}

TEST_F(TopicVerifierTest, ReorderedRecordsAreFound) {
  std::vector<Message> messages = Deliver(Run("a", 20, key_));
  std::swap(messages[At(messages, 8)], messages[At(messages, 11)]);  // The same session.
  EXPECT_THAT(FindingsOf(messages), ElementsAre("reordered 8-8"));
}

TEST_F(TopicVerifierTest, AReplayedRecordIsFound) {
  std::vector<Message> messages = Deliver(Run("a", 20, key_));
  const Message replayed = messages[At(messages, 5)];
  messages.insert(messages.begin() + 15, replayed);
  const TopicReport report = Verify(messages);
  EXPECT_THAT(Findings(report), ElementsAre("repeated 5-5"));
  EXPECT_THAT(report.findings[0].text, HasSubstr("events partition 2"));
  messages.erase(messages.begin() + 15);
  Message elsewhere = replayed;
  elsewhere.partition = 1;  // Where its key does not belong.
  messages.push_back(elsewhere);
  EXPECT_THAT(FindingsOf(messages), testing::Contains("repeated 5-5"));
}

TEST_F(TopicVerifierTest, ALateRecordIsFoundWhereTheBrokersKeepTheTime) {
  std::vector<Message> messages = Deliver(Run("a", 20, key_));
  for (size_t i = 0; i < messages.size(); ++i) messages[i].appended = clock_.now + absl::Seconds(i);
  EXPECT_THAT(FindingsOf(messages), IsEmpty());
  // Held back, and put in at the end of a partition that has nothing later: only the time tells.
  Message& late = messages[At(messages, 22)];
  late.appended = clock_.now + absl::Hours(2);
  EXPECT_THAT(FindingsOf(messages), ElementsAre("late 22-22"));
}

TEST_F(TopicVerifierTest, AForgedRecordBehindTheEndIsFound) {
  const std::vector<std::string> records = Run("a", 20, key_);
  v1::Envelope event;
  ParseRecord(records.back(), &event);
  const Sha256Digest hash = Sha256(records.back());
  v1::Envelope forged;
  *forged.mutable_stream() = event.stream();
  forged.set_sequence(event.sequence() + 1);
  forged.set_previous_hash(hash.data(), hash.size());
  forged.mutable_rollup()->set_count(1);
  std::vector<Message> messages = Deliver(records);
  messages.push_back({forged.SerializeAsString(), 0});
  EXPECT_THAT(FindingsOf(messages), ElementsAre("forged 25-25"));
}

TEST_F(TopicVerifierTest, ARunThatSomebodyElseWroteIsFound) {
  std::vector<Message> messages = Deliver(Run("a", 5, key_));
  const std::vector<Message> forged = Deliver(Run("b", 5, other_));
  messages.insert(messages.end(), forged.begin(), forged.end());
  // The host's first key is believed, a later one is not.
  EXPECT_THAT(FindingsOf(messages), ElementsAre("unsigned 1-9", "forged 2-2", "forged 8-8", "forged 9-9"));
}

TEST_F(TopicVerifierTest, GivenKeysCountAloneAndARotatedOneIsGivenToo) {
  std::vector<Message> messages = Deliver(Run("a", 5, other_));
  keys_ = {*HeartbeatPublicKey::Parse(key_.public_key())};
  EXPECT_THAT(FindingsOf(messages), testing::Contains("unsigned 1-9"));
  keys_.push_back(*HeartbeatPublicKey::Parse(other_.PublicPem()));
  EXPECT_THAT(FindingsOf(messages), IsEmpty());
}

TEST_F(TopicVerifierTest, AHeartbeatThatIsCopiedIntoAnotherRunIsFound) {
  const std::vector<std::string> records = Run("a", 5, key_);
  v1::Envelope beat, into;
  ParseRecord(records[1], &beat);
  std::vector<std::string> forged = Run("b", 5, other_);
  ParseRecord(forged[1], &into);
  *into.mutable_heartbeat() = beat.heartbeat();
  SerializeRecord(into, &forged[1]);
  Rechain(&forged, 1);
  std::vector<Message> messages = Deliver(records);
  const std::vector<Message> more = Deliver(forged);
  messages.insert(messages.end(), more.begin(), more.end());
  const TopicReport report = Verify(messages);
  EXPECT_THAT(Findings(report), testing::IsSupersetOf({"unsigned 1-9", "forged 2-2"}));
  EXPECT_THAT(report.findings[1].text, HasSubstr("another place"));
}

TEST_F(TopicVerifierTest, WhatIsNoRecordIsSaid) {
  std::vector<Message> messages = Deliver(Run("a", 5, key_));
  messages.push_back({"hello", 2});
  messages.push_back({"", 2});
  const TopicReport report = Verify(messages);
  EXPECT_THAT(Findings(report), ElementsAre("rejected 0-0", "rejected 0-0"));
  EXPECT_THAT(report.findings[0].text, HasSubstr("events partition 2"));
}

TEST_F(TopicVerifierTest, AStandInKeepsTheChainWholeAndIsSaid) {
  const std::vector<std::string> records = Run("a", 20, key_);
  std::vector<Message> messages = Deliver(records);
  v1::Envelope event;
  ParseRecord(records[7], &event);
  event.clear_rollup();
  event.mutable_tombstone()->set_first_sequence(8);
  event.mutable_tombstone()->set_last_sequence(8);
  event.mutable_tombstone()->set_reason("larger than the topic takes");
  const Sha256Digest hash = Sha256(records[7]);
  event.mutable_tombstone()->set_last_hash(hash.data(), hash.size());
  Message& m = messages[At(messages, 8)];
  SerializeRecord(event, &m.value);
  EXPECT_THAT(FindingsOf(messages), ElementsAre("undelivered 8-8"));
  event.mutable_tombstone()->set_last_hash(std::string(32, 'x'));
  SerializeRecord(event, &m.value);
  EXPECT_THAT(FindingsOf(messages), testing::Contains(HasSubstr("changed 8")));
}

TEST_F(TopicVerifierTest, WhatRetentionTookAwayIsNoFinding) {
  std::vector<Message> messages = Deliver(Run("a", 20, key_));
  messages.erase(messages.begin(), messages.begin() + 8);
  EXPECT_THAT(FindingsOf(messages), testing::Contains("missing 1-8"));
  cut_ = {0, 1, 2};
  keys_ = {*HeartbeatPublicKey::Parse(key_.public_key())};
  EXPECT_THAT(FindingsOf(messages), IsEmpty());
}

TEST_F(TopicVerifierTest, SurvivesAnyBytes) {
  std::vector<Message> messages = Deliver(Run("a", 3, key_));
  const std::vector<Message> good = messages;
  for (const Message& m : good) {
    for (size_t at = 0; at < m.value.size(); ++at) {
      Message changed = m;
      changed.value[at] = static_cast<char>(changed.value[at] ^ 0x55);
      messages.push_back(changed);
    }
  }
  EXPECT_FALSE(Verify(messages).ok());
}

}  // namespace
}  // namespace holdpoint
