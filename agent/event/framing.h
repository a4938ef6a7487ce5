#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace holdpoint {

// How a schema registry's clients know a record: a zero byte, the schema's id in four bytes, big endian, and the place
// of the message in its file. The envelope is the first one, and that is one zero byte.
inline constexpr size_t kFramePrefixBytes = 6;

// `out` becomes the prefix and the record.
void FrameRecord(uint32_t schema_id, absl::string_view record, std::string* out);

// The record inside of a value from a topic, with or without a prefix: no record begins with a zero byte.
absl::string_view UnframeRecord(absl::string_view value);

// The message without a value by which `holdpoint doctor` tries whether it may write: not a record.
inline constexpr char kProbeKey[] = "holdpoint-doctor";
inline constexpr char kProbeType[] = "holdpoint.v1.probe";

}  // namespace holdpoint
