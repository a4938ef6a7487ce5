// Writes a run of records into a spool, for tests that have no gate: spool_writer STATE_DIR COUNT [FILLER_BYTES]
// Sessions s-1 to s-7 and the host take turns. At the end it prints the run id; then it has let go of the spool.
#include <sys/stat.h>

#include <cstdio>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/event/recorder.h"
#include "agent/event/stream_id.h"
#include "agent/spool/spool.h"

namespace holdpoint {
namespace {

constexpr uint64_t kKeys = 8;

v1::Envelope Started(const Spool::Report& before) {
  v1::Envelope event;
  v1::DaemonState& daemon = *event.mutable_daemon();
  daemon.set_state("started");
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
  HP_RETURN_IF_ERROR(recorder.Record(Started(spool->report())).status());
  for (uint64_t i = 1; i < count; ++i) {
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
