#include "agent/spool/layout.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kSegmentSuffix = ".seg";
constexpr size_t kSegmentDigits = 20;
constexpr absl::string_view kMetaName = "stream";

struct DirClose {
  void operator()(DIR* d) const { closedir(d); }
};

// 0 where there is no readable ordinal: such a stream is taken as the oldest.
uint64_t ReadOrdinal(const std::string& stream_dir) {
  UniqueFd fd(open(absl::StrCat(stream_dir, "/", kMetaName).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  char buffer[64];
  const ssize_t size = fd.ok() ? read(fd.get(), buffer, sizeof(buffer)) : -1;
  if (size <= 0) return 0;
  absl::string_view text(buffer, static_cast<size_t>(size));
  uint64_t ordinal = 0;
  if (!absl::ConsumePrefix(&text, "ordinal ") || !absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &ordinal))
    return 0;
  return ordinal;
}

absl::Status WriteMeta(const std::string& path, uint64_t ordinal) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
  if (!fd.ok()) return ErrnoStatus(path);
  const std::string line = absl::StrCat("ordinal ", ordinal, "\n");
  const ssize_t written = write(fd.get(), line.data(), line.size());
  if (written < 0) return ErrnoStatus(path);
  if (written != static_cast<ssize_t>(line.size())) return ErrnoStatus(path, ENOSPC);
  if (fsync(fd.get()) != 0) return ErrnoStatus(path);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListNames(const std::string& path) {
  std::vector<std::string> names;
  std::unique_ptr<DIR, DirClose> dir(opendir(path.c_str()));
  if (dir == nullptr) {
    if (errno == ENOENT) return names;
    return ErrnoStatus(path);
  }
  errno = 0;
  while (const dirent* entry = readdir(dir.get())) names.emplace_back(entry->d_name);
  if (errno != 0) return ErrnoStatus(path);
  return names;
}

bool IsRunId(absl::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isalnum(c) || c == '-'; });
}

std::string SegmentPath(const std::string& stream_dir, uint64_t first_sequence) {
  return absl::StrFormat("%s/%0*d%s", stream_dir, kSegmentDigits, first_sequence, kSegmentSuffix);
}

std::string ThinPath(const std::string& segment_path) {
  return absl::StrCat(absl::StripSuffix(segment_path, kSegmentSuffix), ".thin");
}

absl::Status SyncDir(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok()) return ErrnoStatus(path);
  if (fsync(fd.get()) != 0) return ErrnoStatus(path);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<StreamDir>> ListStreams(const std::string& spool_dir) {
  HP_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListNames(spool_dir));
  std::vector<StreamDir> streams;
  for (const std::string& name : names) {
    if (!IsRunId(name)) continue;
    std::string path = absl::StrCat(spool_dir, "/", name);
    struct stat st {};
    if (lstat(path.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) continue;
    const uint64_t ordinal = ReadOrdinal(path);
    streams.push_back({name, std::move(path), ordinal});
  }
  std::sort(streams.begin(), streams.end(), [](const StreamDir& a, const StreamDir& b) {
    return std::tie(a.ordinal, a.run_id) < std::tie(b.ordinal, b.run_id);
  });
  return streams;
}

absl::StatusOr<std::vector<SegmentFile>> ListSegments(const std::string& stream_dir) {
  HP_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListNames(stream_dir));
  std::vector<SegmentFile> segments;
  for (const std::string& name : names) {
    absl::string_view digits = name;
    SegmentFile segment;
    if (!absl::ConsumeSuffix(&digits, kSegmentSuffix) || digits.size() != kSegmentDigits ||
        !absl::SimpleAtoi(digits, &segment.first_sequence)) {
      continue;
    }
    segment.path = absl::StrCat(stream_dir, "/", name);
    struct stat st {};
    if (lstat(segment.path.c_str(), &st) != 0 || !S_ISREG(st.st_mode)) continue;
    segment.bytes = static_cast<uint64_t>(st.st_size);
    segments.push_back(std::move(segment));
  }
  std::sort(segments.begin(), segments.end(),
            [](const SegmentFile& a, const SegmentFile& b) { return a.first_sequence < b.first_sequence; });
  return segments;
}

absl::StatusOr<StreamDir> CreateStream(const std::string& spool_dir, absl::string_view run_id, uint64_t ordinal) {
  if (!IsRunId(run_id)) {
    return absl::InvalidArgumentError(absl::StrCat("run id '", run_id, "': want 1 to 64 letters, digits and '-'"));
  }
  // The underscore keeps an unfinished directory from being taken for a stream.
  const std::string unfinished = absl::StrCat(spool_dir, "/new_", run_id);
  const std::string meta = absl::StrCat(unfinished, "/", kMetaName);
  const std::string path = absl::StrCat(spool_dir, "/", run_id);
  if (mkdir(unfinished.c_str(), 0750) != 0 && errno != EEXIST) return ErrnoStatus(unfinished);
  unlink(meta.c_str());  // Of an attempt that found the disk full.
  absl::Status status = WriteMeta(meta, ordinal);
  if (status.ok()) status = SyncDir(unfinished);
  if (status.ok() && rename(unfinished.c_str(), path.c_str()) != 0) status = ErrnoStatus(path);
  if (!status.ok()) {
    unlink(meta.c_str());
    rmdir(unfinished.c_str());
    return status;
  }
  HP_RETURN_IF_ERROR(SyncDir(spool_dir));
  return StreamDir{std::string(run_id), path, ordinal};
}

}  // namespace holdpoint
