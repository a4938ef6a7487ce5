#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "agent/base/fd.h"
#include "agent/spool/reader.h"
#include "agent/stream/producer.h"
#include "agent/stream/settings.h"
#include "agent/stream/tracker.h"

namespace holdpoint {

struct DrainOptions {
  std::string spool_dir;
  std::string cursor_path;  // its directory exists; one process per cursor
  std::string topic;
  KafkaSettings settings;  // as ProducerSettings made them
  bool once = false;       // end when all that is in the spool is delivered
  int stop_fd = -1;        // readable: end; -1 where there is none
};

// Moves every record of a spool to a topic, in order, and then waits for more. A record counts as delivered when all
// in-sync brokers have it, and the cursor moves only then: killed at any moment, the next run goes on where the brokers
// were, and repeats at most what they had just taken (known by run id and sequence).
//
// While brokers are away it waits, for ever; it says so once, and once when they are back. Thread: one.
class Drain {
 public:
  explicit Drain(DrainOptions options) : options_(std::move(options)) {}

  // Errors: kInvalidArgument for settings that librdkafka refuses, kDataLoss for a broken cursor, those of reading the
  // spool and writing the cursor. OK when stopped or, with `once`, done.
  absl::Status Run();

  uint64_t delivered() const { return delivered_; }
  uint64_t skipped() const { return skipped_; }  // too large for the brokers

 private:
  enum class End { kDone, kRestart };
  absl::StatusOr<End> RunOneProducer();
  absl::StatusOr<bool> Feed(SpoolReader& reader, Producer& producer);
  void OnDelivered(uint64_t number, const absl::Status& status);
  void OnTrouble(rd_kafka_resp_err_t code, absl::string_view text);
  absl::Status SaveCursor(bool now);
  bool WaitFor(Producer* producer, SpoolReader* reader, absl::Duration timeout);
  void Tell(const std::string& text);

  const DrainOptions options_;
  Cursor saved_;
  std::unique_ptr<DeliveryTracker> tracker_;
  std::string pending_record_;  // read from the spool, not taken by the producer yet
  uint64_t pending_number_ = 0;
  absl::Status restart_;        // why a new producer is needed
  std::set<std::string> told_;  // since the last delivery
  BootTime last_save_;
  uint64_t delivered_ = 0;
  uint64_t skipped_ = 0;
};

}  // namespace holdpoint
