#include "agent/spool/survey.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"
#include "agent/event/recorder.h"
#include "agent/spool/frame.h"
#include "agent/spool/segment.h"

namespace holdpoint {
namespace {

constexpr size_t kWriteAtOnce = 256 * 1024;

absl::Status WriteAll(int fd, absl::string_view data, const std::string& path) {
  while (!data.empty()) {
    const ssize_t written = write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(absl::StrCat("writing ", path));
    data.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::StatusOr<Thinned> CopyKept(SegmentReader& reader, int fd, const std::string& copy) {
  Thinned thinned;
  std::string out, last_gone;
  const auto close_gap = [&] {
    if (!last_gone.empty()) thinned.gaps.back().last_hash = Sha256(last_gone);
    last_gone.clear();
  };
  for (;;) {
    HP_ASSIGN_OR_RETURN(const SegmentReader::Item item, reader.Next());
    if (item != SegmentReader::Item::kRecord) break;  // A damaged segment is never thinned.
    const uint64_t sequence = reader.sequence();
    if (reader.kept_last()) {
      close_gap();
      const auto header = MakeFrameHeader(sequence, reader.payload(), true);
      out.append(header.data(), header.size());
      out.append(reader.payload().data(), reader.payload().size());
      thinned.size += header.size() + reader.payload().size();
    } else {
      if (last_gone.empty() || thinned.gaps.back().last + 1 != sequence) {
        close_gap();
        thinned.gaps.push_back({sequence, sequence, {}});
      }
      thinned.gaps.back().last = sequence;
      last_gone.assign(reader.payload().data(), reader.payload().size());
      thinned.records++;
      thinned.record_bytes += last_gone.size();
    }
    if (out.size() < kWriteAtOnce) continue;
    HP_RETURN_IF_ERROR(WriteAll(fd, out, copy));
    out.clear();
  }
  close_gap();
  HP_RETURN_IF_ERROR(WriteAll(fd, out, copy));
  if (fsync(fd) != 0) return ErrnoStatus(absl::StrCat("syncing ", copy));
  return thinned;
}

SequenceGap GapOf(uint64_t first, uint64_t last, const std::string& hash) {
  SequenceGap gap{first, last, {}};
  if (hash.size() == gap.last_hash.size()) std::memcpy(gap.last_hash.data(), hash.data(), hash.size());
  return gap;
}

}  // namespace

absl::StatusOr<SegmentSurvey> SurveySegment(const std::string& path) {
  HP_ASSIGN_OR_RETURN(SegmentReader reader, SegmentReader::Open(path));
  SegmentSurvey survey;
  for (;;) {
    HP_ASSIGN_OR_RETURN(const SegmentReader::Item item, reader.Next());
    if (item == SegmentReader::Item::kRecord) {
      survey.records++;
      survey.record_bytes += reader.payload().size();
      if (reader.kept_last()) {
        survey.kept_last++;
      } else {
        survey.ordinary_bytes += kFrameHeaderBytes + reader.payload().size();
      }
      survey.last_sequence = reader.sequence();
      survey.last_record.assign(reader.payload().data(), reader.payload().size());
      survey.end = reader.offset();
      continue;
    }
    HP_ASSIGN_OR_RETURN(const SegmentReader::Skipped skipped, reader.SkipDamage());
    if (skipped.tail) {
      survey.tail_bytes = skipped.bytes;
      break;
    }
    survey.damaged_bytes += skipped.bytes;
  }
  if (survey.last_sequence != 0) survey.last_hash = Sha256(survey.last_record);
  return survey;
}

absl::StatusOr<Thinned> ThinSegment(const std::string& path, const std::string& copy) {
  HP_ASSIGN_OR_RETURN(SegmentReader reader, SegmentReader::Open(path));
  UniqueFd fd(open(copy.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd.ok()) return ErrnoStatus(copy);
  absl::StatusOr<Thinned> thinned = CopyKept(reader, fd.get(), copy);
  if (!thinned.ok()) unlink(copy.c_str());
  return thinned;
}

absl::StatusOr<std::vector<Eviction>> TombstonesIn(const std::string& path, const std::string& own_run) {
  HP_ASSIGN_OR_RETURN(SegmentReader reader, SegmentReader::Open(path));
  std::vector<Eviction> evictions;
  for (;;) {
    HP_ASSIGN_OR_RETURN(const SegmentReader::Item item, reader.Next());
    if (item != SegmentReader::Item::kRecord) {
      HP_ASSIGN_OR_RETURN(const SegmentReader::Skipped skipped, reader.SkipDamage());
      if (skipped.tail) return evictions;
      continue;
    }
    v1::Envelope event;
    if (!reader.kept_last() || !ParseRecord(reader.payload(), &event) || !event.has_tombstone()) continue;
    const v1::Tombstone& tombstone = event.tombstone();
    Eviction eviction{.run_id = tombstone.run_id().empty() ? own_run : tombstone.run_id(),
                      .delivered = tombstone.delivered(),
                      .reason = "declared before"};
    eviction.gaps.push_back(GapOf(tombstone.first_sequence(), tombstone.last_sequence(), tombstone.last_hash()));
    for (const v1::Tombstone::Gap& gap : tombstone.gaps()) {
      eviction.gaps.push_back(GapOf(gap.first_sequence(), gap.last_sequence(), gap.last_hash()));
    }
    evictions.push_back(std::move(eviction));
  }
}

}  // namespace holdpoint
