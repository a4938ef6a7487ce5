#include "agent/event/framing.h"

namespace holdpoint {

void FrameRecord(uint32_t schema_id, absl::string_view record, std::string* out) {
  const char prefix[kFramePrefixBytes] = {0,
                                          static_cast<char>(schema_id >> 24),
                                          static_cast<char>(schema_id >> 16),
                                          static_cast<char>(schema_id >> 8),
                                          static_cast<char>(schema_id),
                                          0};
  out->assign(prefix, sizeof(prefix));
  out->append(record.data(), record.size());
}

absl::string_view UnframeRecord(absl::string_view value) {
  const bool framed = value.size() >= kFramePrefixBytes && value[0] == 0 && value[kFramePrefixBytes - 1] == 0;
  return framed ? value.substr(kFramePrefixBytes) : value;
}

}  // namespace holdpoint
