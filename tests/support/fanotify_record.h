#pragma once

#include <sys/fanotify.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>

#include "agent/base/watched_file.h"

namespace holdpoint {

// A record as a group that reports file ids gives it, in parts that a test can spoil.
class FanotifyRecord {
 public:
  explicit FanotifyRecord(uint64_t mask, int32_t pid = 0) {
    head_.vers = FANOTIFY_METADATA_VERSION;
    head_.metadata_len = sizeof(head_);
    head_.mask = mask;
    head_.fd = FAN_NOFD;
    head_.pid = pid;
  }

  FanotifyRecord& Of(const WatchedFile& file) { return Id(FAN_EVENT_INFO_TYPE_FID, file, ""); }
  // What was put into a folder.
  FanotifyRecord& In(const WatchedFile& folder, const std::string& name) {
    return Id(FAN_EVENT_INFO_TYPE_DFID_NAME, folder, name + std::string(1, '\0'));
  }
  FanotifyRecord& By(int pidfd) { return Info(FAN_EVENT_INFO_TYPE_PIDFD, Bytes(pidfd) + Bytes(0)); }
  FanotifyRecord& Info(uint8_t type, const std::string& body) {
    const fanotify_event_info_header info{
        .info_type = type, .pad = 0, .len = static_cast<uint16_t>(sizeof(fanotify_event_info_header) + body.size())};
    infos_ += Bytes(info) + body;
    return *this;
  }

  std::string Text() {
    head_.event_len = static_cast<uint32_t>(sizeof(head_) + infos_.size());
    return Bytes(head_) + infos_;
  }

  template <typename T>
  static std::string Bytes(const T& value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
  }

 private:
  FanotifyRecord& Id(uint8_t type, const WatchedFile& file, const std::string& behind) {
    const std::string handle(reinterpret_cast<const char*>(file.handle), file.handle_size);
    return Info(type, Bytes(file.fsid) + Bytes(file.handle_size) + Bytes(file.handle_type) + handle + behind);
  }

  fanotify_event_metadata head_ = {};
  std::string infos_;
};

// One that fanotify would name by `handle`.
inline WatchedFile MadeWatchedFile(const std::string& path, const std::string& handle) {
  WatchedFile file;
  file.kind = WatchedFile::kFile;
  file.device = 7;
  file.inode = std::hash<std::string>()(handle);
  file.fsid[0] = 1;
  file.handle_type = 2;
  file.handle_size = static_cast<uint32_t>(handle.size());
  std::memcpy(file.handle, handle.data(), handle.size());
  path.copy(file.path, sizeof(file.path) - 1);
  return file;
}

}  // namespace holdpoint
