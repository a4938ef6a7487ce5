#include "agent/spool/reader.h"

#include <poll.h>
#include <sys/inotify.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr size_t kNoticesKept = 1000;

bool Before(const StreamDir& a, const StreamDir& b) {
  return std::tie(a.ordinal, a.run_id) < std::tie(b.ordinal, b.run_id);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SpoolReader>> SpoolReader::Open(const std::string& spool_dir, const Options& options) {
  if (access(spool_dir.c_str(), R_OK | X_OK) != 0) return ErrnoStatus(absl::StrCat("no spool to read at ", spool_dir));
  std::unique_ptr<SpoolReader> reader(new SpoolReader(spool_dir, options));
  if (options.at_end) HP_RETURN_IF_ERROR(reader->GoToEnd());
  return reader;
}

void SpoolReader::StartWatching() {
  if (std::exchange(watching_, true)) return;
  inotify_.reset(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (inotify_.ok() && inotify_add_watch(inotify_.get(), dir_.c_str(), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0) {
    inotify_.reset();  // Too many watches on this host: poll by time.
  }
  WatchStream();
}

void SpoolReader::WatchStream() {
  changed_ = true;  // A watch sees only what comes after it.
  if (!inotify_.ok() || !stream_.has_value()) return;
  if (stream_watch_ >= 0) inotify_rm_watch(inotify_.get(), stream_watch_);
  stream_watch_ = inotify_add_watch(inotify_.get(), stream_->path.c_str(), IN_CREATE | IN_MODIFY | IN_ONLYDIR);
}

absl::Status SpoolReader::EnterStream(const StreamDir& stream) {
  stream_ = stream;
  WatchStream();
  segment_.reset();
  finished_ = false;
  next_sequence_ = from_.Next(stream.run_id);
  return absl::OkStatus();
}

absl::Status SpoolReader::OpenSegment(const SegmentFile& file) {
  HP_ASSIGN_OR_RETURN(segment_, SegmentReader::Open(file.path));
  segment_first_ = file.first_sequence;
  settled_ = false;
  finished_ = false;
  return absl::OkStatus();
}

absl::Status SpoolReader::GoToEnd() {
  HP_ASSIGN_OR_RETURN(const std::vector<StreamDir> streams, ListStreams(dir_));
  if (streams.empty()) return absl::OkStatus();
  HP_RETURN_IF_ERROR(EnterStream(streams.back()));
  HP_ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments, ListSegments(stream_->path));
  if (segments.empty()) return absl::OkStatus();
  HP_RETURN_IF_ERROR(OpenSegment(segments.back()));
  for (;;) {
    HP_ASSIGN_OR_RETURN(const SegmentReader::Item item, segment_->Next());
    if (item != SegmentReader::Item::kRecord) return absl::OkStatus();
    next_sequence_ = segment_->sequence() + 1;
  }
}

// Goes to the first segment behind the present one. False: there is none yet.
absl::StatusOr<bool> SpoolReader::Advance() {
  HP_ASSIGN_OR_RETURN(const std::vector<StreamDir> streams, ListStreams(dir_));
  for (const StreamDir& stream : streams) {
    if (stream_.has_value() && Before(stream, *stream_)) continue;
    const bool same = stream_.has_value() && stream.run_id == stream_->run_id;
    if (!same) HP_RETURN_IF_ERROR(EnterStream(stream));
    HP_ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments, ListSegments(stream.path));
    for (size_t i = 0; i < segments.size(); ++i) {
      if (same && segment_.has_value() && segments[i].first_sequence <= segment_first_) continue;
      // A segment that ends before what is wanted need not be read; the next one's name says where it ends.
      if (i + 1 < segments.size() && segments[i + 1].first_sequence <= next_sequence_) continue;
      if (absl::Status status = OpenSegment(segments[i]); !status.ok()) {
        notices_.push_back(absl::StrCat(segments[i].path, ": skipped: ", status.message()));
        continue;
      }
      return true;
    }
  }
  return false;
}

// Whether a later segment or stream exists, so that the present segment is complete.
absl::StatusOr<bool> SpoolReader::HasLater() {
  DrainEvents();
  if (!changed_ && inotify_.ok() && stream_watch_ >= 0) return false;
  changed_ = false;
  HP_ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments, ListSegments(stream_->path));
  if (!segments.empty() && segments.back().first_sequence > segment_first_) {
    changed_ = true;
    return true;
  }
  HP_ASSIGN_OR_RETURN(const std::vector<StreamDir> streams, ListStreams(dir_));
  const bool later = !streams.empty() && Before(*stream_, streams.back());
  changed_ = later;
  return later;
}

absl::StatusOr<bool> SpoolReader::Next(Record* record) {
  for (;;) {
    if (!segment_.has_value() || finished_) {
      HP_ASSIGN_OR_RETURN(const bool found, Advance());
      if (!found) return false;
    }
    HP_ASSIGN_OR_RETURN(const SegmentReader::Item item, segment_->Next());
    if (item == SegmentReader::Item::kRecord) {
      if (segment_->sequence() < next_sequence_) continue;
      next_sequence_ = segment_->sequence() + 1;
      *record = {stream_->run_id, segment_->payload(), segment_->sequence()};
      return true;
    }
    if (!settled_) {
      HP_ASSIGN_OR_RETURN(settled_, HasLater());
      if (settled_) continue;  // The writer may have added to this segment before it made the next one: read again.
      if (item == SegmentReader::Item::kEnd) return false;
    }
    const uint64_t at = segment_->offset();
    HP_ASSIGN_OR_RETURN(const SegmentReader::Skipped skipped, segment_->SkipDamage());
    if (skipped.tail && !settled_) return false;  // Perhaps a record that is just being written.
    if (skipped.bytes > 0) {
      damaged_bytes_ += skipped.bytes;
      if (notices_.size() < kNoticesKept) {
        notices_.push_back(absl::StrCat(segment_->path(), ": ", skipped.bytes, " damaged bytes at offset ", at,
                                        skipped.tail ? ", at its end" : "", " skipped"));
      }
    }
    finished_ = skipped.tail;
  }
}

// Reads what inotify has to say. True when there was something.
bool SpoolReader::DrainEvents() {
  bool any = false;
  alignas(inotify_event) char buffer[16 * 1024];
  while (inotify_.ok()) {
    const ssize_t size = read(inotify_.get(), buffer, sizeof(buffer));
    if (size <= 0) break;
    any = true;
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      if ((event->mask & (IN_CREATE | IN_MOVED_TO | IN_Q_OVERFLOW)) != 0) changed_ = true;
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
  return any;
}

void SpoolReader::Wait(absl::Duration timeout) {
  constexpr absl::Duration kPollWithoutInotify = absl::Milliseconds(200);
  if (!watching_) {
    StartWatching();
    return;  // What was written before the watch is found by looking once more.
  }
  if (!inotify_.ok()) timeout = std::min(timeout, kPollWithoutInotify);
  pollfd fd{inotify_.get(), POLLIN, 0};  // A negative descriptor is ignored: then this only waits.
  if (poll(&fd, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) > 0) DrainEvents();
}

std::vector<std::string> SpoolReader::TakeNotices() { return std::exchange(notices_, {}); }

}  // namespace holdpoint
