#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "collector/store/store.h"

namespace holdpoint {

// Where records come from: a topic, or the spool of this host.
class RecordSource {
 public:
  struct Item {
    absl::string_view record;  // valid until the next call
    Position position;
  };
  enum class Got {
    kRecord,
    kNothing,  // none within the timeout
    kIdle,     // none, and the source is known to be read to its end
  };

  virtual ~RecordSource() = default;
  // Errors: kUnavailable for what passes by itself (brokers away), others end the collector.
  virtual absl::StatusOr<Got> Next(absl::Duration timeout, Item* item) = 0;
  // All items returned so far are stored.
  virtual void Stored() {}
  // Lines for people since the last call.
  virtual std::vector<std::string> TakeNotices() { return {}; }
};

}  // namespace holdpoint
