#include "agent/sink/line_pump.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "agent/event/chain.h"
#include "agent/event/recorder.h"
#include "agent/export/format.h"
#include "agent/export/story.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxEntries = 1000;
constexpr size_t kMaxBytes = 8 * 1024 * 1024;
constexpr absl::Duration kFirstPause = absl::Milliseconds(500);
constexpr absl::Duration kLongestPause = absl::Seconds(30);

}  // namespace

std::optional<OutLine> LineOf(const SinkSpec& spec, absl::string_view record, v1::Envelope* event,
                              SinkCounters* counters) {
  if (!ParseRecord(record, event)) {
    event->Clear();
    ++counters->unreadable;
    return std::nullopt;
  }
  const Story story = StoryOf(*event);
  if (story.level < spec.minimum) {
    ++counters->below_minimum;
    return std::nullopt;
  }
  return OutLine{.text = Export(spec.format, *event),
                 .level = story.level,
                 .time_unix_ns = event->time_unix_ns(),
                 .host = event->stream().host(),
                 .action = story.action,
                 .key = event->session().empty() ? event->stream().host_id() : event->session()};
}

LinePump::LinePump(const SinkSpec& spec, LineTarget& target, Cursor from, bool fresh, SinkCounters& counters,
                   const Clock& clock)
    : spec_(spec),
      target_(target),
      fresh_(fresh),
      cursor_(std::move(from)),
      next_(cursor_.next_sequence),
      counters_(counters),
      cut_before_(counters.cut),
      clock_(clock) {}

bool LinePump::HasRoom() const { return entries_.size() < kMaxEntries && bytes_ < kMaxBytes; }

uint64_t LinePump::MissingBefore(const v1::Envelope& event) {
  const auto next = next_.try_emplace(event.stream().run_id(), fresh_ ? event.sequence() : 1).first;
  const uint64_t expected = next->second;
  next->second = event.sequence() + 1;
  if (event.sequence() <= expected) return 0;
  // What could never be written is declared by the record behind it, and no loss of this sink's.
  const bool unwritten = event.has_tombstone() && event.tombstone().run_id().empty() && NeverWritten(event.tombstone()) &&
                         event.tombstone().first_sequence() <= expected &&
                         event.tombstone().last_sequence() + 1 == event.sequence();
  return unwritten ? 0 : event.sequence() - expected;
}

// Of an earlier run, which was read before this one as far as it was there: what is behind that.
uint64_t LinePump::MissingOf(const v1::Tombstone& tombstone, Entry& entry) {
  const auto [next, unknown] = next_.try_emplace(tombstone.run_id(), 1);
  const bool lost = !NeverWritten(tombstone) && !(unknown && fresh_);
  uint64_t missing = 0;
  for (const DeclaredGap& gap : GapsOf(tombstone)) {
    if (gap.last_sequence < next->second) continue;
    if (lost) missing += gap.last_sequence + 1 - std::max(gap.first_sequence, next->second);
    next->second = gap.last_sequence + 1;
  }
  entry.gone[tombstone.run_id()] = next->second;
  return missing;
}

void LinePump::Take(absl::string_view run_id, uint64_t sequence, absl::string_view record) {
  v1::Envelope event;
  std::optional<OutLine> line = LineOf(spec_, record, &event, &counters_);
  Entry& entry = entries_.emplace_back(Entry{std::string(run_id), sequence, line.has_value()});
  if (event.sequence() != 0) entry.missing = MissingBefore(event);
  if (event.has_tombstone() && !event.tombstone().run_id().empty() && event.tombstone().run_id() != run_id) {
    entry.missing += MissingOf(event.tombstone(), entry);
  }
  if (line.has_value()) {
    bytes_ += line->text.size();
    lines_.push_back(*std::move(line));
  } else {
    Pass();
  }
}

// Moves the cursor over what has no line, up to the first that has one.
void LinePump::Pass() {
  while (!entries_.empty() && !entries_.front().line) {
    const Entry& entry = entries_.front();
    uint64_t& next = cursor_.next_sequence[entry.run_id];
    next = std::max(next, entry.sequence + 1);
    for (const auto& [run_id, after] : entry.gone) cursor_.next_sequence[run_id] = after;
    counters_.missing += entry.missing;
    entries_.pop_front();
  }
}

absl::Status LinePump::Failed(absl::Status status) {
  pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
  not_before_ = clock_.Boot() + pause_;
  ++counters_.failures;
  counters_.last_failure = std::string(status.message());
  counters_.last_failure_unix_ns = absl::ToUnixNanos(clock_.Wall());
  return status;
}

absl::Duration LinePump::Pause() const {
  return lines_.empty() ? absl::ZeroDuration() : std::max(not_before_ - clock_.Boot(), absl::ZeroDuration());
}

absl::Status LinePump::Push() {
  if (lines_.empty() || Pause() > absl::ZeroDuration()) return absl::OkStatus();
  size_t taken = 0;
  absl::Status status = target_.Write(lines_, &taken);
  if (taken > 0) {
    absl::Status synced = target_.Sync();
    if (!synced.ok()) return Failed(std::move(synced));  // Not safe: all of it again.
    counters_.delivered += taken;
    counters_.cut = cut_before_ + target_.cut();
    counters_.last_delivery_unix_ns = absl::ToUnixNanos(clock_.Wall());
    for (size_t i = 0; i < taken; ++i) {
      bytes_ -= lines_[i].text.size();
      entries_.front().line = false;
      Pass();
    }
    lines_.erase(lines_.begin(), lines_.begin() + static_cast<std::ptrdiff_t>(taken));
  }
  if (!status.ok()) return Failed(std::move(status));
  pause_ = absl::ZeroDuration();
  not_before_ = {};
  return absl::OkStatus();
}

}  // namespace holdpoint
