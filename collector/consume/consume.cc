#include "collector/consume/consume.h"

#include "agent/base/log.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kPatience = absl::Milliseconds(200);  // An open transaction waits this long for more.

}  // namespace

absl::Status Consume(RecordSource& source, Store& store, const ConsumeOptions& options) {
  int open = 0;            // records in the open transaction
  bool unverified = true;  // also what an earlier, killed collector left
  const auto commit = [&]() -> absl::Status {
    if (open == 0) return absl::OkStatus();
    HP_RETURN_IF_ERROR(store.Commit());
    source.Stored();
    open = 0;
    return absl::OkStatus();
  };
  for (;;) {
    RecordSource::Item item;
    const auto got = source.Next(kPatience, &item);
    for (const std::string& notice : source.TakeNotices()) LogWarning(notice);
    if (!got.ok()) {
      HP_RETURN_IF_ERROR(commit());
      return got.status();
    }
    if (*got == RecordSource::Got::kRecord) {
      HP_RETURN_IF_ERROR(store.Insert(item.record, item.position));
      unverified = true;
      if (++open >= options.batch) HP_RETURN_IF_ERROR(commit());
    } else {
      HP_RETURN_IF_ERROR(commit());
      if (unverified) HP_RETURN_IF_ERROR(store.Verify());
      unverified = false;
      if (*got == RecordSource::Got::kIdle && options.until_idle) return absl::OkStatus();
    }
    if (options.stopped && options.stopped()) {
      HP_RETURN_IF_ERROR(commit());
      return store.Verify();
    }
  }
}

}  // namespace holdpoint
