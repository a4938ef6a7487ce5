#include "agent/spool/cursor.h"

#include <fcntl.h>
#include <stdio.h>

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"
#include "agent/spool/layout.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kHead = "holdpoint cursor 1";
constexpr size_t kMaxBytes = 4 * 1024 * 1024;

absl::Status NoCursor(const std::string& path, absl::string_view why) {
  return absl::DataLossError(
      absl::StrCat(path, ": ", why, "; remove the file to deliver everything in the spool once more"));
}

}  // namespace

std::string CursorPath(const std::string& state_dir) { return absl::StrCat(state_dir, "/stream/cursor"); }

absl::StatusOr<Cursor> ReadCursor(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.ok()) {
    if (errno == ENOENT) return Cursor();
    return ErrnoStatus(path);
  }
  std::string text;
  char buffer[8192];
  for (;;) {
    const ssize_t size = read(fd.get(), buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return ErrnoStatus(path);
    if (size == 0) break;
    text.append(buffer, static_cast<size_t>(size));
    if (text.size() > kMaxBytes) return NoCursor(path, "too long for a cursor");
  }
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  if (lines.empty() || lines[0] != kHead) return NoCursor(path, absl::StrCat("does not start with '", kHead, "'"));
  Cursor cursor;
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::vector<absl::string_view> words = absl::StrSplit(lines[i], ' ');
    uint64_t next = 0;
    if (words.size() != 2 || !IsRunId(words[0]) || !absl::SimpleAtoi(words[1], &next) || next == 0) {
      return NoCursor(path, absl::StrCat("line ", i + 1, " is not 'RUN_ID NEXT_SEQUENCE'"));
    }
    cursor.next_sequence[std::string(words[0])] = next;
  }
  return cursor;
}

absl::Status WriteCursor(const std::string& path, const Cursor& cursor) {
  std::string text = absl::StrCat(kHead, "\n");
  for (const auto& [run_id, next] : cursor.next_sequence) absl::StrAppend(&text, run_id, " ", next, "\n");
  const std::string fresh = path + ".new";
  UniqueFd fd(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd.ok()) return ErrnoStatus(fresh);
  for (absl::string_view rest = text; !rest.empty();) {
    const ssize_t size = write(fd.get(), rest.data(), rest.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return ErrnoStatus(fresh);
    rest.remove_prefix(static_cast<size_t>(size));
  }
  if (fdatasync(fd.get()) != 0) return ErrnoStatus(fresh);
  if (rename(fresh.c_str(), path.c_str()) != 0) return ErrnoStatus(path);
  return absl::OkStatus();
}

}  // namespace holdpoint
