#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/environment/configuration.h"

namespace holdpoint {

// "10.1.0.0/16", "2001:db8::/32", or one address. An IPv4 range in IPv6 clothes (::ffff:0:0/96 and longer) becomes
// IPv4. Host bits that are set are an error, because it is not known which range was meant.
absl::StatusOr<AddressRange> ParseRange(absl::string_view text);

// "5432" or "8000-8100"; 1 to 65535.
absl::StatusOr<PortRange> ParsePorts(absl::string_view text);

// The 4 or 16 bytes of an address as programs take it: also 127.1, 0x7f000001, 017700000001, [::1] and fe80::1%eth0.
// Empty where it is a name. IPv4 in IPv6 becomes 4 bytes.
std::string AddressFromText(absl::string_view text);

// 16 bytes that hold an IPv4 address become its 4 bytes; others stay as they are.
std::string UnmapAddress(absl::string_view address);

bool RangeHolds(const AddressRange& range, absl::string_view address);

}  // namespace holdpoint
