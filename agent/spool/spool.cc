#include "agent/spool/spool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/event/recorder.h"
#include "agent/spool/cursor.h"
#include "agent/spool/frame.h"
#include "agent/spool/marker.h"
#include "agent/spool/survey.h"

namespace holdpoint {
namespace {

constexpr uint64_t kSmallestSegment = 64 * 1024;
constexpr absl::Duration kLookAtAge = absl::Minutes(1);
constexpr absl::Duration kOpenAtMost = absl::Hours(24);  // else age could not be told on a quiet host

// Writes header and payload at `offset`, all or an error.
absl::Status WriteFrame(int fd, const std::string& path, uint64_t offset, absl::string_view header,
                        absl::string_view payload) {
  while (!header.empty() || !payload.empty()) {
    const iovec parts[2] = {{const_cast<char*>(header.data()), header.size()},
                            {const_cast<char*>(payload.data()), payload.size()}};
    const ssize_t written = pwritev(fd, parts, 2, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(absl::StrCat("writing ", path));
    if (written == 0) return ErrnoStatus(absl::StrCat("writing ", path), ENOSPC);
    offset += static_cast<uint64_t>(written);
    const size_t of_header = std::min(header.size(), static_cast<size_t>(written));
    header.remove_prefix(of_header);
    payload.remove_prefix(static_cast<size_t>(written) - of_header);
  }
  return absl::OkStatus();
}

}  // namespace

Spool::Spool(std::string dir, std::string run_id, const SpoolOptions& options, UniqueFd lock)
    : dir_(std::move(dir)), run_id_(std::move(run_id)), options_(options), lock_(std::move(lock)),
      retention_(run_id_, options_.cursor_path, *options_.clock) {
  retention_.set_bounds(options_.bounds);
}

absl::StatusOr<std::unique_ptr<Spool>> Spool::Open(const std::string& spool_dir, const std::string& run_id,
                                                   const SpoolOptions& options) {
  if (!IsRunId(run_id)) {
    return absl::InvalidArgumentError(absl::StrCat("run id '", run_id, "': want 1 to 64 letters, digits and '-'"));
  }
  if (mkdir(spool_dir.c_str(), 0750) != 0 && errno != EEXIST) return ErrnoStatus(spool_dir);
  UniqueFd lock(open(spool_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.ok()) return ErrnoStatus(spool_dir);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoStatus(absl::StrCat("locking ", spool_dir));
    return absl::AlreadyExistsError(
        absl::StrCat(spool_dir, ": another holdpointd writes to this spool; give this one its own --state"));
  }
  std::unique_ptr<Spool> spool(new Spool(spool_dir, run_id, options, std::move(lock)));
  HP_RETURN_IF_ERROR(spool->Scan());
  return spool;
}

Spool::~Spool() { CloseSegment().IgnoreError(); }

absl::Status Spool::Scan() {
  HP_ASSIGN_OR_RETURN(const std::vector<StreamDir> streams, ListStreams(dir_));
  if (!streams.empty()) {
    next_ordinal_ = streams.back().ordinal + 1;
    report_.previous_run_id = streams.back().run_id;
    if (absl::Status status = Repair(streams.back()); !status.ok()) {
      report_.note = absl::StrCat("the stream before this one could not be checked: ", status.message());
    }
  }
  for (const StreamDir& stream : streams) {
    if (stream.run_id == run_id_) return absl::AlreadyExistsError(absl::StrCat(stream.path, ": exists already"));
    HP_RETURN_IF_ERROR(retention_.AddStream(stream));
  }
  MakeReserve();
  return absl::OkStatus();
}

// Only the end of the newest stream can be torn: segments are forced to disk before the next one begins.
absl::Status Spool::Repair(const StreamDir& stream) {
  HP_ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments, ListSegments(stream.path));
  for (auto it = segments.rbegin(); it != segments.rend(); ++it) {
    HP_ASSIGN_OR_RETURN(const SegmentSurvey last, SurveySegment(it->path));
    if (last.end < it->bytes && truncate(it->path.c_str(), static_cast<off_t>(last.end)) != 0) {
      return ErrnoStatus(absl::StrCat("cutting ", it->path));
    }
    report_.cut_bytes += last.tail_bytes;
    report_.damaged_bytes += last.damaged_bytes;
    if (last.tail_bytes > 0) {
      report_.note =
          absl::StrCat("run ", stream.run_id, " ended inside a record: ", last.tail_bytes, " bytes cut off at ",
                       it->path, " offset ", last.end, ", behind record ", last.last_sequence);
    }
    if (last.damaged_bytes > 0) {
      absl::StrAppend(&report_.note, report_.note.empty() ? "" : "; ", last.damaged_bytes, " damaged bytes inside of ",
                      it->path, " (see holdpoint-collector ingest)");
    }
    if (last.last_sequence == 0) continue;
    report_.previous_last_sequence = last.last_sequence;
    report_.previous_last_hash = last.last_hash;
    if (v1::Envelope event; ParseRecord(last.last_record, &event)) {
      report_.previous_stopped = event.heartbeat().statement().state() == "stopping";
      report_.previous_last_time = absl::FromUnixNanos(event.time_unix_ns());
    }
    break;
  }
  // What it could not write, and what was evicted of it, is of it as well.
  HP_ASSIGN_OR_RETURN(const std::vector<Marker> markers, ListMarkers(stream.path, stream.run_id));
  for (const Marker& marker : markers) {
    const SequenceGap& gone = marker.eviction.gaps.front();
    if (gone.last <= report_.previous_last_sequence) continue;
    report_.previous_stopped = false;
    report_.previous_last_sequence = gone.last;
    report_.previous_last_hash = gone.last_hash;
  }
  return absl::OkStatus();
}

absl::Status Spool::Append(uint64_t sequence, absl::string_view record, RecordClass record_class) {
  if (record.empty() || record.size() > kMaxFramePayload) {
    return absl::InvalidArgumentError(
        absl::StrCat("record of ", record.size(), " bytes: want 1 to ", kMaxFramePayload));
  }
  const uint64_t frame_bytes = kFrameHeaderBytes + record.size();
  LookAtAge(sequence);
  HP_RETURN_IF_ERROR(MakeSpace(sequence, frame_bytes, record_class));
  int fd;
  {
    absl::MutexLock lock(&fd_mutex_);
    fd = fd_->get();  // Only this thread replaces fd_.
  }
  const auto header = MakeFrameHeader(sequence, record, record_class != RecordClass::kOrdinary);
  const absl::Status status = WriteFrame(fd, open_.path, used_, {header.data(), header.size()}, record);
  if (!status.ok()) {
    // What was written of it must not stay behind the next, shorter record.
    if (ftruncate(fd, static_cast<off_t>(used_)) == 0) open_.bytes = used_;
    return status;
  }
  if (used_ == 0) {
    opened_ = options_.clock->Boot();
    open_since_ = options_.clock->Wall();
  }
  used_ += frame_bytes;
  last_ = sequence;
  open_.bytes = std::max(open_.bytes, used_);
  return absl::OkStatus();
}

// The open segment has room for the record, and for one of this class, when this returns OK.
absl::Status Spool::MakeSpace(uint64_t sequence, uint64_t frame_bytes, RecordClass record_class) {
  const bool evidence = record_class == RecordClass::kEvidence;
  const uint64_t room = in_reserve_ ? open_.bytes : std::max(options_.segment_bytes, open_.bytes);
  const bool fits = !open_.path.empty() && used_ + frame_bytes <= room;
  if (fits && (evidence || !in_reserve_)) return absl::OkStatus();
  const absl::Status rotated = Rotate(sequence, frame_bytes);
  if (rotated.ok() || !evidence || reserve_ < frame_bytes) return rotated;
  return TakeReserve(sequence);
}

std::string Spool::ReservePath() const { return absl::StrCat(dir_, "/reserve"); }

// Nothing to say where there is no room for it: appending will.
void Spool::MakeReserve() {
  if (options_.reserve_bytes == 0 || reserve_ > 0) return;
  const std::string path = ReservePath();
  const UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  struct stat st {};
  if (!fd.ok() || fstat(fd.get(), &st) != 0) return;
  if (static_cast<uint64_t>(st.st_size) != options_.reserve_bytes && ftruncate(fd.get(), 0) != 0) return;
  if (fallocate(fd.get(), 0, 0, static_cast<off_t>(options_.reserve_bytes)) != 0) {
    unlink(path.c_str());
    return;
  }
  reserve_ = options_.reserve_bytes;
}

// The reserve becomes a segment as it is: zero bytes that the disk has room for.
absl::Status Spool::TakeReserve(uint64_t sequence) {
  if (stream_.path.empty()) {
    HP_ASSIGN_OR_RETURN(stream_, CreateStream(dir_, run_id_, next_ordinal_));
  }
  SegmentFile fresh{sequence, SegmentPath(stream_.path, sequence), reserve_};
  if (rename(ReservePath().c_str(), fresh.path.c_str()) != 0) return ErrnoStatus(fresh.path);
  reserve_ = 0;
  UniqueFd fd(open(fresh.path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.ok()) return ErrnoStatus(fresh.path);
  SyncDir(stream_.path).IgnoreError();
  Use(std::move(fresh), std::move(fd), true);
  return absl::OkStatus();
}

void Spool::LookAtAge(uint64_t next_sequence) {
  const BootTime now = options_.clock->Boot();
  if (now - looked_at_age_ < kLookAtAge) return;
  looked_at_age_ = now;
  // A failure shows again in the record that is to be appended.
  if (used_ > 0 && now - opened_ > kOpenAtMost) Rotate(next_sequence, 0).IgnoreError();
  retention_.EvictAged();
}

absl::Status Spool::Sync() {
  std::shared_ptr<UniqueFd> fd;
  absl::Status status;
  {
    absl::MutexLock lock(&fd_mutex_);
    fd = fd_;
    status = std::exchange(close_error_, absl::OkStatus());
  }
  if (fd != nullptr && fdatasync(fd->get()) != 0) return ErrnoStatus(absl::StrCat("syncing the spool ", dir_));
  return status;
}

// A new segment takes the place of the open one only once it is there.
absl::Status Spool::Rotate(uint64_t sequence, uint64_t frame_bytes) {
  retention_.MakeRoom(std::max(options_.segment_bytes, frame_bytes) + open_.bytes);
  if (stream_.path.empty()) {
    HP_ASSIGN_OR_RETURN(stream_, CreateStream(dir_, run_id_, next_ordinal_));
  }
  SegmentFile fresh{sequence, SegmentPath(stream_.path, sequence), 0};
  HP_ASSIGN_OR_RETURN(UniqueFd fd, CreateSegment(fresh.path, frame_bytes, &fresh.bytes));
  Use(std::move(fresh), std::move(fd), false);
  MakeReserve();
  return absl::OkStatus();
}

void Spool::Use(SegmentFile fresh, UniqueFd fd, bool reserve) {
  absl::Status closed = CloseSegment();
  if (used_ > 0) {
    retention_.Add(stream_, open_, last_ + 1);
  } else if (!open_.path.empty() && open_.path != fresh.path) {
    unlink(open_.path.c_str());
  }
  open_ = std::move(fresh);
  used_ = 0;
  in_reserve_ = reserve;
  absl::MutexLock lock(&fd_mutex_);
  close_error_.Update(closed);
  fd_ = std::make_shared<UniqueFd>(std::move(fd));
}

// Sets space aside, less of it where the disk is nearly full; on a file system that cannot, none.
absl::StatusOr<UniqueFd> Spool::CreateSegment(const std::string& path, uint64_t frame_bytes, uint64_t* size) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd.ok()) return ErrnoStatus(path);
  const uint64_t least = std::max(frame_bytes, std::min(kSmallestSegment, options_.segment_bytes));
  int error = 0;
  for (uint64_t want = std::max(options_.segment_bytes, frame_bytes);;) {
    if (fallocate(fd.get(), 0, 0, static_cast<off_t>(want)) == 0) {
      *size = want;
      break;
    }
    error = errno;
    if (error == EINTR) continue;
    if (error != ENOSPC && error != EDQUOT) break;
    if (want > least) {
      want = std::max(want / 2, least);
    } else if (!retention_.EvictDelivered()) {
      break;
    }
  }
  if (*size == 0 && error != EOPNOTSUPP && error != ENOSYS) {
    unlink(path.c_str());
    return ErrnoStatus(absl::StrCat("setting space aside for ", path), error);
  }
  HP_RETURN_IF_ERROR(SyncDir(stream_.path));
  return fd;
}

// Gives the unused space back and forces the segment to disk.
absl::Status Spool::CloseSegment() {
  std::shared_ptr<UniqueFd> fd;
  {
    absl::MutexLock lock(&fd_mutex_);
    fd = std::move(fd_);
    fd_ = nullptr;
  }
  if (fd == nullptr) return absl::OkStatus();
  if (ftruncate(fd->get(), static_cast<off_t>(used_)) == 0) open_.bytes = used_;
  if (fdatasync(fd->get()) != 0) return ErrnoStatus(absl::StrCat("syncing ", open_.path));
  return absl::OkStatus();
}

std::vector<Eviction> Spool::TakeEvictions() { return retention_.Take(); }

void Spool::NoteUnwritten(const SequenceGap& gap) {
  if (!stream_.path.empty()) retention_.NoteUnwritten(stream_, gap);
}

void Spool::EvictionsDeclared() {
  retention_.Declared([this] { return Sync(); });
}

Spool::Depth Spool::depth() {
  Depth depth{.bytes = retention_.bytes() + open_.bytes + reserve_,
              .oldest = std::min(retention_.Oldest(), used_ > 0 ? open_since_ : absl::InfiniteFuture()),
              .in_reserve = in_reserve_};
  if (options_.cursor_path.empty()) return depth;
  const auto cursor = ReadCursor(options_.cursor_path);
  const uint64_t from = std::max(cursor.ok() ? cursor->Next(run_id_) : 1, open_.first_sequence);
  depth.undelivered = retention_.Undelivered() + (last_ + 1 > from && used_ > 0 ? last_ + 1 - from : 0);
  return depth;
}

}  // namespace holdpoint
