#include "agent/spool/retention.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/event/recorder.h"
#include "agent/spool/cursor.h"
#include "agent/spool/segment.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxGaps = 4096;          // in one tombstone, and of one thinned segment
constexpr int kEvictedAtOnce = 16;         // the gate waits meanwhile; the rest goes with the next segment
constexpr uint64_t kWorthThinning = 8;     // at least this part of a segment is ordinary
constexpr absl::Duration kClockSet = absl::Minutes(1);
constexpr absl::string_view kFull = "the spool is full";
constexpr absl::string_view kOld = "older than it may be";

absl::Duration WallToBoot(const Clock& clock) {
  return clock.Wall() - absl::FromUnixNanos(static_cast<int64_t>(clock.Boot().ns));
}

absl::Time WrittenLast(const std::string& path, const Clock& clock) {
  struct stat st {};
  return stat(path.c_str(), &st) == 0 ? absl::TimeFromTimespec(st.st_mtim) : clock.Wall();
}

// Neighbouring and overlapping gaps as one.
std::vector<SequenceGap> Joined(std::vector<SequenceGap> gaps) {
  std::sort(gaps.begin(), gaps.end(), [](const SequenceGap& a, const SequenceGap& b) { return a.first < b.first; });
  std::vector<SequenceGap> joined;
  for (const SequenceGap& gap : gaps) {
    if (joined.empty() || gap.first > joined.back().last + 1) {
      joined.push_back(gap);
    } else if (gap.last > joined.back().last) {
      joined.back().last = gap.last;
      joined.back().last_hash = gap.last_hash;
    }
  }
  return joined;
}

}  // namespace

Retention::Retention(std::string run_id, std::string cursor_path, const Clock& clock)
    : run_id_(std::move(run_id)),
      cursor_path_(std::move(cursor_path)),
      clock_(clock),
      wall_to_boot_(WallToBoot(clock)),
      clock_set_(clock.Boot()) {}

absl::Status Retention::AddStream(const StreamDir& stream) {
  HP_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListNames(stream.path));
  for (const std::string& name : names) {
    if (absl::EndsWith(name, ".thin")) unlink(absl::StrCat(stream.path, "/", name).c_str());
  }
  HP_ASSIGN_OR_RETURN(std::vector<Marker> markers, ListMarkers(stream.path, stream.run_id));
  for (Marker& marker : markers) {
    if (truncate(marker.path.c_str(), 0) != 0) return ErrnoStatus(absl::StrCat("emptying ", marker.path));
    evictions_.push_back(marker.eviction);
    markers_.push_back(std::move(marker));
  }
  HP_ASSIGN_OR_RETURN(std::vector<SegmentFile> files, ListSegments(stream.path));
  for (SegmentFile& file : files) {
    bytes_ += file.bytes;
    const absl::Time newest = WrittenLast(file.path, clock_);
    segments_.push_back({.stream = stream, .file = std::move(file), .newest = newest});
  }
  if (files.empty()) emptied_.insert({stream.run_id, stream.path});
  return absl::OkStatus();
}

void Retention::Add(const StreamDir& stream, const SegmentFile& file, uint64_t next_sequence) {
  bytes_ += file.bytes;
  segments_.push_back({.stream = stream, .file = file, .next_sequence = next_sequence, .newest = clock_.Wall()});
}

absl::Time Retention::Oldest() {
  if (segments_.empty()) return absl::InfiniteFuture();
  const std::string& path = segments_.front().file.path;
  if (std::exchange(oldest_of_, path) == path) return oldest_;
  oldest_ = absl::InfiniteFuture();
  auto reader = SegmentReader::Open(path);
  v1::Envelope event;
  if (!reader.ok()) return oldest_;
  const auto item = reader->Next();
  if (item.ok() && *item == SegmentReader::Item::kRecord && ParseRecord(reader->payload(), &event)) {
    oldest_ = absl::FromUnixNanos(event.time_unix_ns());
  }
  return oldest_;
}

uint64_t Retention::NextSequence(Segment& segment) {
  if (segment.next_sequence != 0) return segment.next_sequence;
  const auto survey = SurveySegment(segment.file.path);
  if (!survey.ok()) return 0;
  return segment.next_sequence = std::max(survey->last_sequence, segment.file.first_sequence) + 1;
}

uint64_t Retention::Undelivered() {
  const Cursor cursor = ReadDelivered();
  uint64_t records = 0;
  for (size_t i = 0; i < segments_.size(); ++i) {
    Segment& segment = segments_[i];
    const uint64_t from = std::max(cursor.Next(segment.stream.run_id), segment.file.first_sequence);
    const bool last_of_run = i + 1 == segments_.size() || segments_[i + 1].stream.run_id != segment.stream.run_id;
    const bool known = segment.next_sequence != 0 || last_of_run;  // Else the next one's name says enough.
    const uint64_t next = known ? NextSequence(segment) : segments_[i + 1].file.first_sequence;
    records += next > from ? next - from : 0;
  }
  return records;
}

void Retention::MakeRoom(uint64_t wanted) {
  for (int i = 0; i < kEvictedAtOnce; ++i) {
    if (bounds_.max_bytes == 0 || bytes_ + wanted <= bounds_.max_bytes || !EvictOne(kFull)) return;
  }
}

bool Retention::EvictOne(absl::string_view reason) {
  if (EvictDelivered()) return true;
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (EvictOrdinary(i, reason)) return true;
  }
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i].swapping) continue;
    Evict(i, false, reason);
    return true;
  }
  return false;
}

bool Retention::Delivered(Segment& segment, const Cursor& cursor) {
  const uint64_t delivered = cursor.Next(segment.stream.run_id);
  if (segment.file.first_sequence >= delivered) return false;
  const uint64_t next = NextSequence(segment);
  return next != 0 && next <= delivered;
}

Cursor Retention::ReadDelivered() const {
  if (cursor_path_.empty()) return {};
  const auto cursor = ReadCursor(cursor_path_);
  return cursor.ok() ? *cursor : Cursor();  // A broken one is the stream's to tell; nothing counts as delivered.
}

bool Retention::EvictDelivered() {
  const Cursor cursor = ReadDelivered();
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i].swapping || !Delivered(segments_[i], cursor)) continue;
    Evict(i, true, kFull);
    return true;
  }
  return false;
}

// What is ordinary in a segment. False: nothing was, or too little to be worth it.
bool Retention::EvictOrdinary(size_t index, absl::string_view reason) {
  Segment& segment = segments_[index];
  if (segment.thinned) return false;
  segment.thinned = true;
  const auto survey = SurveySegment(segment.file.path);
  if (!survey.ok() || survey->damaged_bytes > 0 || survey->tail_bytes > 0) return false;  // Evidence of its own.
  if (survey->last_sequence != 0) segment.next_sequence = survey->last_sequence + 1;
  const bool delivered = Delivered(segment, ReadDelivered());
  if (survey->kept_last == 0) {
    Evict(index, delivered, reason);
    return true;
  }
  if (survey->ordinary_bytes < segment.file.bytes / kWorthThinning || survey->kept_last > kMaxGaps) return false;
  return Thin(index, *survey, delivered, reason);
}

// The copy takes the segment's place when its tombstone is on the disk.
bool Retention::Thin(size_t index, const SegmentSurvey& survey, bool delivered, absl::string_view reason) {
  Segment& segment = segments_[index];
  const std::string copy = ThinPath(segment.file.path);
  absl::StatusOr<Thinned> thinned = ThinSegment(segment.file.path, copy);
  if (!thinned.ok() || thinned->gaps.empty()) {
    if (!thinned.ok()) LogWarning("ordinary records cannot be told from the others: ", thinned.status().message());
    unlink(copy.c_str());
    return false;
  }
  evictions_.push_back({.run_id = segment.stream.run_id,
                        .gaps = std::move(thinned->gaps),
                        .delivered = delivered,
                        .records = thinned->records,
                        .bytes = thinned->record_bytes,
                        .reason = std::string(reason)});
  segment.next_sequence = survey.last_sequence + 1;
  bytes_ -= segment.file.bytes - thinned->size;
  segment.file.bytes = thinned->size;
  segment.swapping = true;
  swaps_.push_back({copy, segment.file.path});
  return true;
}

void Retention::Evict(size_t index, bool delivered, absl::string_view reason) {
  const bool oldest = std::none_of(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(index),
                                   [&](const Segment& s) { return s.stream.run_id == segments_[index].stream.run_id; });
  Segment victim = std::move(segments_[index]);
  segments_.erase(segments_.begin() + static_cast<std::ptrdiff_t>(index));
  bytes_ -= victim.file.bytes;
  const auto survey = SurveySegment(victim.file.path);
  if (survey.ok() && survey->last_sequence != 0) {
    Marker marker;
    const bool all_before = oldest && !delivered;
    if (all_before) gone_to_[victim.stream.run_id] = survey->last_sequence;
    const uint64_t first = all_before ? 1 : victim.file.first_sequence;
    marker.eviction = {.run_id = victim.stream.run_id,
                       .gaps = {{first, survey->last_sequence, survey->last_hash}},
                       .delivered = delivered,
                       .records = survey->records,
                       .kept_last = survey->kept_last,
                       .bytes = survey->record_bytes,
                       .reason = std::string(reason)};
    marker.path = MarkerPath(victim.stream.path, marker.eviction);
    DeclareAgain(victim);
    evictions_.push_back(marker.eviction);
    if (absl::Status left = LeaveMarker(victim.file.path, marker); !left.ok()) LogError(left.message());
    markers_.push_back(std::move(marker));
  } else {
    LogError(victim.file.path, ": evicted, and it held no record that can be read: nothing can say what is gone");
  }
  unlink(victim.file.path.c_str());
  const bool last_of_stream = std::none_of(segments_.begin(), segments_.end(), [&](const Segment& segment) {
    return segment.stream.run_id == victim.stream.run_id;
  });
  if (last_of_stream && victim.stream.run_id != run_id_) emptied_.insert({victim.stream.run_id, victim.stream.path});
}

void Retention::DeclareAgain(const Segment& victim) {
  auto tombstones = TombstonesIn(victim.file.path, victim.stream.run_id);
  if (!tombstones.ok()) return;
  std::map<std::pair<std::string, bool>, std::vector<SequenceGap>> gaps;
  for (const Eviction& tombstone : *tombstones) {
    const auto gone = gone_to_.find(tombstone.run_id);
    const uint64_t to = gone == gone_to_.end() ? 0 : gone->second;
    for (const SequenceGap& gap : tombstone.gaps) {
      const bool all_of_it = gap.first == 1 && gap.last == to && tombstone.run_id != victim.stream.run_id;
      if (gap.last > to || all_of_it) gaps[{tombstone.run_id, tombstone.delivered}].push_back(gap);
    }
  }
  for (auto& [key, of_run] : gaps) {
    const std::vector<SequenceGap> joined = Joined(std::move(of_run));
    for (size_t at = 0; at < joined.size(); at += kMaxGaps) {
      const auto from = joined.begin() + static_cast<std::ptrdiff_t>(at);
      const auto to = joined.begin() + static_cast<std::ptrdiff_t>(std::min(joined.size(), at + kMaxGaps));
      evictions_.push_back({.run_id = key.first, .gaps = std::vector<SequenceGap>(from, to), .delivered = key.second, .reason = "declared before"});
    }
  }
}

bool Retention::ClockTrusted() {
  const absl::Duration now = WallToBoot(clock_);
  if (absl::AbsDuration(now - wall_to_boot_) > kClockSet) {
    wall_to_boot_ = now;
    clock_set_ = clock_.Boot();
  }
  return clock_.Boot() - clock_set_ >= kClockTrustedAfter;
}

void Retention::EvictAged() {
  if (!ClockTrusted()) return;
  const absl::Time now = clock_.Wall();
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i].swapping) continue;
    if (segments_[i].newest < now - bounds_.decisions_max_age) {
      return Evict(i, Delivered(segments_[i], ReadDelivered()), kOld);
    }
    if (segments_[i].newest < now - bounds_.max_age && EvictOrdinary(i, kOld)) return;
  }
}

void Retention::NoteUnwritten(const StreamDir& stream, const SequenceGap& gap) {
  const std::string path = MarkerPath(stream.path, {.run_id = stream.run_id,
                                                    .gaps = {gap},
                                                    .records = gap.last + 1 - gap.first,
                                                    .reason = "could not be written"});
  // A name needs no space, and a rename takes the old one's: this works where nothing else does.
  const bool left = unwritten_.empty() ? UniqueFd(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640)).ok()
                                       : rename(unwritten_.c_str(), path.c_str()) == 0;
  if (left) unwritten_ = path;
}

std::vector<Eviction> Retention::Take() { return std::exchange(evictions_, {}); }

void Retention::Declared(const std::function<absl::Status()>& sync) {
  if (markers_.empty() && swaps_.empty() && emptied_.empty() && unwritten_.empty()) return;
  if (absl::Status synced = sync(); !synced.ok()) return;  // It is tried again with the next eviction, or the next start.
  for (const Swap& swap : swaps_) {
    if (rename(swap.copy.c_str(), swap.segment.c_str()) != 0) LogError(ErrnoStatus(swap.copy).message());
  }
  for (Segment& segment : segments_) segment.swapping = false;
  for (const Marker& marker : markers_) unlink(marker.path.c_str());
  if (!unwritten_.empty()) unlink(unwritten_.c_str());
  unwritten_.clear();
  swaps_.clear();
  markers_.clear();
  RemoveEmptyStreams();
}

void Retention::RemoveEmptyStreams() {
  for (const auto& [run_id, path] : emptied_) {
    unlink(absl::StrCat(path, "/stream").c_str());
    rmdir(path.c_str());
  }
  emptied_.clear();
}

}  // namespace holdpoint
