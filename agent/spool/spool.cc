#include "agent/spool/spool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/spool/cursor.h"
#include "agent/spool/frame.h"
#include "agent/spool/segment.h"

namespace holdpoint {
namespace {

constexpr uint64_t kSmallestSegment = 64 * 1024;

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

// The last whole record of a segment that nobody writes to; sequence 0 where there is none.
struct LastRecord {
  uint64_t sequence = 0;
  Sha256Digest hash{};
  uint64_t damaged_bytes = 0;  // between records
  uint64_t tail_bytes = 0;     // behind the last one
  uint64_t end = 0;            // offset behind the last one
};

absl::StatusOr<LastRecord> FindLastRecord(const std::string& path) {
  HP_ASSIGN_OR_RETURN(SegmentReader reader, SegmentReader::Open(path));
  LastRecord last;
  std::string payload;
  for (;;) {
    HP_ASSIGN_OR_RETURN(const SegmentReader::Item item, reader.Next());
    if (item == SegmentReader::Item::kRecord) {
      last.sequence = reader.sequence();
      payload.assign(reader.payload().data(), reader.payload().size());
      last.end = reader.offset();
      continue;
    }
    HP_ASSIGN_OR_RETURN(const SegmentReader::Skipped skipped, reader.SkipDamage());
    if (skipped.tail) {
      last.tail_bytes = skipped.bytes;
      break;
    }
    last.damaged_bytes += skipped.bytes;
  }
  if (last.sequence != 0) last.hash = Sha256(payload);
  return last;
}

}  // namespace

Spool::Spool(std::string dir, std::string run_id, const SpoolOptions& options, UniqueFd lock)
    : dir_(std::move(dir)), run_id_(std::move(run_id)), options_(options), lock_(std::move(lock)) {}

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
    HP_ASSIGN_OR_RETURN(std::vector<SegmentFile> segments, ListSegments(stream.path));
    for (SegmentFile& segment : segments) {
      bytes_ += segment.bytes;
      kept_.push_back({stream.run_id, stream.path, std::move(segment), 0});
    }
  }
  return absl::OkStatus();
}

// Only the end of the newest stream can be torn: segments are forced to disk before the next one begins.
absl::Status Spool::Repair(const StreamDir& stream) {
  HP_ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments, ListSegments(stream.path));
  for (auto it = segments.rbegin(); it != segments.rend(); ++it) {
    HP_ASSIGN_OR_RETURN(const LastRecord last, FindLastRecord(it->path));
    if (last.end < it->bytes && truncate(it->path.c_str(), static_cast<off_t>(last.end)) != 0) {
      return ErrnoStatus(absl::StrCat("cutting ", it->path));
    }
    report_.cut_bytes += last.tail_bytes;
    report_.damaged_bytes += last.damaged_bytes;
    if (last.tail_bytes > 0) {
      report_.note =
          absl::StrCat("run ", stream.run_id, " ended inside a record: ", last.tail_bytes, " bytes cut off at ",
                       it->path, " offset ", last.end, ", behind record ", last.sequence);
    }
    if (last.damaged_bytes > 0) {
      absl::StrAppend(&report_.note, report_.note.empty() ? "" : "; ", last.damaged_bytes, " damaged bytes inside of ",
                      it->path, " (see holdpoint-collector ingest)");
    }
    if (last.sequence != 0) {
      report_.previous_last_sequence = last.sequence;
      report_.previous_last_hash = last.hash;
      break;
    }
  }
  return absl::OkStatus();
}

absl::Status Spool::Append(uint64_t sequence, absl::string_view record) {
  if (record.empty() || record.size() > kMaxFramePayload) {
    return absl::InvalidArgumentError(
        absl::StrCat("record of ", record.size(), " bytes: want 1 to ", kMaxFramePayload));
  }
  const uint64_t frame_bytes = kFrameHeaderBytes + record.size();
  if (open_.path.empty() || used_ + frame_bytes > std::max(options_.segment_bytes, open_.bytes)) {
    HP_RETURN_IF_ERROR(Rotate(sequence, frame_bytes));
  }
  int fd;
  {
    absl::MutexLock lock(&fd_mutex_);
    fd = fd_->get();  // Only this thread replaces fd_.
  }
  const auto header = MakeFrameHeader(sequence, record);
  absl::Status status = WriteFrame(fd, open_.path, used_, {header.data(), header.size()}, record);
  if (!status.ok()) {
    // What was written of it must not stay behind the next, shorter record.
    if (ftruncate(fd, static_cast<off_t>(used_)) == 0) {
      bytes_ -= open_.bytes - used_;
      open_.bytes = used_;
    }
    return status;
  }
  used_ += frame_bytes;
  if (used_ > open_.bytes) {
    bytes_ += used_ - open_.bytes;
    open_.bytes = used_;
  }
  return absl::OkStatus();
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
  const uint64_t wanted = std::max(options_.segment_bytes, frame_bytes);
  MakeRoom(wanted);
  if (stream_.path.empty()) {
    HP_ASSIGN_OR_RETURN(stream_, CreateStream(dir_, run_id_, next_ordinal_));
  }
  SegmentFile fresh{sequence, SegmentPath(stream_.path, sequence), 0};
  HP_ASSIGN_OR_RETURN(UniqueFd fd, CreateSegment(fresh.path, frame_bytes, &fresh.bytes));
  absl::Status closed = CloseSegment();
  if (!open_.path.empty()) kept_.push_back({run_id_, stream_.path, open_, sequence});
  open_ = std::move(fresh);
  used_ = 0;
  bytes_ += open_.bytes;
  absl::MutexLock lock(&fd_mutex_);
  close_error_.Update(closed);
  fd_ = std::make_shared<UniqueFd>(std::move(fd));
  return absl::OkStatus();
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
    } else if (!EvictOne(/*delivered_only=*/true)) {
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
  if (ftruncate(fd->get(), static_cast<off_t>(used_)) == 0) {
    bytes_ -= open_.bytes - used_;
    open_.bytes = used_;
  }
  if (fdatasync(fd->get()) != 0) return ErrnoStatus(absl::StrCat("syncing ", open_.path));
  return absl::OkStatus();
}

void Spool::MakeRoom(uint64_t wanted) {
  while (bytes_ + wanted > options_.max_bytes && !kept_.empty()) {
    if (!EvictOne(/*delivered_only=*/true) && !EvictOne(/*delivered_only=*/false)) return;
  }
}

bool Spool::EvictOne(bool delivered_only) {
  if (kept_.empty()) return false;
  if (!delivered_only) {
    Evict(0, false);
    return true;
  }
  if (options_.cursor_path.empty()) return false;
  const auto cursor = ReadCursor(options_.cursor_path);
  if (!cursor.ok()) return false;
  for (size_t i = 0; i < kept_.size(); ++i) {
    const uint64_t next = cursor->Next(kept_[i].run_id);
    uint64_t& behind = kept_[i].behind;
    if (behind == 0 && kept_[i].file.first_sequence < next) {
      const auto last = FindLastRecord(kept_[i].file.path);
      if (!last.ok()) continue;
      behind = std::max(last->sequence, kept_[i].file.first_sequence) + 1;
    }
    if (behind == 0) continue;
    if (behind <= next) {
      Evict(i, true);
      return true;
    }
  }
  return false;
}

void Spool::Evict(size_t index, bool delivered) {
  const Kept victim = kept_[index];
  kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(index));
  bytes_ -= victim.file.bytes;
  if (auto last = FindLastRecord(victim.file.path); last.ok() && last->sequence != 0) {
    evictions_.push_back({victim.run_id, victim.file.first_sequence, last->sequence, last->hash, delivered});
  }
  unlink(victim.file.path.c_str());
  const bool stream_empty =
      std::none_of(kept_.begin(), kept_.end(), [&](const Kept& kept) { return kept.run_id == victim.run_id; });
  if (stream_empty && victim.run_id != run_id_) {
    unlink(absl::StrCat(victim.stream_path, "/stream").c_str());
    rmdir(victim.stream_path.c_str());
  }
}

std::vector<Eviction> Spool::TakeEvictions() { return std::exchange(evictions_, {}); }

}  // namespace holdpoint
