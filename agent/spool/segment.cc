#include "agent/spool/segment.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/spool/frame.h"

namespace holdpoint {
namespace {

constexpr size_t kReadAhead = 64 * 1024;

}  // namespace

absl::StatusOr<SegmentReader> SegmentReader::Open(const std::string& path, uint64_t offset) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.ok()) return ErrnoStatus(path);
  return SegmentReader(std::move(fd), path, offset);
}

absl::string_view SegmentReader::Available() const {
  if (offset_ < buffer_at_) return {};
  return absl::string_view(buffer_).substr(std::min<size_t>(offset_ - buffer_at_, buffer_.size()));
}

// Makes at least `want` bytes from offset_ available if the file has them. `fresh`: what is buffered is read again,
// because the writer may have changed zero bytes to data since.
absl::Status SegmentReader::Fill(size_t want, bool fresh) {
  if (!fresh && Available().size() >= want) return absl::OkStatus();
  struct stat st {};
  if (fstat(fd_.get(), &st) != 0) return ErrnoStatus(path_);
  const uint64_t rest = std::max<uint64_t>(static_cast<uint64_t>(st.st_size), offset_) - offset_;
  const size_t most = want > kReadAhead ? 4 * want : kReadAhead;  // Large, so that a search refills seldom.
  const size_t size = std::min<uint64_t>(rest, most);
  buffer_.resize(size);
  buffer_at_ = offset_;
  size_t have = 0;
  while (have < size) {
    const ssize_t n = pread(fd_.get(), buffer_.data() + have, size - have, static_cast<off_t>(offset_ + have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      buffer_.clear();
      return ErrnoStatus(absl::StrCat("reading ", path_, " at ", offset_ + have));
    }
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  buffer_.resize(have);
  return absl::OkStatus();
}

absl::StatusOr<SegmentReader::Item> SegmentReader::Next() {
  payload_ = {};
  for (const bool fresh : {false, true}) {
    HP_RETURN_IF_ERROR(Fill(kFrameHeaderBytes, fresh));
    Frame frame;
    FrameState state = ParseFrame(Available(), &frame);
    if (state == FrameState::kPartial) {
      HP_RETURN_IF_ERROR(Fill(kFrameHeaderBytes + kMaxFramePayload, fresh));
      state = ParseFrame(Available(), &frame);
    }
    if (state == FrameState::kWhole) {
      sequence_ = frame.sequence;
      kept_last_ = frame.kept_last;
      payload_ = frame.payload;
      offset_ += frame.size;
      return Item::kRecord;
    }
    if (fresh) return state == FrameState::kNothing ? Item::kEnd : Item::kDamage;
  }
  return Item::kEnd;
}

absl::StatusOr<SegmentReader::Skipped> SegmentReader::SkipDamage() {
  constexpr size_t kWant = kFrameHeaderBytes + kMaxFramePayload;
  payload_ = {};
  const uint64_t start = offset_;
  uint64_t last_data = start;  // behind the last byte that is not zero
  for (bool fresh = true;; fresh = false) {
    HP_RETURN_IF_ERROR(Fill(kWant, fresh));
    const absl::string_view data = Available();
    const size_t found = data.find(kFrameMagic, offset_ == start ? 1 : 0);  // What is at the start is known to be bad.
    const size_t last = data.substr(0, found).find_last_not_of('\0');
    if (last != absl::string_view::npos) last_data = offset_ + last + 1;
    if (found != absl::string_view::npos) {
      offset_ += found;
      HP_RETURN_IF_ERROR(Fill(kWant, false));
      Frame frame;
      if (ParseFrame(Available(), &frame) == FrameState::kWhole) {
        const uint64_t next = offset_;
        offset_ = start;  // A record that was still being written before is whole by now: the next one was begun.
        HP_RETURN_IF_ERROR(Fill(kWant, true));
        if (ParseFrame(Available(), &frame) == FrameState::kWhole) return Skipped{0, false};
        offset_ = next;
        return Skipped{next - start, false};
      }
      last_data = ++offset_;
    } else if (data.size() < kWant) {  // The end of the file.
      break;
    } else {
      offset_ += data.size() - (kFrameMagic.size() - 1);  // The magic may lie across the border.
    }
  }
  offset_ = start;
  return Skipped{last_data - start, true};
}

}  // namespace holdpoint
