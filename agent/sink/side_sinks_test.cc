#include "agent/sink/side_sinks.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/event/recorder.h"
#include "agent/sink/counters.h"
#include "agent/spool/spool.h"

namespace holdpoint {
namespace {

class SideSinksTest : public testing::Test {
 protected:
  SideSinksTest() {
    char name[] = "/tmp/holdpoint-sinks-XXXXXX";
    state_ = mkdtemp(name);
    std::filesystem::create_directory(state_ + "/stream");
  }
  ~SideSinksTest() override { std::filesystem::remove_all(state_); }

  // One run of a daemon: that many events, of some 200 bytes each. The last sequence, which tombstones move on.
  uint64_t RunOfDaemon(const std::string& run_id, int events, uint64_t max_bytes, uint64_t* spool_bytes = nullptr) {
    SpoolOptions options{.segment_bytes = 16 * 1024, .reserve_bytes = 0, .bounds = {.max_bytes = max_bytes}};
    auto spool = Spool::Open(state_ + "/spool", run_id, options);
    EXPECT_TRUE(spool.ok()) << spool.status();
    v1::StreamId stream;
    stream.set_run_id(run_id);
    Recorder recorder(stream, Clock::Real(), **spool);
    for (int i = 0; i < events; ++i) {
      v1::Envelope event;
      event.mutable_rollup()->set_subject(std::string(200, 'x'));
      EXPECT_TRUE(recorder.Record(std::move(event)).ok());
    }
    EXPECT_TRUE(recorder.FlushLosses().ok());
    if (spool_bytes != nullptr) *spool_bytes = (*spool)->depth().bytes;
    return recorder.head().sequence;
  }

  SinkCounters Deliver() {
    auto specs = SideSinks::Parse({"local=json:file:" + state_ + "/events"}, {});
    EXPECT_TRUE(specs.ok()) << specs.status();
    SideSinks sinks(*std::move(specs), state_, geteuid());
    sinks.Start(/*once=*/true, /*stop_fd=*/-1);
    EXPECT_TRUE(sinks.Join().ok());
    return ReadSinkCounters(SinkCountersPath(state_, "local"));
  }

  size_t Lines() const {
    std::ifstream file(state_ + "/events");
    std::string line;
    size_t lines = 0;
    while (std::getline(file, line)) ++lines;
    return lines;
  }

  std::string state_;
};

constexpr uint64_t kBound = 64 * 1024;

TEST_F(SideSinksTest, EvictionWaitsForNoneAndEachSaysExactlyWhatItMissed) {
  uint64_t events = RunOfDaemon("run-1", 20, kBound);
  EXPECT_EQ(Deliver().delivered, events);

  // While nobody reads: a run that goes as a whole, and one of which the end is left.
  events += RunOfDaemon("run-2", 100, kBound);
  uint64_t on_disk = 0;
  events += RunOfDaemon("run-3", 1000, kBound, &on_disk);
  EXPECT_LE(on_disk, kBound + 16 * 1024);
  ASSERT_FALSE(std::filesystem::exists(state_ + "/spool/run-2"));

  SinkCounters counters = Deliver();
  EXPECT_GT(counters.missing, 500u);
  EXPECT_EQ(counters.delivered + counters.missing, events);
  EXPECT_EQ(Lines(), counters.delivered);

  // What it had read itself is no loss of its when it goes.
  events += RunOfDaemon("run-4", 100, kBound);
  const uint64_t missing = counters.missing;
  counters = Deliver();
  EXPECT_EQ(counters.missing, missing);
  EXPECT_EQ(counters.delivered + counters.missing, events);
}

TEST_F(SideSinksTest, WithRoomNothingIsMissing) {
  const uint64_t events = RunOfDaemon("run-1", 500, 0) + RunOfDaemon("run-2", 500, 0);
  const SinkCounters counters = Deliver();
  EXPECT_EQ(counters.delivered, events);
  EXPECT_EQ(counters.missing, 0u);
}

}  // namespace
}  // namespace holdpoint
