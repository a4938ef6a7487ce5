#include "collector/consume/spool_source.h"

#include "agent/base/status.h"
#include "agent/spool/layout.h"

namespace holdpoint {
namespace {

constexpr char kSource[] = "spool";

}  // namespace

absl::StatusOr<std::unique_ptr<SpoolSource>> SpoolSource::Open(const std::string& spool_dir, Store& store) {
  SpoolReader::Options options;
  HP_ASSIGN_OR_RETURN(const std::vector<StreamDir> streams, ListStreams(spool_dir));
  for (const StreamDir& stream : streams) {
    HP_ASSIGN_OR_RETURN(const auto next, store.NextOffset(kSource, stream.run_id, 0));
    if (next.has_value()) options.from.next_sequence[stream.run_id] = static_cast<uint64_t>(*next);
  }
  HP_ASSIGN_OR_RETURN(auto reader, SpoolReader::Open(spool_dir, options));
  return std::unique_ptr<SpoolSource>(new SpoolSource(std::move(reader)));
}

absl::StatusOr<RecordSource::Got> SpoolSource::Next(absl::Duration timeout, Item* item) {
  SpoolReader::Record record;
  HP_ASSIGN_OR_RETURN(bool found, reader_->Next(&record));
  if (!found && timeout > absl::ZeroDuration()) {
    reader_->Wait(timeout);
    HP_ASSIGN_OR_RETURN(found, reader_->Next(&record));
  }
  if (!found) return Got::kIdle;
  item->record = record.bytes;
  item->position = {kSource, std::string(record.run_id), 0, static_cast<int64_t>(record.sequence + 1)};
  return Got::kRecord;
}

}  // namespace holdpoint
