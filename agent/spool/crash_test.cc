// What a crash and a full disk leave behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "agent/event/recorder.h"
#include "agent/spool/frame.h"
#include "agent/spool/spool.h"
#include "agent/spool/verify.h"

namespace holdpoint {
namespace {

namespace fs = std::filesystem;

v1::StreamId Stream(const std::string& run_id) {
  v1::StreamId stream;
  stream.set_run_id(run_id);
  return stream;
}

v1::Envelope Event(uint64_t i) {
  v1::Envelope event;
  event.set_session("s");
  event.mutable_rollup()->set_subject(std::string(i % 700, 'x'));
  return event;
}

class CrashTest : public testing::Test {
 protected:
  CrashTest() {
    char name[] = "/tmp/holdpoint-crash-XXXXXX";
    root_ = mkdtemp(name);
  }
  ~CrashTest() override { fs::remove_all(root_); }
  std::string root_;
};

// Writes for ever; tells the parent of each record that the spool took, by one byte on `progress`.
[[noreturn]] void WriteForEver(const std::string& dir, const std::string& run_id, int progress) {
  auto spool = Spool::Open(dir, run_id, {.segment_bytes = 32 * 1024});
  if (!spool.ok()) _exit(1);
  Recorder recorder(Stream(run_id), Clock::Real(), **spool);
  for (uint64_t i = 0;; ++i) {
    if (!recorder.Record(Event(i)).ok()) _exit(2);
    if (write(progress, "x", 1) != 1) _exit(3);
  }
}

TEST_F(CrashTest, KilledWriterLosesNoRecordThatTheSpoolTook) {
  const std::string dir = root_ + "/spool";
  uint64_t taken_in_all = 0;
  for (int round = 0; round < 25; ++round) {
    int progress[2];
    ASSERT_EQ(pipe(progress), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(progress[0]);
      WriteForEver(dir, absl::StrCat("run-", round), progress[1]);
    }
    close(progress[1]);
    uint64_t taken = 0;
    char bytes[64];
    const uint64_t enough = 1 + static_cast<uint64_t>(round) * 37;  // Ends at a different place each time.
    while (taken < enough) {
      const ssize_t n = read(progress[0], bytes, sizeof(bytes));
      ASSERT_GT(n, 0);
      taken += static_cast<uint64_t>(n);
    }
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
    for (ssize_t n; (n = read(progress[0], bytes, sizeof(bytes))) > 0;) taken += static_cast<uint64_t>(n);
    close(progress[0]);

    auto spool = Spool::Open(dir, "after");  // Repairs what the writer left; makes no stream as nothing is appended.
    ASSERT_TRUE(spool.ok()) << spool.status();
    const auto report = VerifySpool(dir);
    ASSERT_TRUE(report.ok() && report->ok()) << report->ToString();
    // The last record may have been written before its byte was.
    ASSERT_GE(report->streams.back().records, taken);
    ASSERT_LE(report->streams.back().records, taken + 1);
    EXPECT_EQ((*spool)->report().previous_last_sequence, report->streams.back().records);
    taken_in_all += report->streams.back().records;
  }
  EXPECT_EQ(VerifySpool(dir)->records(), taken_in_all);
}

v1::Envelope Started(const Spool& spool) {
  v1::Envelope event;
  v1::DaemonState& daemon = *event.mutable_daemon();
  daemon.set_state("started");
  daemon.set_previous_run_id(spool.report().previous_run_id);
  daemon.set_previous_last_sequence(spool.report().previous_last_sequence);
  daemon.set_previous_last_hash(spool.report().previous_last_hash.data(), spool.report().previous_last_hash.size());
  return event;
}

v1::Envelope Refusal() {
  v1::Envelope event = Event(0);
  event.clear_rollup();
  event.mutable_exec()->mutable_judgement()->set_verdict(v1::VERDICT_REFUSE);
  return event;
}

[[noreturn]] void EvictForEver(const std::string& dir, const std::string& run_id, int progress) {
  auto spool =
      Spool::Open(dir, run_id, {.segment_bytes = 8 * 1024, .reserve_bytes = 0, .bounds = {.max_bytes = 48 * 1024}});
  if (!spool.ok()) _exit(1);
  Recorder recorder(Stream(run_id), Clock::Real(), **spool);
  if (!recorder.Record(Started(**spool)).ok()) _exit(2);
  for (uint64_t i = 0;; ++i) {
    if (!recorder.Record(i % 10 == 0 ? Refusal() : Event(i)).ok()) _exit(2);
    if (write(progress, "x", 1) != 1) _exit(3);
  }
}

TEST_F(CrashTest, KilledWhileItEvictsEveryGapIsDeclared) {
  const std::string dir = root_ + "/spool";
  for (int round = 0; round < 25; ++round) {
    int progress[2];
    ASSERT_EQ(pipe(progress), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(progress[0]);
      EvictForEver(dir, absl::StrCat("run-", round), progress[1]);
    }
    close(progress[1]);
    char bytes[64];
    for (int taken = 0; taken < 150 + round * 7;) {  // Several evictions, and an end at a different place each time.
      const ssize_t n = read(progress[0], bytes, sizeof(bytes));
      ASSERT_GT(n, 0);
      taken += static_cast<int>(n);
    }
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
    close(progress[0]);
  }
  auto spool = Spool::Open(dir, "after");
  ASSERT_TRUE(spool.ok()) << spool.status();
  Recorder recorder(Stream("after"), Clock::Real(), **spool);
  ASSERT_TRUE(recorder.Record(Started(**spool)).ok());
  const auto report = VerifySpool(dir);
  ASSERT_TRUE(report.ok() && report->ok()) << report->ToString();
  uint64_t evicted = 0;
  for (const StreamReport& stream : report->streams) evicted += stream.declared_lost;
  EXPECT_GT(evicted, 100u) << "or nothing was shown";
}

// What a power cut leaves of the last segment: its first `keep` bytes, then the zero bytes that were set aside.
TEST_F(CrashTest, PowerCutAtEveryByteOfTheLastSegmentKeepsEveryWholeRecord) {
  const std::string dir = root_ + "/spool";
  const SpoolOptions options{.segment_bytes = 4 * 1024, .reserve_bytes = 0};
  std::vector<uint64_t> ends;  // of its records
  {
    auto spool = Spool::Open(dir, "a", options);
    ASSERT_TRUE(spool.ok());
    Recorder recorder(Stream("a"), Clock::Real(), **spool);
    ASSERT_TRUE(recorder.Record(Started(**spool)).ok());
    for (uint64_t i = 0; i < 12; ++i) ASSERT_TRUE(recorder.Record(i % 3 == 0 ? Refusal() : Event(60 * i)).ok());
  }
  const auto segments = ListSegments(dir + "/a");
  ASSERT_GE(segments->size(), 2u);
  const SegmentFile last = segments->back();
  std::ifstream in(last.path, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  Frame frame;
  for (size_t at = 0; at < whole.size(); at += frame.size) {
    ASSERT_EQ(ParseFrame(absl::string_view(whole).substr(at), &frame), FrameState::kWhole);
    ends.push_back(at + frame.size);
  }
  for (const bool zeros : {false, true}) {
    for (size_t keep = 0; keep <= whole.size(); ++keep) {
      std::string cut = whole.substr(0, keep);
      if (zeros) cut.resize(options.segment_bytes, '\0');
      std::ofstream(last.path, std::ios::binary | std::ios::trunc) << cut;
      const auto kept = static_cast<uint64_t>(std::upper_bound(ends.begin(), ends.end(), keep) - ends.begin());
      auto spool = Spool::Open(dir, "b", options);
      ASSERT_TRUE(spool.ok()) << spool.status();
      ASSERT_EQ((*spool)->report().previous_last_sequence, last.first_sequence - 1 + kept) << "cut at " << keep;
      ASSERT_EQ((*spool)->report().damaged_bytes, 0u) << "cut at " << keep;
      if (keep % 97 != 0) continue;
      Recorder recorder(Stream("b"), Clock::Real(), **spool);
      ASSERT_TRUE(recorder.Record(Started(**spool)).ok());
      const auto report = VerifySpool(dir);
      ASSERT_TRUE(report->ok()) << "cut at " << keep << ": " << report->ToString();
      spool->reset();
      fs::remove_all(dir + "/b");
    }
  }
}

// A tmpfs of 512 KiB in a mount namespace of our own.
class FullDiskTest : public CrashTest {
 protected:
  void SetUp() override {
    if (unshare(CLONE_NEWNS) != 0) GTEST_SKIP() << "missing capability: CAP_SYS_ADMIN, to mount a small tmpfs";
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    disk_ = root_ + "/disk";
    ASSERT_EQ(mkdir(disk_.c_str(), 0700), 0);
    ASSERT_EQ(mount("tmpfs", disk_.c_str(), "tmpfs", 0, "size=512k"), 0);
  }
  void TearDown() override {
    if (!disk_.empty()) umount2(disk_.c_str(), MNT_DETACH);
  }
  std::string disk_;
};

TEST_F(FullDiskTest, AppendFailsCleanlyAndTheChainVerifiesWhenThereIsSpaceAgain) {
  const std::string ballast = disk_ + "/ballast";
  ASSERT_EQ(WEXITSTATUS(system(absl::StrCat("head -c 300000 /dev/zero > ", ballast).c_str())), 0);
  auto spool = Spool::Open(disk_ + "/spool", "a", {.segment_bytes = 64 * 1024});
  ASSERT_TRUE(spool.ok()) << spool.status();
  Recorder recorder(Stream("a"), Clock::Real(), **spool);
  absl::Status status;
  uint64_t i = 0;
  while (status.ok() && i < 10'000) status = recorder.Record(Event(i++)).status();
  ASSERT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  for (int more = 0; more < 100; ++more) recorder.Record(Event(i++)).IgnoreError();
  const uint64_t lost = recorder.counts().lost();
  EXPECT_GE(lost, 90u);
  ASSERT_TRUE(VerifySpool(disk_ + "/spool")->ok());  // What is there is whole, also while the disk is full.

  ASSERT_EQ(unlink(ballast.c_str()), 0);
  ASSERT_TRUE(recorder.Record(Event(i)).ok());
  ASSERT_TRUE(recorder.Sync().ok());
  const auto report = VerifySpool(disk_ + "/spool");
  ASSERT_TRUE(report->ok()) << report->ToString();
  EXPECT_EQ(report->streams[0].declared_missing, lost);
  EXPECT_EQ(report->records() + lost, report->streams[0].last_sequence);
}

TEST_F(FullDiskTest, EvidenceIsWrittenWhereNothingElseIsAndEachLossIsCounted) {
  auto spool = Spool::Open(disk_ + "/spool", "a", {.segment_bytes = 64 * 1024, .reserve_bytes = 64 * 1024});
  ASSERT_TRUE(spool.ok()) << spool.status();
  Recorder recorder(Stream("a"), Clock::Real(), **spool);
  ASSERT_TRUE(recorder.Record(Started(**spool)).ok());
  const std::string ballast = disk_ + "/ballast";
  ASSERT_NE(system(absl::StrCat("head -c 1M /dev/zero 2>/dev/null > ", ballast).c_str()), 0);  // Fills it up.
  uint64_t unwritten = 0, refusals = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    unwritten += recorder.Record(Event(i)).ok() ? 0 : 1;
    if (i % 20 != 0) continue;
    ASSERT_TRUE(recorder.Record(Refusal()).ok());
    ++refusals;
  }
  EXPECT_GT(unwritten, 500u);
  EXPECT_TRUE((*spool)->depth().in_reserve);
  const auto full = VerifySpool(disk_ + "/spool");
  ASSERT_TRUE(full->ok()) << full->ToString();
  ASSERT_EQ(unlink(ballast.c_str()), 0);
  ASSERT_TRUE(recorder.Record(Event(1)).ok());
  EXPECT_FALSE((*spool)->depth().in_reserve);
  EXPECT_TRUE(fs::exists(disk_ + "/spool/reserve")) << "made anew";
  const auto report = VerifySpool(disk_ + "/spool");
  ASSERT_TRUE(report->ok()) << report->ToString();
  EXPECT_EQ(report->streams[0].declared_lost, unwritten);
  EXPECT_EQ(recorder.counts().losses.at({"spool", "could not be written"}), unwritten);
  EXPECT_EQ(recorder.counts().verdicts.at("refuse"), refusals);
}

TEST_F(FullDiskTest, WhatAKilledRunCouldNotWriteTheNextOneSays) {
  const std::string ballast = disk_ + "/ballast";
  uint64_t last = 0;
  {
    auto spool = Spool::Open(disk_ + "/spool", "a", {.segment_bytes = 64 * 1024, .reserve_bytes = 0});
    ASSERT_TRUE(spool.ok()) << spool.status();
    Recorder recorder(Stream("a"), Clock::Real(), **spool);
    ASSERT_TRUE(recorder.Record(Started(**spool)).ok());
    ASSERT_NE(system(absl::StrCat("head -c 1M /dev/zero 2>/dev/null > ", ballast).c_str()), 0);
    while (recorder.counts().lost() < 50) recorder.Record(Event(300)).IgnoreError();
    last = recorder.head().sequence;
  }
  ASSERT_EQ(unlink(ballast.c_str()), 0);
  auto spool = Spool::Open(disk_ + "/spool", "b", {.segment_bytes = 64 * 1024, .reserve_bytes = 0});
  ASSERT_TRUE(spool.ok()) << spool.status();
  EXPECT_EQ((*spool)->report().previous_last_sequence, last);
  Recorder recorder(Stream("b"), Clock::Real(), **spool);
  ASSERT_TRUE(recorder.Record(Started(**spool)).ok());
  const auto report = VerifySpool(disk_ + "/spool");
  ASSERT_TRUE(report->ok()) << report->ToString();
  EXPECT_EQ(report->streams[0].declared_lost, 50u);
  EXPECT_EQ(recorder.counts().losses.at({"spool", "could not be written"}), 50u);
}

TEST_F(FullDiskTest, NothingCanBeWrittenFromTheStartAndLaterItCan) {
  const std::string ballast = disk_ + "/ballast";
  ASSERT_NE(system(absl::StrCat("head -c 1M /dev/zero 2>/dev/null > ", ballast).c_str()), 0);  // Fills it up.
  auto spool = Spool::Open(disk_ + "/spool", "a");
  ASSERT_TRUE(spool.ok()) << spool.status();
  Recorder recorder(Stream("a"), Clock::Real(), **spool);
  EXPECT_EQ(recorder.Record(Event(1)).status().code(), absl::StatusCode::kResourceExhausted);
  ASSERT_EQ(unlink(ballast.c_str()), 0);
  ASSERT_TRUE(recorder.Record(Event(2)).ok());
  const auto report = VerifySpool(disk_ + "/spool");
  ASSERT_TRUE(report->ok()) << report->ToString();
  EXPECT_EQ(report->streams[0].declared_missing, 1u);
}

}  // namespace
}  // namespace holdpoint
