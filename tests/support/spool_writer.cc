// Writes a run of records into a spool, for tests that have no gate: spool_writer STATE_DIR COUNT [FILLER_BYTES]
// Sessions s-1 to s-7 and the host take turns; a signed heartbeat comes second, then every 10,000 records, and at the
// end. At the end it prints the run id; then it has let go of the spool.
#include <sys/stat.h>

#include <cstdio>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/event/heartbeat.h"
#include "agent/event/recorder.h"
#include "agent/event/stream_id.h"
#include "agent/spool/spool.h"

namespace holdpoint {
namespace {

constexpr uint64_t kKeys = 8, kBeatEvery = 10'000;

absl::Status Beat(Recorder& recorder, const HeartbeatKey& key, bool ends) {
  v1::Envelope event;
  event.mutable_heartbeat()->set_sequence(1);
  return recorder
      .Record(event,
              [&](const Recorder::Head& head, v1::Envelope& e) {
                v1::HeartbeatStatement& statement = *e.mutable_heartbeat()->mutable_statement();
                *statement.mutable_stream() = recorder.stream();
                statement.set_chain_sequence(head.sequence);
                statement.set_chain_hash(head.hash.data(), head.hash.size());
                statement.set_time_unix_ns(absl::ToUnixNanos(Clock::Real().Wall()));
                statement.set_interval_seconds(30);
                statement.set_state(ends ? "stopping" : "running");
                e.mutable_heartbeat()->set_signature(key.Sign(statement.SerializeAsString()));
              })
      .status();
}

v1::Envelope Started(const Spool::Report& before, const HeartbeatKey& key) {
  v1::Envelope event;
  v1::DaemonState& daemon = *event.mutable_daemon();
  daemon.set_state("started");
  daemon.set_heartbeat_key(key.public_key());
  daemon.set_previous_run_id(before.previous_run_id);
  daemon.set_previous_last_sequence(before.previous_last_sequence);
  daemon.set_previous_last_hash(before.previous_last_hash.data(), before.previous_last_hash.size());
  return event;
}

absl::Status Write(const std::string& state, uint64_t count, size_t filler) {
  if (mkdir(state.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus(state);
  HP_ASSIGN_OR_RETURN(const v1::StreamId stream, MakeStreamId(state, "test"));
  HP_ASSIGN_OR_RETURN(const auto spool, Spool::Open(absl::StrCat(state, "/spool"), stream.run_id()));
  Recorder recorder(stream, Clock::Real(), *spool);
  HP_ASSIGN_OR_RETURN(const HeartbeatKey key, HeartbeatKey::ReadOrMake(absl::StrCat(state, "/heartbeat.key")));
  HP_RETURN_IF_ERROR(recorder.Record(Started(spool->report(), key)).status());
  for (uint64_t i = 1; i < count; ++i) {
    const bool ends = i + 1 == count;
    if (i % kBeatEvery == 1 || ends) {
      HP_RETURN_IF_ERROR(Beat(recorder, key, ends));
      continue;
    }
    v1::Envelope event;
    if (i % kKeys != 0) event.set_session(absl::StrCat("s-", i % kKeys));
    event.mutable_rollup()->set_count(i);
    event.mutable_rollup()->set_subject(std::string(filler, 'x'));
    HP_RETURN_IF_ERROR(recorder.Record(std::move(event)).status());
  }
  HP_RETURN_IF_ERROR(recorder.Sync());
  std::printf("%s\n", stream.run_id().c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace holdpoint

int main(int argc, char** argv) {
  holdpoint::SetLogName("spool_writer");
  uint64_t count = 0, filler = 60;
  if (argc < 3 || argc > 4 || !absl::SimpleAtoi(argv[2], &count) ||
      (argc == 4 && !absl::SimpleAtoi(argv[3], &filler))) {
    std::fprintf(stderr, "usage: spool_writer STATE_DIR COUNT [FILLER_BYTES]\n");
    return 2;
  }
  const absl::Status status = holdpoint::Write(argv[1], count, filler);
  if (!status.ok()) holdpoint::LogError(status.message());
  return holdpoint::ExitCode(status);
}
