#include "agent/stream/drain.h"

#include <poll.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/event/recorder.h"
#include "agent/spool/layout.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kSaveEvery = absl::Milliseconds(200);
constexpr absl::Duration kIdleWait = absl::Seconds(1);
constexpr absl::Duration kLongestBackoff = absl::Seconds(30);
constexpr size_t kKinds = 64;      // of trouble that are counted apart
constexpr int kFeedAtOnce = 1000;  // records between two looks at the delivery reports

}  // namespace

absl::Status Drain::Run() {
  HP_ASSIGN_OR_RETURN(saved_, ReadCursor(options_.cursor_path));
  HP_ASSIGN_OR_RETURN(const std::vector<StreamDir> streams, ListStreams(options_.spool_dir));
  for (auto it = saved_.next_sequence.begin(); it != saved_.next_sequence.end();) {
    const bool there = std::any_of(streams.begin(), streams.end(),
                                   [&](const StreamDir& stream) { return stream.run_id == it->first; });
    it = there ? std::next(it) : saved_.next_sequence.erase(it);
  }
  absl::Duration backoff = options_.first_pause;
  for (;;) {
    const uint64_t before = counts_.delivered;
    HP_ASSIGN_OR_RETURN(const End end, RunOneSink());
    if (end == End::kDone) return absl::OkStatus();
    ++counts_.restarts;
    OnTrouble(restart_.message(), absl::StrCat("records wait in the spool: ", restart_.message()));
    if (counts_.delivered > before) backoff = options_.first_pause;
    if (WaitFor(nullptr, nullptr, backoff)) return absl::OkStatus();
    backoff = std::min(backoff * 2, kLongestBackoff);
  }
}

absl::StatusOr<Drain::End> Drain::RunOneSink() {
  tracker_ = std::make_unique<DeliveryTracker>(saved_);
  pending_record_.clear();
  restart_ = absl::OkStatus();
  watched_.reset();
  auto made = options_.make_sink(
      {.delivered = [this](uint64_t number, const absl::Status& status) { OnDelivered(number, status); },
       .trouble = [this](absl::string_view kind, absl::string_view text) { OnTrouble(kind, text); }});
  if (absl::IsInvalidArgument(made.status())) return made.status();
  if (!made.ok()) {
    restart_ = made.status();
    return End::kRestart;
  }
  const std::unique_ptr<Sink> sink = *std::move(made);
  HP_ASSIGN_OR_RETURN(const auto reader, SpoolReader::Open(options_.spool_dir, {.from = saved_}));
  reader->wait_fd();  // Watch before the first look, so that nothing falls between.
  for (;;) {
    HP_ASSIGN_OR_RETURN(const bool more, Feed(*reader, *sink));
    sink->Poll();
    for (const std::string& notice : reader->TakeNotices()) LogWarning(notice);
    if (!restart_.ok()) {
      HP_RETURN_IF_ERROR(SaveCursor(true));
      return End::kRestart;
    }
    const bool all_delivered = !more && pending_record_.empty() && tracker_->in_flight() == 0;
    HP_RETURN_IF_ERROR(SaveCursor(all_delivered));
    if (all_delivered && options_.once) return End::kDone;
    const bool can_feed = more && pending_record_.empty();
    if (WaitFor(sink.get(), reader.get(), can_feed ? absl::ZeroDuration() : kIdleWait)) {
      if (told_.empty()) sink->Flush(absl::Seconds(2));
      HP_RETURN_IF_ERROR(SaveCursor(true));
      return End::kDone;
    }
  }
}

// Hands records to the sink until it has no room or nothing is left. False: nothing is left for now.
absl::StatusOr<bool> Drain::Feed(SpoolReader& reader, Sink& sink) {
  for (int i = 0; i < kFeedAtOnce && restart_.ok(); ++i) {
    SpoolReader::Record record;
    if (pending_record_.empty()) {
      HP_ASSIGN_OR_RETURN(const bool found, reader.Next(&record));
      if (!found) return false;
      pending_number_ = tracker_->Add(record.run_id, record.sequence);
      if (!watched_.has_value()) Watch(pending_number_, record.bytes);
    } else {
      record.bytes = pending_record_;
    }
    const absl::Status status = sink.Put(pending_number_, record.bytes);
    if (absl::IsUnavailable(status)) {  // No room: the delivery reports make some.
      if (pending_record_.empty()) pending_record_.assign(record.bytes.data(), record.bytes.size());
      return true;
    }
    if (!status.ok()) OnDelivered(pending_number_, status);
    pending_record_.clear();
  }
  return true;
}

void Drain::Watch(uint64_t number, absl::string_view record) {
  v1::Envelope event;
  if (ParseRecord(record, &event)) watched_ = Watched{number, event.time_unix_ns()};
}

void Drain::OnDelivered(uint64_t number, const absl::Status& status) {
  if (absl::IsOutOfRange(status)) {
    // It would block the stream for ever.
    LogError("a record stays in the spool only: ", status.message());
    ++counts_.undeliverable;
  } else if (!status.ok()) {
    if (restart_.ok()) restart_ = status;
    return;
  }
  if (!told_.empty() && status.ok()) {
    told_.clear();
    counts_.blocked.clear();
    LogInfo("records are delivered again");
  }
  if (watched_.has_value() && watched_->number == number) {
    const int64_t now = absl::ToUnixNanos(Clock::Real().Wall());
    counts_.delay.Add(absl::Nanoseconds(now - watched_->made_unix_ns));
    counts_.last_unix_ns = now;
    counts_.last_record_unix_ns = watched_->made_unix_ns;
    watched_.reset();
  }
  const uint64_t before = tracker_->delivered();
  tracker_->Delivered(number);
  counts_.delivered += tracker_->delivered() - before;
}

void Drain::OnTrouble(absl::string_view kind, absl::string_view sentence) {
  const bool known = counts_.trouble.size() < kKinds || counts_.trouble.contains(std::string(kind));
  ++counts_.trouble[known ? std::string(kind) : "other"];
  if (!told_.emplace(kind).second) return;
  LogWarning(sentence);
  counts_.blocked = std::string(kind);
  if (options_.progress) options_.progress(counts_);
}

absl::Status Drain::SaveCursor(bool now) {
  if (counts_.delivered == saved_delivered_) return absl::OkStatus();
  const BootTime time = Clock::Real().Boot();
  if (!now && time - last_save_ < kSaveEvery) return absl::OkStatus();
  HP_RETURN_IF_ERROR(WriteCursor(options_.cursor_path, tracker_->cursor()));
  saved_ = tracker_->cursor();
  saved_delivered_ = counts_.delivered;
  last_save_ = time;
  if (options_.progress) options_.progress(counts_);
  return absl::OkStatus();
}

// Waits for delivery reports, new records, the end of `timeout`, or the stop: then true.
bool Drain::WaitFor(Sink* sink, SpoolReader* reader, absl::Duration timeout) {
  if (counts_.delivered != saved_delivered_) timeout = std::min(timeout, kSaveEvery);
  pollfd fds[3] = {{options_.stop_fd, POLLIN, 0},
                   {sink != nullptr ? sink->wait_fd() : -1, POLLIN, 0},
                   // A full queue waits for reports, not for records.
                   {reader != nullptr && pending_record_.empty() ? reader->wait_fd() : -1, POLLIN, 0}};
  poll(fds, 3, static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  if (reader != nullptr && (fds[2].revents & POLLIN) != 0) reader->Wait(absl::ZeroDuration());
  return (fds[0].revents & (POLLIN | POLLHUP)) != 0;
}

}  // namespace holdpoint
