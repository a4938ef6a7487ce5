#pragma once

#include <functional>

#include "absl/status/status.h"
#include "collector/consume/source.h"
#include "collector/store/store.h"

namespace holdpoint {

struct ConsumeOptions {
  bool until_idle = false;        // end when the source is read to its end
  int batch = 1000;               // records in one transaction, at most
  std::function<bool()> stopped;  // asked between records
};

// Moves records from a source into a store, in transactions, and verifies the streams at the end and whenever nothing
// arrives. Errors: those of the source and the store; what is committed stays.
absl::Status Consume(RecordSource& source, Store& store, const ConsumeOptions& options);

}  // namespace holdpoint
