#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/base/fd.h"

namespace holdpoint {

// Reads the records of one segment file in order, also while it is being written.
class SegmentReader {
 public:
  // `offset` is 0 or a value that offset() gave. Errors: those of open(2).
  static absl::StatusOr<SegmentReader> Open(const std::string& path, uint64_t offset = 0);

  enum class Item {
    kRecord,  // sequence() and payload() are valid until the next call
    kEnd,     // no whole record here now; the writer may still append: calling again is right
    kDamage,  // bytes that are no record; so looks, for a moment, also a record that is just being written
  };

  // Errors: those of read(2).
  absl::StatusOr<Item> Next();

  // After kEnd or kDamage: looks behind the present offset for the next whole record and goes there.
  struct Skipped {
    uint64_t bytes = 0;  // up to the next whole record; with `tail`, up to the last byte that is not zero
    bool tail = false;   // no whole record follows: the offset stays. 0 bytes: nothing but zero bytes follows
  };                     // 0 bytes and no tail: the record here was still being written, and is whole now
  absl::StatusOr<Skipped> SkipDamage();

  uint64_t sequence() const { return sequence_; }
  bool kept_last() const { return kept_last_; }
  absl::string_view payload() const { return payload_; }
  uint64_t offset() const { return offset_; }  // behind the last record returned
  const std::string& path() const { return path_; }

 private:
  SegmentReader(UniqueFd fd, std::string path, uint64_t offset)
      : fd_(std::move(fd)), path_(std::move(path)), offset_(offset), buffer_at_(offset) {}
  absl::Status Fill(size_t want, bool fresh);
  absl::string_view Available() const;

  UniqueFd fd_;
  std::string path_;
  uint64_t offset_;     // in the file, of what is parsed next
  uint64_t buffer_at_;  // in the file, of buffer_[0]
  std::string buffer_;
  uint64_t sequence_ = 0;
  bool kept_last_ = false;
  absl::string_view payload_;
};

}  // namespace holdpoint
