#pragma once

#include <vector>

#include "absl/status/status.h"
#include "agent/kernel/kernel.h"
#include "agent/kernel/maps.h"

namespace holdpoint {

using Dest4 = MapView<hp_dest4_key, hp_dest>;
using Dest6 = MapView<hp_dest6_key, hp_dest>;

// Makes the two tables say exactly `prefixes`. New entries go in before old ones go out, each by itself: a connect
// meanwhile sees the old or the new entry of its longest prefix. kInvalidArgument: an address that is not 4 or 16
// bytes, too long a prefix, too many ranges, a range that is upside down.
absl::Status ReplaceDestinations(const Dest4& table4, const Dest6& table6,
                                 const std::vector<Kernel::DestinationPrefix>& prefixes);

}  // namespace holdpoint
