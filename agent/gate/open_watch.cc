#include "agent/gate/open_watch.h"

#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr size_t kPiece = 16 * 1024;
constexpr size_t kFsidSize = 8, kHandleHead = 8;  // of fanotify_event_info_fid and file_handle

// FAN_EVENT_INFO_TYPE_FID, _DFID_NAME, _PIDFD: fixed heads, then a file handle, then a name that ends with NUL.
void TakeInfo(const char* info, size_t size, OpenWatch::Event* event) {
  fanotify_event_info_header head;
  std::memcpy(&head, info, sizeof(head));
  info += sizeof(head);
  size -= sizeof(head);
  if (head.info_type == FAN_EVENT_INFO_TYPE_PIDFD) {
    int pidfd = -1;
    if (size < sizeof(pidfd)) return;
    std::memcpy(&pidfd, info, sizeof(pidfd));
    if (pidfd >= 0) event->pidfd.reset(pidfd);
    return;
  }
  const bool folder = head.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME;
  if ((!folder && head.info_type != FAN_EVENT_INFO_TYPE_FID) || folder != event->put) return;
  uint32_t handle_size = 0;
  if (size < kFsidSize + kHandleHead) return;
  std::memcpy(&handle_size, info + kFsidSize, sizeof(handle_size));
  const size_t known = kFsidSize + kHandleHead + handle_size;
  if (handle_size > sizeof(WatchedFile::handle) || size < known) return;
  // As KeyOf: fsid, type, handle.
  event->key.assign(info, kFsidSize);
  event->key.append(info + kFsidSize + sizeof(handle_size), sizeof(int32_t) + handle_size);
  if (folder) event->name.assign(info + known, strnlen(info + known, size - known));
}

OpenWatch::Event Decode(const fanotify_event_metadata& head, const char* record) {
  OpenWatch::Event event;
  event.lost = (head.mask & FAN_Q_OVERFLOW) != 0;
  event.opened = (head.mask & FAN_OPEN) != 0;
  event.read = (head.mask & FAN_ACCESS) != 0;
  event.closed = (head.mask & FAN_CLOSE) != 0;
  event.gone = (head.mask & FAN_DELETE_SELF) != 0;
  event.put = (head.mask & (FAN_CREATE | FAN_MOVED_TO)) != 0;
  event.tgid = head.pid;
  for (size_t at = head.metadata_len; at + sizeof(fanotify_event_info_header) <= head.event_len;) {
    fanotify_event_info_header info;
    std::memcpy(&info, record + at, sizeof(info));
    if (info.len < sizeof(info) || at + info.len > head.event_len) break;
    TakeInfo(record + at, info.len, &event);
    at += info.len;
  }
  return event;
}

}  // namespace

absl::StatusOr<std::unique_ptr<OpenWatch>> OpenWatch::Create() {
  UniqueFd fd(fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_FID | FAN_REPORT_DFID_NAME |
                                FAN_REPORT_PIDFD | FAN_UNLIMITED_MARKS,
                            O_RDONLY));
  if (!fd.ok()) return ErrnoStatus("fanotify_init");
  return std::make_unique<OpenWatch>(std::move(fd));
}

bool OpenWatch::Waiting() const {
  int bytes = 0;
  return ioctl(fd_.get(), FIONREAD, &bytes) == 0 && bytes > 0;
}

void OpenWatch::Drain(size_t max, const std::function<void(Event)>& sink) {
  alignas(fanotify_event_metadata) char piece[kPiece];
  for (size_t taken = 0; taken < max;) {
    const ssize_t size = read(fd_.get(), piece, sizeof(piece));
    if (size <= 0) return;
    for (size_t at = 0; at + sizeof(fanotify_event_metadata) <= static_cast<size_t>(size); ++taken) {
      fanotify_event_metadata head;
      std::memcpy(&head, piece + at, sizeof(head));
      if (head.event_len < sizeof(head) || at + head.event_len > static_cast<size_t>(size)) return;
      if (head.fd >= 0) close(head.fd);  // none in a group that reports ids
      sink(Decode(head, piece + at));
      at += head.event_len;
    }
  }
}

void OpenWatch::Forget() { fanotify_mark(fd_.get(), FAN_MARK_FLUSH, 0, AT_FDCWD, nullptr); }

std::string OpenWatch::KeyOf(const WatchedFile& file) {
  std::string key(reinterpret_cast<const char*>(file.fsid), sizeof(file.fsid));
  key.append(reinterpret_cast<const char*>(&file.handle_type), sizeof(file.handle_type));
  key.append(reinterpret_cast<const char*>(file.handle), std::min<size_t>(file.handle_size, sizeof(file.handle)));
  return key;
}

}  // namespace holdpoint
