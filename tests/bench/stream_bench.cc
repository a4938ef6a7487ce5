// What the record costs on its way: spool append and replay, drained events a second, the delay until brokers have it.
//
//   stream_bench spool COUNT                         in a folder of its own below the working directory
//   stream_bench drain BROKERS TOPIC COUNT
//   stream_bench delay BROKERS TOPIC RATE SECONDS
//
// Not a test: nothing is asserted. Run it on an idle machine.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <mutex>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/base/log.h"
#include "agent/event/recorder.h"
#include "agent/event/stream_id.h"
#include "agent/spool/reader.h"
#include "agent/spool/spool.h"
#include "agent/stream/drain.h"
#include "agent/stream/producer.h"

namespace holdpoint {
namespace {

// An ordinary allowed exec of a session, as `record: {allowed: full}` writes it.
v1::Envelope Example(uint64_t i) {
  v1::Envelope event;
  event.set_session(absl::StrCat("s-", i % 7));
  event.set_environment("staging");
  event.set_rung("exec: sigstop+ptrace");
  v1::Process& process = *event.mutable_exec()->mutable_process();
  process.set_tgid(static_cast<uint32_t>(1000 + i % 30000));
  process.set_start_boot_ns(1'000'000'000 + i);
  process.set_parent_tgid(999);
  process.set_uid(1000);
  process.set_executable("/usr/bin/git");
  process.set_working_directory("/home/dana/src/shop-api");
  for (const char* word : {"git", "status", "--porcelain"}) process.add_argv(word);
  process.set_exec_id(i);
  v1::Judgement& judgement = *event.mutable_exec()->mutable_judgement();
  judgement.set_verdict(v1::VERDICT_ALLOW);
  judgement.set_rule("default");
  judgement.set_effect(v1::EFFECT_READ);
  judgement.set_summary("git status --porcelain");
  return event;
}

double Cpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// The most that this process has had resident so far, in MiB.
double PeakMemory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

class Meter {
 public:
  explicit Meter(const char* what) : what_(what), wall_(absl::Now()), cpu_(Cpu()) {}
  void Done(uint64_t count, uint64_t bytes) const {
    const double seconds = absl::ToDoubleSeconds(absl::Now() - wall_);
    std::printf("%-14s %9.0f events/s  %7.1f MB/s  %5.2f us of CPU each  (%llu events in %.2f s, peak %.0f MiB)\n", what_,
                static_cast<double>(count) / seconds, static_cast<double>(bytes) / seconds / 1e6,
                (Cpu() - cpu_) / static_cast<double>(count) * 1e6, static_cast<unsigned long long>(count), seconds,
                PeakMemory());
  }

 private:
  const char* what_;
  absl::Time wall_;
  double cpu_;
};

struct Place {
  Place() {
    char name[] = "stream-bench-XXXXXX";
    state = std::filesystem::absolute(mkdtemp(name));
    std::filesystem::create_directories(state + "/stream");
    stream = *MakeStreamId(state, "bench");
    spool = *Spool::Open(state + "/spool", stream.run_id(), {.bounds = {.max_bytes = 8ull << 30}});
    recorder = std::make_unique<Recorder>(stream, Clock::Real(), *spool);
  }
  ~Place() { std::filesystem::remove_all(state); }

  std::string state;
  v1::StreamId stream;
  std::unique_ptr<Spool> spool;
  std::unique_ptr<Recorder> recorder;
};

void Append(Place& place, uint64_t count) {
  const Meter meter("append");
  for (uint64_t i = 0; i < count; ++i) (void)place.recorder->Record(Example(i));
  (void)place.recorder->Sync();
  meter.Done(count, place.recorder->totals().bytes);
}

void Replay(Place& place) {
  const Meter meter("replay");
  auto reader = *SpoolReader::Open(place.state + "/spool", {});
  uint64_t count = 0, bytes = 0;
  SpoolReader::Record record;
  while (*reader->Next(&record)) {
    ++count;
    bytes += record.bytes.size();
  }
  meter.Done(count, bytes);
}

// Passes everything on, and keeps when each record was put in and reported.
class Timed final : public Sink {
 public:
  using Report = std::function<void(uint64_t number)>;
  static absl::StatusOr<std::unique_ptr<Sink>> Create(const KafkaOptions& kafka, Reports reports, const Report& report) {
    auto timed = std::make_unique<Timed>();
    const auto delivered = reports.delivered;
    reports.delivered = [delivered, report](uint64_t number, const absl::Status& status) {
      if (status.ok()) report(number);
      delivered(number, status);
    };
    auto inner = KafkaSink::Create(kafka, std::move(reports));
    if (!inner.ok()) return inner.status();
    timed->inner_ = *std::move(inner);
    return timed;
  }
  absl::Status Put(uint64_t number, absl::string_view bytes) override { return inner_->Put(number, bytes); }
  void Poll() override { inner_->Poll(); }
  int wait_fd() const override { return inner_->wait_fd(); }
  void Flush(absl::Duration timeout) override { inner_->Flush(timeout); }

 private:
  std::unique_ptr<Sink> inner_;
};

KafkaOptions To(const std::string& brokers, const std::string& topic) {
  KafkaOptions kafka;
  kafka.settings = ProducerSettings(brokers, {}, KafkaFeatures());
  kafka.events.name = topic;
  return kafka;
}

int RunSpool(uint64_t count) {
  Place place;
  Append(place, count);
  Replay(place);
  return 0;
}

int RunDrain(const std::string& brokers, const std::string& topic, uint64_t count) {
  Place place;
  Append(place, count);
  const KafkaOptions kafka = To(brokers, topic);
  const Meter meter("drain");
  Drain drain({.spool_dir = place.state + "/spool",
               .cursor_path = CursorPath(place.state),
               .make_sink = [&kafka](Sink::Reports reports) {
                 return absl::StatusOr<std::unique_ptr<Sink>>(KafkaSink::Create(kafka, std::move(reports)));
               },
               .once = true});
  const absl::Status status = drain.Run();
  if (!status.ok()) LogError(status.message());
  meter.Done(drain.counts().delivered, place.recorder->totals().bytes);
  return status.ok() ? 0 : 1;
}

int RunDelay(const std::string& brokers, const std::string& topic, int rate, int seconds) {
  Place place;
  const uint64_t count = static_cast<uint64_t>(rate) * static_cast<uint64_t>(seconds);
  std::vector<int64_t> put(count), got(count);
  int stop[2];
  if (pipe(stop) != 0) return 1;
  const KafkaOptions kafka = To(brokers, topic);
  std::atomic<uint64_t> reported{0};
  (void)place.recorder->FlushLosses();
  (void)place.recorder->Record(Example(0));  // So that there is a stream; connections are made before the measurement.
  Drain drain({.spool_dir = place.state + "/spool",
               .cursor_path = CursorPath(place.state),
               .make_sink =
                   [&](Sink::Reports reports) {
                     return Timed::Create(kafka, std::move(reports), [&](uint64_t number) {
                       if (number > 0 && number <= count) got[number - 1] = absl::GetCurrentTimeNanos();
                       ++reported;
                     });
                   },
               .stop_fd = stop[0]});
  std::thread draining([&drain] { (void)drain.Run(); });
  while (reported == 0) usleep(1000);
  const double cpu = Cpu();
  const absl::Time begin = absl::Now();
  for (uint64_t i = 0; i < count; ++i) {
    const absl::Time due = begin + absl::Seconds(1) * (static_cast<double>(i) / rate);
    if (const absl::Time now = absl::Now(); now < due) absl::SleepFor(due - now);
    put[i] = absl::GetCurrentTimeNanos();
    (void)place.recorder->Record(Example(i + 1));
  }
  while (reported <= count) usleep(1000);
  const double used = (Cpu() - cpu) / seconds;
  if (write(stop[1], "x", 1) != 1) return 1;
  draining.join();
  std::vector<double> ms;
  for (uint64_t i = 0; i < count; ++i) ms.push_back(static_cast<double>(got[i] - put[i]) / 1e6);
  std::sort(ms.begin(), ms.end());
  const auto at = [&ms](double q) { return ms[static_cast<size_t>(q * static_cast<double>(ms.size() - 1))]; };
  std::printf("delay at %6d events/s: p50 %6.1f ms  p99 %6.1f ms  max %6.1f ms  (%.1f %% of a core, writer included; peak %.0f MiB)\n",
              rate, at(0.5), at(0.99), ms.back(), used * 100, PeakMemory());
  return 0;
}

int Main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  uint64_t count = 0;
  int rate = 0, seconds = 0;
  if (what == "spool" && argc == 3 && absl::SimpleAtoi(argv[2], &count)) return RunSpool(count);
  if (what == "drain" && argc == 5 && absl::SimpleAtoi(argv[4], &count)) return RunDrain(argv[2], argv[3], count);
  if (what == "delay" && argc == 6 && absl::SimpleAtoi(argv[4], &rate) && absl::SimpleAtoi(argv[5], &seconds)) {
    return RunDelay(argv[2], argv[3], rate, seconds);
  }
  std::fprintf(stderr, "usage: stream_bench spool COUNT | drain BROKERS TOPIC COUNT | delay BROKERS TOPIC RATE SECONDS\n");
  return 2;
}

}  // namespace
}  // namespace holdpoint

int main(int argc, char** argv) { return holdpoint::Main(argc, argv); }
