#include "agent/base/version.h"

namespace holdpoint {

absl::string_view Version() { return HOLDPOINT_VERSION; }

}  // namespace holdpoint
