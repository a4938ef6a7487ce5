#include "agent/reader/zip_member.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"

namespace holdpoint::reader {
namespace {

constexpr size_t kEnd = 22, kEntry = 46, kLocal = 30;
constexpr size_t kMaxComment = 65535;
constexpr size_t kMaxDirectory = 1 << 20;
constexpr size_t kBlock = 64 * 1024;
constexpr uint32_t kEndMagic = 0x06054b50, kEntryMagic = 0x02014b50, kLocalMagic = 0x04034b50;

uint32_t Number(absl::string_view bytes, size_t at, size_t size) {
  uint32_t number = 0;
  for (size_t i = size; i > 0; --i) number = number << 8 | static_cast<uint8_t>(bytes[at + i - 1]);
  return number;
}

absl::StatusOr<std::string> ReadAt(int fd, uint64_t at, size_t size) {
  std::string bytes(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t n = pread(fd, bytes.data() + done, size - done, static_cast<off_t>(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus("read");
    if (n == 0) return absl::InvalidArgumentError("ends too early");
    done += static_cast<size_t>(n);
  }
  return bytes;
}

struct Member {
  uint32_t method = 0, compressed = 0, at = 0;
};

absl::StatusOr<Member> FindMember(absl::string_view directory, uint32_t count, absl::string_view name) {
  std::optional<Member> found;
  size_t at = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (at + kEntry > directory.size() || Number(directory, at, 4) != kEntryMagic) {
      return absl::InvalidArgumentError("a directory that is not understood");
    }
    const uint32_t length = Number(directory, at + 28, 2);
    const size_t next = at + kEntry + length + Number(directory, at + 30, 2) + Number(directory, at + 32, 2);
    if (next > directory.size()) return absl::InvalidArgumentError("a directory that is not understood");
    if (directory.substr(at + kEntry, length) == name) {
      if (found.has_value()) return absl::InvalidArgumentError("two members of one name");
      if ((Number(directory, at + 8, 2) & 1) != 0) return absl::InvalidArgumentError("an encrypted member");
      found = Member{Number(directory, at + 10, 2), Number(directory, at + 20, 4), Number(directory, at + 42, 4)};
    }
    at = next;
  }
  if (!found.has_value()) return absl::NotFoundError("no such member");
  return *found;
}

class Inflater {
 public:
  Inflater() { ok_ = inflateInit2(&stream_, -MAX_WBITS) == Z_OK; }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Adds what these bytes become; false where they are no deflated data or there is more than `max`.
  absl::Status Add(std::string bytes, size_t max, std::string* out) {
    if (!ok_) return absl::InternalError("zlib");
    stream_.next_in = reinterpret_cast<Bytef*>(bytes.data());
    stream_.avail_in = static_cast<uInt>(bytes.size());
    char block[kBlock];
    stream_.avail_out = 0;
    while (!done_ && (stream_.avail_in > 0 || stream_.avail_out == 0)) {
      stream_.next_out = reinterpret_cast<Bytef*>(block);
      stream_.avail_out = sizeof(block);
      const int result = inflate(&stream_, Z_NO_FLUSH);
      if (result == Z_BUF_ERROR) break;  // it wants more
      if (result != Z_OK && result != Z_STREAM_END) return absl::InvalidArgumentError("a member that is damaged");
      out->append(block, sizeof(block) - stream_.avail_out);
      if (out->size() > max) return absl::ResourceExhaustedError(absl::StrCat("has more than ", max, " bytes"));
      done_ = result == Z_STREAM_END;
    }
    return absl::OkStatus();
  }
  bool done() const { return done_; }

 private:
  z_stream stream_ = {};
  bool ok_ = false;
  bool done_ = false;
};

absl::StatusOr<std::string> ReadMember(int fd, const Member& member, size_t max) {
  HP_ASSIGN_OR_RETURN(const std::string local, ReadAt(fd, member.at, kLocal));
  if (Number(local, 0, 4) != kLocalMagic) return absl::InvalidArgumentError("a member that is not where it should be");
  uint64_t at = uint64_t{member.at} + kLocal + Number(local, 26, 2) + Number(local, 28, 2);
  if (member.method == 0) {
    if (member.compressed > max) return absl::ResourceExhaustedError(absl::StrCat("has more than ", max, " bytes"));
    return ReadAt(fd, at, member.compressed);
  }
  if (member.method != 8) return absl::InvalidArgumentError("a way of packing that is not understood");
  Inflater inflater;
  std::string content;
  for (uint64_t left = member.compressed; left > 0 && !inflater.done();) {
    const size_t size = static_cast<size_t>(std::min<uint64_t>(left, kBlock));
    HP_ASSIGN_OR_RETURN(std::string bytes, ReadAt(fd, at, size));
    HP_RETURN_IF_ERROR(inflater.Add(std::move(bytes), max, &content));
    at += size;
    left -= size;
  }
  if (!inflater.done()) return absl::InvalidArgumentError("a member that is damaged");
  return content;
}

}  // namespace

absl::StatusOr<std::string> ReadZipMember(int fd, absl::string_view name, size_t max) {
  struct stat st;
  if (fstat(fd, &st) != 0) return ErrnoStatus("fstat");
  const uint64_t size = static_cast<uint64_t>(st.st_size);
  const size_t tail_size = static_cast<size_t>(std::min<uint64_t>(size, kEnd + kMaxComment));
  HP_ASSIGN_OR_RETURN(const std::string tail, ReadAt(fd, size - tail_size, tail_size));
  for (size_t at = tail.size() < kEnd ? 0 : tail.size() - kEnd + 1; at > 0; --at) {
    const size_t end = at - 1;
    if (Number(tail, end, 4) != kEndMagic) continue;
    const uint32_t count = Number(tail, end + 10, 2), length = Number(tail, end + 12, 4), start = Number(tail, end + 16, 4);
    // Readers differ in what they make of bytes behind the end or before the first member: there are none.
    if (Number(tail, end + 4, 4) != 0 || end + kEnd + Number(tail, end + 20, 2) != tail.size() ||
        uint64_t{start} + length != size - tail.size() + end) {
      return absl::InvalidArgumentError("an archive that is not understood");
    }
    if (length > kMaxDirectory) return absl::ResourceExhaustedError("a directory that is too large");
    HP_ASSIGN_OR_RETURN(const std::string directory, ReadAt(fd, start, length));
    HP_ASSIGN_OR_RETURN(const Member member, FindMember(directory, count, name));
    return ReadMember(fd, member, max);
  }
  return absl::InvalidArgumentError("no archive");
}

}  // namespace holdpoint::reader
