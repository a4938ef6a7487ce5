#include "agent/stream/drain.h"

#include <poll.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/spool/layout.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kSaveEvery = absl::Milliseconds(200);
constexpr absl::Duration kIdleWait = absl::Seconds(1);
constexpr absl::Duration kFirstBackoff = absl::Seconds(1);
constexpr absl::Duration kLongestBackoff = absl::Seconds(30);
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
  absl::Duration backoff = kFirstBackoff;
  for (;;) {
    const uint64_t before = delivered_;
    HP_ASSIGN_OR_RETURN(const End end, RunOneProducer());
    if (end == End::kDone) return absl::OkStatus();
    Tell(absl::StrCat("starting over from the spool: ", restart_.message()));
    if (delivered_ > before) backoff = kFirstBackoff;
    if (WaitFor(nullptr, nullptr, backoff)) return absl::OkStatus();
    backoff = std::min(backoff * 2, kLongestBackoff);
  }
}

absl::StatusOr<Drain::End> Drain::RunOneProducer() {
  tracker_ = std::make_unique<DeliveryTracker>(saved_);
  pending_record_.clear();
  restart_ = absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const auto reader, SpoolReader::Open(options_.spool_dir, {.from = saved_}));
  reader->wait_fd();  // Watch before the first look, so that nothing falls between.
  HP_ASSIGN_OR_RETURN(
      const auto producer,
      Producer::Create(options_.settings, options_.topic,
                       {.delivered = [this](uint64_t number, const absl::Status& s) { OnDelivered(number, s); },
                        .trouble = [this](rd_kafka_resp_err_t code, absl::string_view t) { OnTrouble(code, t); }}));
  for (;;) {
    HP_ASSIGN_OR_RETURN(const bool more, Feed(*reader, *producer));
    producer->ClearWake();
    producer->Poll();
    for (const std::string& notice : reader->TakeNotices()) LogWarning(notice);
    if (!restart_.ok()) {
      HP_RETURN_IF_ERROR(SaveCursor(true));
      return End::kRestart;
    }
    const bool all_delivered = !more && pending_record_.empty() && tracker_->in_flight() == 0;
    HP_RETURN_IF_ERROR(SaveCursor(all_delivered));
    if (all_delivered && options_.once) return End::kDone;
    const bool can_feed = more && pending_record_.empty();
    if (WaitFor(producer.get(), reader.get(), can_feed ? absl::ZeroDuration() : kIdleWait)) {
      if (told_.empty()) producer->Flush(absl::Seconds(2));
      HP_RETURN_IF_ERROR(SaveCursor(true));
      return End::kDone;
    }
  }
}

// Hands records to the producer until its queue is full or nothing is left. False: nothing is left for now.
absl::StatusOr<bool> Drain::Feed(SpoolReader& reader, Producer& producer) {
  for (int i = 0; i < kFeedAtOnce && restart_.ok(); ++i) {
    if (pending_record_.empty()) {
      SpoolReader::Record record;
      HP_ASSIGN_OR_RETURN(const bool found, reader.Next(&record));
      if (!found) return false;
      pending_record_.assign(record.bytes.data(), record.bytes.size());
      pending_number_ = tracker_->Add(record.run_id, record.sequence);
    }
    const absl::Status status = producer.Produce(pending_number_, pending_record_);
    if (absl::IsUnavailable(status)) return true;  // The queue is full: the delivery reports make room.
    if (!status.ok()) OnDelivered(pending_number_, status);
    pending_record_.clear();
  }
  return true;
}

void Drain::OnDelivered(uint64_t number, const absl::Status& status) {
  if (absl::IsOutOfRange(status)) {
    // It would block the stream for ever. The gap is found by whoever verifies the topic.
    LogError("a record is larger than the brokers take and stays in the spool only: ", status.message(),
             "; raise message.max.bytes of topic ", options_.topic);
    ++skipped_;
  } else if (!status.ok()) {
    if (restart_.ok()) restart_ = status;
    return;
  }
  if (!told_.empty() && status.ok()) {
    told_.clear();
    LogInfo("the brokers take records again");
  }
  const uint64_t before = tracker_->delivered();
  tracker_->Delivered(number);
  delivered_ += tracker_->delivered() - before;
}

void Drain::OnTrouble(rd_kafka_resp_err_t code, absl::string_view text) {
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    if (restart_.ok()) restart_ = absl::AbortedError(text);
    return;
  }
  // Each broker and each attempt has its own text: say the first of a kind. All that means "cannot be reached" is one.
  const bool unreachable = code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
                           code == RD_KAFKA_RESP_ERR__RESOLVE || code == RD_KAFKA_RESP_ERR__TIMED_OUT;
  const std::string kind = unreachable ? "brokers cannot be reached" : rd_kafka_err2str(code);
  if (!told_.insert(kind).second) return;
  LogWarning("no delivery for now, records wait in the spool: ", kind, ": ", text);
  if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION) {
    const std::string trap = ScramTrap(rd_kafka_version(), options_.settings);
    if (!trap.empty()) LogWarning(trap);
  }
}

void Drain::Tell(const std::string& text) {
  if (told_.insert(text).second) LogWarning(text);
}

absl::Status Drain::SaveCursor(bool now) {
  if (tracker_->cursor().next_sequence == saved_.next_sequence) return absl::OkStatus();
  const BootTime time = Clock::Real().Boot();
  if (!now && time - last_save_ < kSaveEvery) return absl::OkStatus();
  HP_RETURN_IF_ERROR(WriteCursor(options_.cursor_path, tracker_->cursor()));
  saved_ = tracker_->cursor();
  last_save_ = time;
  return absl::OkStatus();
}

// Waits for delivery reports, new records, the end of `timeout`, or the stop: then true.
bool Drain::WaitFor(Producer* producer, SpoolReader* reader, absl::Duration timeout) {
  const bool unsaved = tracker_->cursor().next_sequence != saved_.next_sequence;
  if (unsaved) timeout = std::min(timeout, kSaveEvery);
  pollfd fds[3] = {{options_.stop_fd, POLLIN, 0},
                   {producer != nullptr ? producer->wait_fd() : -1, POLLIN, 0},
                   // A full queue waits for reports, not for records.
                   {reader != nullptr && pending_record_.empty() ? reader->wait_fd() : -1, POLLIN, 0}};
  poll(fds, 3, static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  if (reader != nullptr && (fds[2].revents & POLLIN) != 0) reader->Wait(absl::ZeroDuration());
  return (fds[0].revents & (POLLIN | POLLHUP)) != 0;
}

}  // namespace holdpoint
