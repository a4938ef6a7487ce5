#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/kernel/kernel.h"
#include "agent/kernel/maps.h"

namespace holdpoint {

// The maps of triage; borrowed descriptors.
struct TriageMaps {
  int tables = -1;  // hp_tmp_triage
  MapView<hp_basename, uint32_t> names;
  MapView<uint64_t, uint32_t> sizes;
};

// Makes a table of the rows and puts it where the programs look for that generation. Names and sizes are one set for all
// generations: here those of the new one are added.
absl::Status PutTriage(const TriageMaps& maps, const Kernel::TriageTables& tables, uint32_t generation);

// Takes out the names and sizes that are none of these: when no program goes by an older generation any more.
absl::Status TrimTriage(const TriageMaps& maps, const std::vector<std::string>& names, const std::vector<uint64_t>& sizes);

}  // namespace holdpoint
