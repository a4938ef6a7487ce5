// What goes when there is too much, what stays, and that each thing that went is said.
#include "agent/spool/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "absl/strings/str_cat.h"
#include "agent/event/body.h"
#include "agent/event/recorder.h"
#include "agent/spool/reader.h"
#include "agent/spool/spool.h"
#include "agent/spool/verify.h"

namespace holdpoint {
namespace {

namespace fs = std::filesystem;

class HandClock final : public Clock {
 public:
  BootTime Boot() const override { return boot; }
  absl::Time Wall() const override { return wall; }
  void Go(absl::Duration time) {
    boot = boot + time;
    wall += time;
  }
  BootTime boot{1'000'000'000};
  absl::Time wall = absl::Now();  // The age of a segment of an earlier run is its file's.
};

// The power goes before any tombstone is written.
class NoTombstones final : public RecordSink {
 public:
  explicit NoTombstones(Spool& spool) : spool_(spool) {}
  absl::Status Append(uint64_t sequence, absl::string_view record, RecordClass record_class) override {
    return spool_.Append(sequence, record, record_class);
  }
  absl::Status Sync() override { return spool_.Sync(); }
  void NoteUnwritten(const SequenceGap& gap) override { spool_.NoteUnwritten(gap); }
  std::vector<Eviction> TakeEvictions() override { return {}; }
  void EvictionsDeclared() override {}

 private:
  Spool& spool_;
};

class RetentionTest : public testing::Test {
 protected:
  RetentionTest() {
    char name[] = "/tmp/holdpoint-retention-XXXXXX";
    root_ = mkdtemp(name);
    dir_ = root_ + "/spool";
    options_ = {.segment_bytes = 8 * 1024, .reserve_bytes = 0, .bounds = {.max_bytes = 64 * 1024}, .clock = &clock_};
  }
  ~RetentionTest() override { fs::remove_all(root_); }

  static v1::Envelope Event(v1::Verdict verdict = v1::VERDICT_AUDIT) {
    v1::Envelope event;
    event.set_session("s-1");
    event.mutable_exec()->mutable_process()->set_executable(std::string(100, 'x'));
    event.mutable_exec()->mutable_judgement()->set_verdict(verdict);
    return event;
  }

  // One run: ordinary events, each tenth a refusal, and its start, which says where the run before it ended.
  struct Run {
    Run(RetentionTest& test, const std::string& run_id, bool tombstones = true) {
      auto opened = Spool::Open(test.dir_, run_id, test.options_);
      EXPECT_TRUE(opened.ok()) << opened.status();
      spool = *std::move(opened);
      v1::StreamId stream;
      stream.set_run_id(run_id);
      silent = std::make_unique<NoTombstones>(*spool);
      RecordSink* sink = spool.get();
      recorder = std::make_unique<Recorder>(stream, test.clock_, tombstones ? *sink : *silent);
      v1::Envelope started;
      v1::DaemonState& daemon = *started.mutable_daemon();
      daemon.set_state("started");
      daemon.set_previous_run_id(spool->report().previous_run_id);
      daemon.set_previous_last_sequence(spool->report().previous_last_sequence);
      daemon.set_previous_last_hash(spool->report().previous_last_hash.data(), 32);
      EXPECT_TRUE(recorder->Record(started).ok());
    }
    void Write(int count, int refusal_each = 10) {
      for (int i = 1; i <= count; ++i) {
        const bool refused = refusal_each > 0 && i % refusal_each == 0;
        ASSERT_TRUE(recorder->Record(Event(refused ? v1::VERDICT_REFUSE : v1::VERDICT_AUDIT)).ok());
      }
    }
    std::unique_ptr<Spool> spool;
    std::unique_ptr<NoTombstones> silent;
    std::unique_ptr<Recorder> recorder;
  };

  // How many are there of each body; refusals apart.
  std::map<std::string, int> Kinds() {
    auto reader = SpoolReader::Open(dir_, {});
    EXPECT_TRUE(reader.ok());
    std::map<std::string, int> kinds;
    SpoolReader::Record record;
    v1::Envelope event;
    while (*(*reader)->Next(&record)) {
      EXPECT_TRUE(ParseRecord(record.bytes, &event));
      const bool refused = event.exec().judgement().verdict() == v1::VERDICT_REFUSE;
      kinds[refused ? "refused" : std::string(EventType(event))]++;
    }
    return kinds;
  }

  SpoolReport Verify() {
    auto report = VerifySpool(dir_);
    EXPECT_TRUE(report.ok()) << report.status();
    return *std::move(report);
  }

  uint64_t OnDisk() {
    uint64_t bytes = 0;
    for (const auto& entry : fs::recursive_directory_iterator(dir_)) {
      if (entry.path().extension() == ".seg") bytes += entry.file_size();
    }
    return bytes;
  }

  int FilesWith(const std::string& extension) {
    int files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(dir_)) files += entry.path().extension() == extension;
    return files;
  }

  HandClock clock_;
  std::string root_, dir_;
  SpoolOptions options_;
};

TEST_F(RetentionTest, OrdinaryRecordsGoAndRefusalsStay) {
  Run run(*this, "a");
  run.Write(1000);
  const auto kinds = Kinds();
  EXPECT_EQ(kinds.at("refused"), 100) << "every one, also the oldest";
  EXPECT_EQ(kinds.at("daemon"), 1);
  EXPECT_LT(kinds.at("exec"), 500);
  EXPECT_LE(OnDisk(), options_.bounds.max_bytes);
  const SpoolReport report = Verify();
  ASSERT_TRUE(report.ok()) << report.ToString();
  const StreamReport& stream = report.streams[0];
  const RecordCounts counts = run.recorder->counts();
  EXPECT_EQ(stream.declared_lost, counts.losses.at({"spool", "evicted: the spool is full"})) << "each is counted";
  EXPECT_EQ(stream.records + stream.declared_missing, run.recorder->head().sequence);
  EXPECT_EQ(FilesWith(".gone") + FilesWith(".thin"), 0) << "nothing is left of what was declared";
}

TEST_F(RetentionTest, WhereOnlyRefusalsAreLeftTheOldestGoAndOldTombstonesAreSaidAgain) {
  Run run(*this, "a");
  run.Write(1000);
  run.Write(2000, 1);
  const auto kinds = Kinds();
  EXPECT_GT(kinds.at("refused"), 50);
  EXPECT_LT(kinds.at("refused"), 2000);
  EXPECT_LE(OnDisk(), options_.bounds.max_bytes);
  const SpoolReport report = Verify();
  ASSERT_TRUE(report.ok()) << report.ToString();
  EXPECT_EQ(report.streams[0].records + report.streams[0].declared_missing, run.recorder->head().sequence);
  EXPECT_EQ(run.recorder->counts().lost(), report.streams[0].declared_lost) << "said again is not lost again";
}

TEST_F(RetentionTest, WhatTheBrokersHaveGoesFirstAndIsNoLoss) {
  options_.cursor_path = root_ + "/cursor";
  Run run(*this, "a");
  run.Write(200);
  ASSERT_TRUE(WriteCursor(options_.cursor_path, {.next_sequence = {{"a", 150}}}).ok());
  while (run.recorder->counts().evicted_delivered == 0) run.Write(10);
  EXPECT_EQ(run.recorder->counts().lost(), 0u);
  EXPECT_EQ(run.spool->depth().undelivered, run.recorder->head().sequence - 149);
  const SpoolReport report = Verify();
  ASSERT_TRUE(report.ok()) << report.ToString();
  EXPECT_GT(report.streams[0].declared_missing, 0u);
  EXPECT_EQ(report.streams[0].declared_lost, 0u);
}

TEST_F(RetentionTest, PowerCutBeforeTheTombstonesLosesNoneOfThem) {
  for (const int refusal_each : {0, 10}) {
    fs::remove_all(dir_);
    uint64_t last = 0;
    {
      Run run(*this, "a", /*tombstones=*/false);
      run.Write(1000, refusal_each);
      last = run.recorder->head().sequence;
    }
    // A thinned copy waits for its tombstone: until then nothing of that segment is gone.
    ASSERT_EQ(Verify().ok(), refusal_each > 0);
    ASSERT_GT(FilesWith(".gone") + FilesWith(".thin"), 0);
    for (const auto& entry : fs::recursive_directory_iterator(dir_)) {
      EXPECT_TRUE(entry.path().extension() != ".gone" || entry.file_size() == 0) << "its space is free at once";
    }
    Run next(*this, "b");
    EXPECT_EQ(FilesWith(".gone") + FilesWith(".thin"), 0);
    const SpoolReport report = Verify();
    ASSERT_TRUE(report.ok()) << report.ToString();
    EXPECT_EQ(report.streams[0].records + report.streams[0].declared_missing, last);
    EXPECT_EQ(report.streams[0].declared_lost, next.recorder->counts().lost());
  }
}

TEST_F(RetentionTest, AnUndeclaredGapBesideADeclaredOneIsFound) {
  Run run(*this, "a");
  run.Write(1000);
  run.spool.reset();
  auto segments = ListSegments(dir_ + "/a");
  ASSERT_GE(segments->size(), 3u);
  ASSERT_TRUE(Verify().ok());
  fs::remove((*segments)[segments->size() - 2].path);
  const SpoolReport report = Verify();
  ASSERT_FALSE(report.ok());
  const uint64_t gone = (*segments)[segments->size() - 2].first_sequence;
  EXPECT_TRUE(std::any_of(report.streams[0].chain.begin(), report.streams[0].chain.end(), [&](const ChainFinding& f) {
    return f.kind == ChainFinding::Kind::kMissing && f.first <= gone && gone <= f.last;
  })) << report.ToString();
}

TEST_F(RetentionTest, ARunThatIsGoneAsAWholeIsFoundUnlessItWasEvicted) {
  { Run(*this, "a").Write(20); }
  { Run(*this, "b").Write(20); }
  ASSERT_TRUE(Verify().ok());
  fs::remove_all(dir_ + "/a");
  const SpoolReport removed = Verify();
  ASSERT_FALSE(removed.ok());
  EXPECT_EQ(removed.streams[0].run_id, "a");
  EXPECT_EQ(removed.streams[0].chain[0].last, 21u);
}

TEST_F(RetentionTest, ARunThatWasEvictedAsAWholeIsAccountedFor) {
  { Run(*this, "a").Write(20, 0); }
  Run run(*this, "b");
  run.Write(3000, 2);
  EXPECT_FALSE(fs::exists(dir_ + "/a"));
  const SpoolReport report = Verify();
  ASSERT_TRUE(report.ok()) << report.ToString();
}

TEST_F(RetentionTest, AgeTakesOrdinaryRecordsFirstAndOnlyByAClockThatCanBeTrusted) {
  options_.bounds = {.max_bytes = 0, .max_age = absl::Hours(24 * 30), .decisions_max_age = absl::Hours(24 * 400)};
  Run run(*this, "a");
  run.Write(300);
  const auto all = Kinds();
  const auto look = [&](int times) {  // Each takes one segment at most.
    for (int i = 0; i < times; ++i) {
      clock_.Go(absl::Minutes(2));
      run.Write(1, 0);
    }
  };
  clock_.wall += absl::Hours(24 * 3650);  // Set, and wrong.
  look(20);
  EXPECT_EQ(Kinds().at("exec"), all.at("exec") + 20) << "nothing goes by a clock that was just set";
  clock_.wall -= absl::Hours(24 * 3650);
  clock_.Go(absl::Hours(24 * 31));
  look(60);
  EXPECT_LT(Kinds().at("exec"), 150);
  EXPECT_EQ(Kinds().at("refused"), all.at("refused"));
  ASSERT_TRUE(Verify().ok()) << Verify().ToString();
  clock_.Go(absl::Hours(24 * 400));
  look(60);
  EXPECT_FALSE(Kinds().contains("refused"));
  const SpoolReport report = Verify();
  ASSERT_TRUE(report.ok()) << report.ToString();
  EXPECT_EQ(report.streams[0].declared_lost,
            run.recorder->counts().losses.at({"spool", "evicted: older than it may be"}));
}

TEST_F(RetentionTest, ClockSetBackLosesNothing) {
  options_.bounds = {.max_bytes = 0, .max_age = absl::Hours(24), .decisions_max_age = absl::Hours(24)};
  Run run(*this, "a");
  run.Write(100);
  clock_.wall -= absl::Hours(24 * 365);
  for (int i = 0; i < 100; ++i) {
    clock_.Go(absl::Minutes(2));
    run.Write(1);
  }
  const SpoolReport report = Verify();
  EXPECT_TRUE(report.ok()) << report.ToString();
  EXPECT_EQ(report.records(), run.recorder->head().sequence);
}

}  // namespace
}  // namespace holdpoint
