#pragma once

#include <memory>
#include <string>

#include "agent/spool/reader.h"
#include "collector/consume/source.h"

namespace holdpoint {

// Reads a spool on this host, from where the store got to.
class SpoolSource final : public RecordSource {
 public:
  // Errors: kNotFound without a spool, those of reading it and the store.
  static absl::StatusOr<std::unique_ptr<SpoolSource>> Open(const std::string& spool_dir, Store& store);

  absl::StatusOr<Got> Next(absl::Duration timeout, Item* item) override;
  std::vector<std::string> TakeNotices() override { return reader_->TakeNotices(); }

 private:
  explicit SpoolSource(std::unique_ptr<SpoolReader> reader) : reader_(std::move(reader)) {}
  std::unique_ptr<SpoolReader> reader_;
};

}  // namespace holdpoint
