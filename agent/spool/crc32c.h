#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace holdpoint {

// CRC-32C (Castagnoli, as in iSCSI) of `data`, continuing from `crc`: Crc32c(b, Crc32c(a)) is that of a and b joined.
// Uses the SSE4.2 instruction where the processor has it.
uint32_t Crc32c(absl::string_view data, uint32_t crc = 0);

// The same by table, for processors without the instruction and for the test that compares both.
uint32_t Crc32cByTable(absl::string_view data, uint32_t crc = 0);

}  // namespace holdpoint
