#include "agent/spool/delivery.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"
#include "agent/spool/crc32c.h"

namespace holdpoint {
namespace {

constexpr uint64_t kMagic = 0x3156494c45445048;  // "HPDELIV1"

struct Record {
  uint64_t magic = kMagic;
  uint64_t delivered = 0, undeliverable = 0, restarts = 0;
  int64_t started_unix_ns = 0, last_unix_ns = 0, last_record_unix_ns = 0;
  uint64_t shorter[LatencyBuckets::kCount] = {};
  uint64_t delay_count = 0, delay_sum_ns = 0;
  char trouble[256] = {};  // padded with NUL
  uint64_t checksum = 0;   // CRC-32C of everything before it
};
static_assert(std::is_trivially_copyable_v<Record> && std::has_unique_object_representations_v<Record>);

uint64_t ChecksumOf(const Record& record) {
  return Crc32c({reinterpret_cast<const char*>(&record), offsetof(Record, checksum)});
}

}  // namespace

std::string DeliveryPath(const std::string& state_dir) { return absl::StrCat(state_dir, "/stream/delivery"); }

absl::Status WriteDelivery(const std::string& path, const DeliveryState& state) {
  Record record{.delivered = state.delivered,
                .undeliverable = state.undeliverable,
                .restarts = state.restarts,
                .started_unix_ns = state.started_unix_ns,
                .last_unix_ns = state.last_unix_ns,
                .last_record_unix_ns = state.last_record_unix_ns,
                .delay_count = state.delay.count,
                .delay_sum_ns = state.delay.sum_ns};
  std::copy(state.delay.shorter.begin(), state.delay.shorter.end(), record.shorter);
  std::memcpy(record.trouble, state.trouble.data(), std::min(state.trouble.size(), sizeof(record.trouble) - 1));
  record.checksum = ChecksumOf(record);
  const std::string fresh = path + ".new";
  {
    const UniqueFd fd(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!fd.ok()) return ErrnoStatus(fresh);
    const ssize_t written = write(fd.get(), &record, sizeof(record));
    if (written < 0) return ErrnoStatus(fresh);
    if (written != sizeof(record)) return ErrnoStatus(fresh, ENOSPC);
  }
  if (rename(fresh.c_str(), path.c_str()) != 0) return ErrnoStatus(path);
  return absl::OkStatus();
}

absl::StatusOr<DeliveryState> ReadDelivery(const std::string& path) {
  // Its folder is another user's: no FIFO must stop the reader.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.ok()) return ErrnoStatus(path);
  struct stat st {};
  Record record;
  if (fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode) || read(fd.get(), &record, sizeof(record)) != sizeof(record) ||
      record.magic != kMagic || record.checksum != ChecksumOf(record)) {
    return absl::DataLossError(absl::StrCat(path, ": not what holdpoint-stream writes there"));
  }
  DeliveryState state{.delivered = record.delivered,
                      .undeliverable = record.undeliverable,
                      .restarts = record.restarts,
                      .started_unix_ns = record.started_unix_ns,
                      .last_unix_ns = record.last_unix_ns,
                      .last_record_unix_ns = record.last_record_unix_ns};
  std::copy(std::begin(record.shorter), std::end(record.shorter), state.delay.shorter.begin());
  state.delay.count = record.delay_count;
  state.delay.sum_ns = record.delay_sum_ns;
  state.trouble.assign(record.trouble, strnlen(record.trouble, sizeof(record.trouble) - 1));
  return state;
}

}  // namespace holdpoint
