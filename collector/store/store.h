#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "collector/store/database.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// Where a record came from, so that reading goes on behind it: a partition of a topic, or a run of a spool.
struct Position {
  std::string source;  // "kafka" or "spool"
  std::string topic;   // topic, or run id
  int32_t partition = 0;
  int64_t next_offset = 0;  // behind the record
};

// Takes records in. Offsets and rows are committed in the same transaction, so a record is stored exactly once however
// often it is delivered. Thread: one.
class Store {
 public:
  // Makes the file and its tables where they are missing. Errors: those of Database::Open and EnsureSchema.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& path);

  struct Counts {
    uint64_t stored = 0;
    uint64_t duplicates = 0;  // the same bytes again
    uint64_t conflicts = 0;   // the same run and sequence, other bytes: a finding
    uint64_t rejected = 0;    // no envelope: a finding
  };

  // Stores one record and moves its source's offset. Any bytes are fine: what is no record becomes a finding. Begins a
  // transaction where none is open. After an error nothing since the last Commit is stored.
  absl::Status Insert(absl::string_view record, const Position& position);

  // Ends the transaction: all since the last Commit is stored, or, on an error, nothing of it.
  absl::Status Commit();

  absl::StatusOr<std::optional<int64_t>> NextOffset(absl::string_view source, absl::string_view topic,
                                                    int32_t partition);

  // Verifies what changed in every stream and brings the findings up to date. Commits.
  absl::Status Verify();

  const Counts& counts() const { return counts_; }
  Database& database() { return database_; }

 private:
  explicit Store(Database database) : database_(std::move(database)) {}
  absl::Status Prepare();
  absl::Status Begin();
  void Rollback();
  absl::Status InsertOne(absl::string_view record, const Position& position);
  absl::Status VerifyChanged();
  absl::StatusOr<int64_t> StreamId(const v1::StreamId& stream);
  absl::Status Reject(const Position& position, absl::string_view why);
  absl::Status AddFinding(absl::string_view run_id, absl::string_view kind, uint64_t first, uint64_t last,
                          absl::string_view text);
  absl::Status TakeNew(const v1::Envelope& event);
  absl::Status TakeDeclarations(const v1::Envelope& event);
  absl::Status MarkChanged(absl::string_view run_id);
  absl::Status VerifyOne(int64_t id, const std::string& run_id, uint64_t verified_to, const std::string& verified_hash);

  Database database_;
  bool in_transaction_ = false;
  Counts counts_;
  std::map<std::string, int64_t> stream_ids_;
  std::optional<Statement> insert_stream_, insert_named_stream_, name_boot_, find_stream_, mark_changed_, insert_event_,
      find_hash_, insert_tombstone_, insert_end_, insert_finding_, set_offset_, upsert_session_, session_started_, session_ended_;
};

}  // namespace holdpoint
