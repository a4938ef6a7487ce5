#include "agent/spool/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "agent/event/recorder.h"
#include "agent/spool/cursor.h"
#include "agent/spool/delivery.h"
#include "agent/spool/frame.h"
#include "agent/spool/reader.h"
#include "agent/spool/verify.h"

namespace holdpoint {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class FixedClock final : public Clock {
 public:
  BootTime Boot() const override { return {1'000'000}; }
  absl::Time Wall() const override { return absl::FromUnixSeconds(1'700'000'000); }
};

class SpoolTest : public testing::Test {
 protected:
  SpoolTest() {
    char name[] = "/tmp/holdpoint-spool-XXXXXX";
    root_ = mkdtemp(name);
    dir_ = root_ + "/spool";
  }
  ~SpoolTest() override { fs::remove_all(root_); }

  static v1::StreamId Stream(const std::string& run_id) {
    v1::StreamId stream;
    stream.set_host("host");
    stream.set_run_id(run_id);
    return stream;
  }

  static v1::Envelope Event(size_t i, size_t padding = 0) {
    v1::Envelope event;
    event.set_session("s-1");
    event.mutable_exec()->mutable_process()->set_executable(absl::StrCat("/bin/", i, std::string(padding, 'x')));
    return event;
  }

  // Writes `count` events as one run and closes it.
  void WriteRun(const std::string& run_id, size_t count, const SpoolOptions& options = {}, size_t padding = 0) {
    auto spool = Spool::Open(dir_, run_id, options);
    ASSERT_TRUE(spool.ok()) << spool.status();
    Recorder recorder(Stream(run_id), clock_, **spool);
    for (size_t i = 0; i < count; ++i) ASSERT_TRUE(recorder.Record(Event(i, padding)).ok());
    ASSERT_TRUE(recorder.Sync().ok());
  }

  std::vector<std::pair<std::string, uint64_t>> ReadAll(const Cursor& from = {}) {
    auto reader = SpoolReader::Open(dir_, {.from = from});
    EXPECT_TRUE(reader.ok()) << reader.status();
    std::vector<std::pair<std::string, uint64_t>> all;
    SpoolReader::Record record;
    for (;;) {
      auto more = (*reader)->Next(&record);
      EXPECT_TRUE(more.ok()) << more.status();
      if (!more.ok() || !*more) return all;
      all.emplace_back(record.run_id, record.sequence);
    }
  }

  SpoolReport Verify() {
    auto report = VerifySpool(dir_);
    EXPECT_TRUE(report.ok()) << report.status();
    return *std::move(report);
  }

  std::string LastSegment(const std::string& run_id) {
    auto segments = ListSegments(dir_ + "/" + run_id);
    EXPECT_TRUE(segments.ok() && !segments->empty());
    return segments->back().path;
  }

  static std::string Slurp(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void Dump(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  std::string root_, dir_;
  FixedClock clock_;
};

TEST_F(SpoolTest, RecordsComeBackInOrderAndTheChainIsWhole) {
  WriteRun("a", 100);
  const auto all = ReadAll();
  ASSERT_EQ(all.size(), 100u);
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], std::make_pair(std::string("a"), uint64_t{i + 1}));
  const SpoolReport report = Verify();
  EXPECT_TRUE(report.ok()) << report.ToString();
  EXPECT_EQ(report.records(), 100u);
}

TEST_F(SpoolTest, StreamsAreReadInTheOrderTheyWereMadeWhateverTheirNames) {
  WriteRun("zz", 2);
  WriteRun("mm", 1);
  WriteRun("aa", 1);
  using P = std::pair<std::string, uint64_t>;
  EXPECT_THAT(ReadAll(), testing::ElementsAre(P("zz", 1), P("zz", 2), P("mm", 1), P("aa", 1)));
}

TEST_F(SpoolTest, SegmentsRotateAndTheChainGoesAcrossThem) {
  WriteRun("a", 200, {.segment_bytes = 4096});
  EXPECT_GT(ListSegments(dir_ + "/a")->size(), 3u);
  EXPECT_EQ(ReadAll().size(), 200u);
  EXPECT_TRUE(Verify().ok()) << Verify().ToString();
}

TEST_F(SpoolTest, RecordLargerThanASegmentGetsOneOfItsOwn) {
  WriteRun("a", 3, {.segment_bytes = 4096}, 20'000);
  EXPECT_EQ(ReadAll().size(), 3u);
  EXPECT_TRUE(Verify().ok()) << Verify().ToString();
}

TEST_F(SpoolTest, ReadingStartsAtTheCursor) {
  WriteRun("a", 50, {.segment_bytes = 4096});
  WriteRun("b", 5);
  const auto rest = ReadAll({.next_sequence = {{"a", 48}, {"b", 5}}});
  using P = std::pair<std::string, uint64_t>;
  EXPECT_THAT(rest, testing::ElementsAre(P("a", 48), P("a", 49), P("a", 50), P("b", 5)));
}

TEST_F(SpoolTest, SecondWriterIsRefused) {
  auto first = Spool::Open(dir_, "a");
  ASSERT_TRUE(first.ok());
  auto second = Spool::Open(dir_, "b");
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(second.status().message(), HasSubstr("another holdpointd"));
}

TEST_F(SpoolTest, TornAtEveryByteOfTheLastRecordIsCutAtTheOneBefore) {
  WriteRun("a", 3);
  const std::string path = LastSegment("a");
  const std::string whole = Slurp(path);
  Frame frame;
  size_t before = 0;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(ParseFrame(absl::string_view(whole).substr(before), &frame), FrameState::kWhole);
    before += frame.size;
  }
  for (size_t size = before + 1; size < whole.size(); ++size) {
    Dump(path, whole.substr(0, size) + std::string(4096, '\0'));  // The space set aside behind it is still there.
    auto spool = Spool::Open(dir_, "b");
    ASSERT_TRUE(spool.ok()) << spool.status();
    const Spool::Report& report = (*spool)->report();
    ASSERT_EQ(report.previous_run_id, "a");
    ASSERT_EQ(report.previous_last_sequence, 2u) << size;
    ASSERT_GT(report.cut_bytes, 0u) << size;
    ASSERT_THAT(report.note, HasSubstr("ended inside a record"));
    ASSERT_EQ(fs::file_size(path), before);
    ASSERT_EQ(ReadAll().size(), 2u);
    ASSERT_TRUE(Verify().ok()) << Verify().ToString();
  }
}

TEST_F(SpoolTest, WhetherTheRunBeforeSaidThatItStopsIsReported) {
  for (const std::string state : {"stopping", "running"}) {
    {
      auto spool = Spool::Open(dir_, absl::StrCat("run-", state));
      ASSERT_TRUE(spool.ok());
      Recorder recorder(Stream(absl::StrCat("run-", state)), clock_, **spool);
      v1::Envelope beat;
      beat.mutable_heartbeat()->mutable_statement()->set_state(state);
      ASSERT_TRUE(recorder.Record(beat).ok());
    }
    auto spool = Spool::Open(dir_, absl::StrCat("after-", state));
    ASSERT_TRUE(spool.ok());
    EXPECT_EQ((*spool)->report().previous_stopped, state == "stopping");
    EXPECT_EQ((*spool)->report().previous_last_time, clock_.Wall());
  }
}

TEST_F(SpoolTest, WholeTailIsNotCutAndNothingIsSaid) {
  WriteRun("a", 3);
  const std::string path = LastSegment("a");
  const std::string whole = Slurp(path);
  Dump(path, whole + std::string(8192, '\0'));
  auto spool = Spool::Open(dir_, "b");
  ASSERT_TRUE(spool.ok());
  EXPECT_EQ((*spool)->report().note, "");
  EXPECT_EQ((*spool)->report().previous_last_sequence, 3u);
  EXPECT_EQ(fs::file_size(path), whole.size());
}

TEST_F(SpoolTest, EveryFlippedBitInTheMiddleIsFoundAndCostsOneRecordOnly) {
  WriteRun("a", 3);
  const std::string path = LastSegment("a");
  const std::string whole = Slurp(path);
  Frame first, second;
  ASSERT_EQ(ParseFrame(whole, &first), FrameState::kWhole);
  ASSERT_EQ(ParseFrame(absl::string_view(whole).substr(first.size), &second), FrameState::kWhole);
  for (size_t bit = first.size * 8; bit < (first.size + second.size) * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    Dump(path, flipped);
    const SpoolReport report = Verify();
    ASSERT_FALSE(report.ok()) << bit;
    ASSERT_EQ(report.records(), 2u) << bit;
    ASSERT_EQ(report.streams[0].chain.size(), 1u);
    ASSERT_EQ(report.streams[0].chain[0].kind, ChainFinding::Kind::kMissing);
    ASSERT_EQ(ReadAll().size(), 2u);
  }
  auto spool = Spool::Open(dir_, "b");  // Damage inside is left as it is: it is evidence.
  ASSERT_TRUE(spool.ok());
  EXPECT_EQ(fs::file_size(path), whole.size());
  EXPECT_GT((*spool)->report().damaged_bytes, 0u);
  EXPECT_THAT((*spool)->report().note, HasSubstr("damaged"));
}

TEST_F(SpoolTest, RecordRewrittenWithARightChecksumBreaksTheChain) {
  WriteRun("a", 3);
  const std::string path = LastSegment("a");
  const std::string whole = Slurp(path);
  Frame first, second;
  ASSERT_EQ(ParseFrame(whole, &first), FrameState::kWhole);
  ASSERT_EQ(ParseFrame(absl::string_view(whole).substr(first.size), &second), FrameState::kWhole);
  v1::Envelope event;
  ASSERT_TRUE(event.ParseFromArray(second.payload.data(), static_cast<int>(second.payload.size())));
  event.mutable_exec()->mutable_process()->set_executable("/bin/9");
  std::string forged;
  SerializeRecord(event, &forged);
  const auto header = MakeFrameHeader(2, forged);
  Dump(path, whole.substr(0, first.size) + std::string(header.data(), header.size()) + forged +
                 whole.substr(first.size + second.size));
  const SpoolReport report = Verify();
  ASSERT_EQ(report.streams[0].chain.size(), 1u) << report.ToString();
  EXPECT_EQ(report.streams[0].chain[0].kind, ChainFinding::Kind::kBroken);
  EXPECT_EQ(report.streams[0].chain[0].first, 3u);
}

TEST_F(SpoolTest, EvictedSegmentsLeaveTombstonesAndTheChainVerifies) {
  const SpoolOptions options{.segment_bytes = 4096, .bounds = {.max_bytes = 4 * 4096}};
  WriteRun("a", 60, options);
  WriteRun("b", 200, options);
  const auto streams = ListStreams(dir_);
  ASSERT_TRUE(streams.ok());
  ASSERT_EQ(streams->size(), 1u);  // The older stream went first, all of it.
  uint64_t bytes = 0;
  const auto segments = ListSegments(dir_ + "/b");
  for (const SegmentFile& segment : *segments) bytes += segment.bytes;
  EXPECT_LE(bytes, options.bounds.max_bytes);
  EXPECT_GT(segments->front().first_sequence, 1u);
  const SpoolReport report = Verify();
  EXPECT_TRUE(report.ok()) << report.ToString();
  EXPECT_GT(report.streams[0].declared_missing, 0u);
}

TEST_F(SpoolTest, DeliveredSegmentsGoFirst) {
  const SpoolOptions options{.segment_bytes = 4096, .bounds = {.max_bytes = 6 * 4096}, .cursor_path = root_ + "/cursor"};
  WriteRun("a", 90, options);
  const auto before = ListSegments(dir_ + "/a");
  ASSERT_GE(before->size(), 3u);
  // The second segment of run a is delivered, and so is the first; nothing else is.
  ASSERT_TRUE(WriteCursor(options.cursor_path, {.next_sequence = {{"a", (*before)[2].first_sequence}}}).ok());
  auto spool = Spool::Open(dir_, "b", options);
  ASSERT_TRUE(spool.ok());
  Recorder recorder(Stream("b"), clock_, **spool);
  size_t i = 0;
  while (ListSegments(dir_ + "/a")->size() == before->size()) ASSERT_TRUE(recorder.Record(Event(i++)).ok());
  EXPECT_EQ(ListSegments(dir_ + "/a")->front().path, (*before)[1].path);
  v1::Envelope tombstone;
  auto reader = SpoolReader::Open(dir_, {.from = {.next_sequence = {{"a", UINT64_MAX}}}});
  SpoolReader::Record record;
  while (*(*reader)->Next(&record)) {
    v1::Envelope event;
    ASSERT_TRUE(event.ParseFromArray(record.bytes.data(), static_cast<int>(record.bytes.size())));
    if (event.has_tombstone()) tombstone = event;
  }
  EXPECT_EQ(tombstone.tombstone().run_id(), "a");
  EXPECT_EQ(tombstone.tombstone().first_sequence(), 1u);
  EXPECT_EQ(tombstone.tombstone().last_sequence(), (*before)[1].first_sequence - 1);
  EXPECT_EQ(tombstone.tombstone().reason(), "evicted after delivery: the spool is full");
  EXPECT_TRUE(tombstone.tombstone().delivered());
}

TEST_F(SpoolTest, FollowingReaderSeesEachRecordAcrossSegmentsAndRuns) {
  auto spool = Spool::Open(dir_, "a", {.segment_bytes = 4096});
  ASSERT_TRUE(spool.ok());
  auto recorder = std::make_unique<Recorder>(Stream("a"), clock_, **spool);
  auto reader = SpoolReader::Open(dir_, {});
  ASSERT_TRUE(reader.ok()) << reader.status();
  SpoolReader::Record record;
  EXPECT_FALSE(*(*reader)->Next(&record));
  for (size_t i = 1; i <= 300; ++i) {
    if (i == 150) {  // A new run takes over while the reader follows.
      recorder.reset();
      spool->reset();
      spool = Spool::Open(dir_, "b", {.segment_bytes = 4096});
      ASSERT_TRUE(spool.ok());
      recorder = std::make_unique<Recorder>(Stream("b"), clock_, **spool);
    }
    ASSERT_TRUE(recorder->Record(Event(i)).ok());
    while (!*(*reader)->Next(&record)) (*reader)->Wait(absl::Seconds(10));
    ASSERT_EQ(record.sequence, i < 150 ? i : i - 149);
    ASSERT_FALSE(*(*reader)->Next(&record));
  }
  EXPECT_THAT((*reader)->TakeNotices(), testing::IsEmpty());
}

TEST_F(SpoolTest, ReaderAtTheEndSeesOnlyWhatIsNew) {
  auto spool = Spool::Open(dir_, "a", {});
  ASSERT_TRUE(spool.ok());
  Recorder recorder(Stream("a"), clock_, **spool);
  for (size_t i = 0; i < 5; ++i) ASSERT_TRUE(recorder.Record(Event(i)).ok());
  auto reader = SpoolReader::Open(dir_, {.at_end = true});
  ASSERT_TRUE(reader.ok());
  SpoolReader::Record record;
  EXPECT_FALSE(*(*reader)->Next(&record));
  ASSERT_TRUE(recorder.Record(Event(6)).ok());
  ASSERT_TRUE(*(*reader)->Next(&record));
  EXPECT_EQ(record.sequence, 6u);
}

TEST_F(SpoolTest, CutOffNewestRecordsOfAnOlderRunAreFoundByTheNextRunsWord) {
  WriteRun("a", 5);
  const std::string path = LastSegment("a");
  {
    auto spool = Spool::Open(dir_, "b");
    ASSERT_TRUE(spool.ok());
    const Spool::Report& seen = (*spool)->report();
    Recorder recorder(Stream("b"), clock_, **spool);
    v1::Envelope started;
    auto& daemon = *started.mutable_daemon();
    daemon.set_state("started");
    daemon.set_previous_run_id(seen.previous_run_id);
    daemon.set_previous_last_sequence(seen.previous_last_sequence);
    daemon.set_previous_last_hash(seen.previous_last_hash.data(), seen.previous_last_hash.size());
    ASSERT_TRUE(recorder.Record(started).ok());
  }
  EXPECT_TRUE(Verify().ok()) << Verify().ToString();
  const std::string whole = Slurp(path);
  Frame frame;
  size_t keep = 0;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(ParseFrame(absl::string_view(whole).substr(keep), &frame), FrameState::kWhole);
    keep += frame.size;
  }
  Dump(path, whole.substr(0, keep));
  const SpoolReport report = Verify();
  ASSERT_EQ(report.streams[0].chain.size(), 1u) << report.ToString();
  EXPECT_EQ(report.streams[0].chain[0].kind, ChainFinding::Kind::kMissing);
  EXPECT_EQ(report.streams[0].chain[0].first, 4u);
  EXPECT_EQ(report.streams[0].chain[0].last, 5u);
}

TEST_F(SpoolTest, MissingSpoolIsSaidWithItsPath) {
  EXPECT_EQ(VerifySpool(dir_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(SpoolReader::Open(dir_, {}).status().message(), HasSubstr(dir_));
}

TEST_F(SpoolTest, CursorSurvivesAndNonsenseIsRefused) {
  const std::string path = root_ + "/cursor";
  EXPECT_TRUE(ReadCursor(path)->next_sequence.empty());
  ASSERT_TRUE(WriteCursor(path, {.next_sequence = {{"a", 3}, {"b", 9}}}).ok());
  EXPECT_EQ(ReadCursor(path)->Next("a"), 3u);
  EXPECT_EQ(ReadCursor(path)->Next("c"), 1u);
  for (const char* bad : {"", "other\n", "holdpoint cursor 1\na 0\n", "holdpoint cursor 1\n../a 1\n"}) {
    Dump(path, bad);
    EXPECT_EQ(ReadCursor(path).status().code(), absl::StatusCode::kDataLoss) << bad;
  }
}

TEST_F(SpoolTest, WhatTheStreamSaysOfItselfIsReadWholeOrNotAtAll) {
  const std::string path = root_ + "/delivery";
  EXPECT_EQ(ReadDelivery(path).status().code(), absl::StatusCode::kNotFound);
  Latency delay;
  delay.Add(absl::Milliseconds(3));
  DeliveryState state{.delivered = 7, .last_unix_ns = 5, .delay = LatencyBuckets::Of(delay)};
  state.trouble = std::string(1000, 'x');
  ASSERT_TRUE(WriteDelivery(path, state).ok());
  const auto read = ReadDelivery(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->delivered, 7u);
  EXPECT_EQ(read->last_unix_ns, 5);
  EXPECT_EQ(read->delay.shorter, state.delay.shorter);
  EXPECT_EQ(read->delay.sum_ns, 3'000'000u);
  EXPECT_EQ(read->trouble, std::string(255, 'x'));
  std::string bytes = Slurp(path);
  bytes[20] ^= 1;
  Dump(path, bytes);
  EXPECT_EQ(ReadDelivery(path).status().code(), absl::StatusCode::kDataLoss);
  fs::remove(path);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(ReadDelivery(path).status().code(), absl::StatusCode::kDataLoss) << "and it did not wait for a writer";
}

}  // namespace
}  // namespace holdpoint
