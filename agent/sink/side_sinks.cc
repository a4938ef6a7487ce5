#include "agent/sink/side_sinks.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/sink/file_target.h"
#include "agent/sink/line_pump.h"
#include "agent/sink/syslog_target.h"
#include "agent/spool/layout.h"
#include "agent/spool/reader.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kSaveEvery = absl::Milliseconds(200);
constexpr absl::Duration kIdleWait = absl::Seconds(1);
constexpr absl::Duration kOpenAgain = absl::Seconds(10);
constexpr size_t kRunsKept = 256;  // in a cursor, of those that are gone from the spool

absl::StatusOr<std::unique_ptr<LineTarget>> OpenTarget(const SinkSpec& spec, uid_t owner,
                                                       const SideSinks::MakeTopic& make_topic) {
  switch (spec.kind) {
    case SinkSpec::Kind::kFile: {
      HP_ASSIGN_OR_RETURN(std::unique_ptr<LineTarget> file, FileTarget::Open(spec.place, owner));
      return file;
    }
    case SinkSpec::Kind::kStdout:
      return FileTarget::Stdout();
    case SinkSpec::Kind::kTopic:
      if (!make_topic) return absl::FailedPreconditionError("a topic, and no brokers are configured: see kafka.brokers");
      return make_topic(spec.place);
    default: {
      HP_ASSIGN_OR_RETURN(std::unique_ptr<LineTarget> syslog, SyslogTarget::Make(spec));
      return syslog;
    }
  }
}

absl::Status MakeFolder(const std::string& path, uid_t owner) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus(path);
  if (geteuid() == 0 && lchown(path.c_str(), owner, owner) != 0) return ErrnoStatus(path);
  return absl::OkStatus();
}

// How far a sink had read runs that are gone says what a tombstone of them means to it; but not for ever.
void ForgetRuns(const std::vector<StreamDir>& streams, Cursor* cursor) {
  if (cursor->next_sequence.size() < streams.size() + kRunsKept) return;
  std::erase_if(cursor->next_sequence, [&](const auto& entry) {
    return std::none_of(streams.begin(), streams.end(), [&](const StreamDir& one) { return one.run_id == entry.first; });
  });
}

}  // namespace

struct SideSinks::One {
  SinkSpec spec;
  std::string state;
  absl::StatusOr<std::unique_ptr<LineTarget>> target = absl::UnavailableError("not opened");
  SinkCounters counters;
  std::thread thread;
  absl::Status ended;
  uint64_t missing_told = 0;
  std::string told;  // the last failure that was said, until a delivery
  BootTime saved_at;
  Cursor saved;

  void Tell(const absl::Status& failure) {
    if (told.empty()) LogWarning("sink ", spec.name, " gets its events later: ", failure.message());
    told = std::string(failure.message());
  }

  void TellMissing(uint64_t before) {
    if (counters.missing > before) {
      LogWarning("sink ", spec.name, ": ", counters.missing - before, " events were gone from the spool before it had read them");
    }
  }

  void SaveCounters() {
    if (absl::Status written = WriteSinkCounters(SinkCountersPath(state, spec.name), counters); !written.ok()) {
      LogWarning("the counters of sink ", spec.name, " can't be written: ", written.message());
    }
  }

  absl::Status Save(const LinePump& pump, bool now) {
    const BootTime time = Clock::Real().Boot();
    if (!now && time - saved_at < kSaveEvery) return absl::OkStatus();
    saved_at = time;
    SaveCounters();
    if (pump.cursor().next_sequence == saved.next_sequence) return absl::OkStatus();
    HP_RETURN_IF_ERROR(WriteCursor(SinkCursorPath(state, spec.name), pump.cursor()));
    saved = pump.cursor();
    return absl::OkStatus();
  }

  // True where it is to stop.
  static bool Wait(int stop_fd, int reader_fd, absl::Duration time) {
    pollfd fds[2] = {{stop_fd, POLLIN, 0}, {reader_fd, POLLIN, 0}};
    poll(fds, 2, static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(time, absl::Milliseconds(1)))));
    return (fds[0].revents & (POLLIN | POLLHUP)) != 0;
  }

  absl::Status Run(bool once, int stop_fd, const MakeTopic& make_topic) {
    while (!target.ok()) {
      ++counters.failures;
      counters.last_failure = std::string(target.status().message());
      counters.last_failure_unix_ns = absl::ToUnixNanos(Clock::Real().Wall());
      SaveCounters();
      if (once) return target.status();
      if (Wait(stop_fd, -1, kOpenAgain)) return absl::OkStatus();
      target = OpenTarget(spec, geteuid(), make_topic);
    }
    HP_ASSIGN_OR_RETURN(saved, ReadCursor(SinkCursorPath(state, spec.name)));
    const bool fresh = saved.next_sequence.empty();
    const std::string spool = absl::StrCat(state, "/spool");
    HP_ASSIGN_OR_RETURN(const std::vector<StreamDir> streams, ListStreams(spool));
    ForgetRuns(streams, &saved);
    HP_ASSIGN_OR_RETURN(const auto reader, SpoolReader::Open(spool, {.from = saved}));
    reader->wait_fd();  // Watch before the first look, so that nothing falls between.
    missing_told = counters.missing;
    LinePump pump(spec, **target, saved, fresh, counters, Clock::Real());
    for (;;) {
      bool more = true;
      while (more && pump.HasRoom()) {
        SpoolReader::Record record;
        HP_ASSIGN_OR_RETURN(more, reader->Next(&record));
        if (more) pump.Take(record.run_id, record.sequence, record.bytes);
      }
      for (const std::string& notice : reader->TakeNotices()) LogWarning("sink ", spec.name, ": ", notice);
      const uint64_t before = counters.delivered;
      TellMissing(std::exchange(missing_told, counters.missing));
      if (absl::Status pushed = pump.Push(); !pushed.ok()) {
        Tell(pushed);
      } else if (counters.delivered > before && !told.empty()) {
        told.clear();
        LogInfo("sink ", spec.name, " takes events again");
      }
      const bool done = !more && pump.empty();
      HP_RETURN_IF_ERROR(Save(pump, done));
      if (done && once) return absl::OkStatus();
      // What waits for a target waits for time; without room nothing is read.
      const absl::Duration time = pump.Pause() > absl::ZeroDuration() ? std::min(pump.Pause(), kIdleWait)
                                  : more                              ? absl::ZeroDuration()
                                                                      : kIdleWait;
      if (Wait(stop_fd, pump.HasRoom() ? reader->wait_fd() : -1, time)) return Save(pump, true);
      reader->Wait(absl::ZeroDuration());
    }
  }
};

absl::StatusOr<std::vector<SinkSpec>> SideSinks::Parse(const std::vector<std::string>& sinks,
                                                       const std::vector<std::string>& settings) {
  std::vector<SinkSpec> specs;
  for (const std::string& text : sinks) {
    HP_ASSIGN_OR_RETURN(SinkSpec spec, ParseSinkSpec(text));
    const bool twice = std::any_of(specs.begin(), specs.end(), [&](const SinkSpec& one) { return one.name == spec.name; });
    if (twice) return absl::InvalidArgumentError(absl::StrCat("two sinks are called ", spec.name));
    specs.push_back(std::move(spec));
  }
  for (const std::string& text : settings) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('.', 1));
    const auto spec =
        std::find_if(specs.begin(), specs.end(), [&](const SinkSpec& one) { return one.name == parts.first; });
    if (spec == specs.end()) return absl::InvalidArgumentError(absl::StrCat("no sink is called '", parts.first, "'"));
    HP_RETURN_IF_ERROR(SetSinkOption(parts.second, &*spec));
  }
  return specs;
}

SideSinks::SideSinks(std::vector<SinkSpec> specs, const std::string& state, uid_t owner, MakeTopic make_topic)
    : make_topic_(std::move(make_topic)) {
  for (SinkSpec& spec : specs) {
    auto one = std::make_unique<One>();
    one->state = state;
    one->target = OpenTarget(spec, owner, make_topic_);
    if (!one->target.ok()) LogError("sink ", spec.name, " is tried again later: ", one->target.status().message());
    for (const std::string& folder :
         {absl::StrCat(state, "/stream/sinks"), absl::StrCat(state, "/stream/sinks/", spec.name)}) {
      if (absl::Status made = MakeFolder(folder, owner); !made.ok()) LogError("sink ", spec.name, ": ", made.message());
    }
    one->counters = ReadSinkCounters(SinkCountersPath(state, spec.name));
    one->counters.target = SinkTargetText(spec);
    one->counters.format = std::string(ExportFormatName(spec.format));
    one->spec = std::move(spec);
    sinks_.push_back(std::move(one));
  }
}

SideSinks::~SideSinks() { Join().IgnoreError(); }

void SideSinks::Start(bool once, int stop_fd) {
  for (const auto& one : sinks_) {
    one->thread = std::thread([this, sink = one.get(), once, stop_fd] {
      sink->ended = sink->Run(once, stop_fd, make_topic_);
      if (!sink->ended.ok()) LogError("sink ", sink->spec.name, " has ended: ", sink->ended.message());
      sink->SaveCounters();
    });
  }
}

absl::Status SideSinks::Join() {
  absl::Status first;
  for (const auto& one : sinks_) {
    if (one->thread.joinable()) one->thread.join();
    if (first.ok()) first = one->ended;
  }
  return first;
}

}  // namespace holdpoint
