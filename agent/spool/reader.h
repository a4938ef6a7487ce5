#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/base/fd.h"
#include "agent/spool/cursor.h"
#include "agent/spool/layout.h"
#include "agent/spool/segment.h"

namespace holdpoint {

// Reads all records of a spool, stream by stream, oldest first, while a Spool may be writing to it. Needs no lock and
// never disturbs the writer.
//
//   while (true) {
//     if (*reader->Next(&record)) Use(record);
//     else reader->Wait(absl::Seconds(1));
//   }
//
// Thread: one.
class SpoolReader {
 public:
  struct Options {
    Cursor from = {};     // records before these are left out
    bool at_end = false;  // start behind what is there now
  };
  struct Record {
    absl::string_view run_id;  // Both views are valid until the next call of Next.
    absl::string_view bytes;   // the serialised envelope as it was stored
    uint64_t sequence = 0;
  };

  // Errors: kNotFound where there is no spool, those of reading the directory.
  static absl::StatusOr<std::unique_ptr<SpoolReader>> Open(const std::string& spool_dir, const Options& options);

  // True with the next record, false when there is none yet. Errors: those of reading; kDataLoss never: what is
  // damaged is skipped and told by TakeNotices.
  absl::StatusOr<bool> Next(Record* record);

  // Returns when something was written, or after `timeout`, or on a signal.
  void Wait(absl::Duration timeout);

  // For an own poll loop: readable when Wait would return. -1 where inotify is not to be had: poll by time then.
  int wait_fd() {
    StartWatching();
    return inotify_.get();
  }

  // Lines for people about what was skipped: damage, and segments that are gone.
  std::vector<std::string> TakeNotices();

  // Records skipped because of damage cannot be counted; bytes can.
  uint64_t damaged_bytes() const { return damaged_bytes_; }

 private:
  SpoolReader(std::string dir, const Options& options) : dir_(std::move(dir)), from_(options.from) {}
  void StartWatching();
  void WatchStream();
  absl::Status GoToEnd();
  absl::StatusOr<bool> HasLater();
  absl::StatusOr<bool> Advance();
  absl::Status OpenSegment(const SegmentFile& file);
  absl::Status EnterStream(const StreamDir& stream);
  bool DrainEvents();

  const std::string dir_;
  Cursor from_;
  UniqueFd inotify_;  // Made when somebody first waits.
  bool watching_ = false;
  int stream_watch_ = -1;
  bool changed_ = true;  // directories may have new entries since they were last listed

  std::optional<StreamDir> stream_;
  std::optional<SegmentReader> segment_;
  uint64_t segment_first_ = 0;
  uint64_t next_sequence_ = 1;  // in stream_
  bool settled_ = false;        // nobody writes to segment_ any more, and that was known before its last read
  bool finished_ = false;       // all of segment_ was read, and its tail told
  std::vector<std::string> notices_;
  uint64_t damaged_bytes_ = 0;
};

}  // namespace holdpoint
