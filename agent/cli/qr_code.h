#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace holdpoint {

// The text as a QR code for a terminal: half blocks in UTF-8, two rows of it to a line, dark on light whatever colours
// the terminal has. kInvalidArgument where it is too long for one.
absl::StatusOr<std::string> RenderQrCode(const std::string& text);

}  // namespace holdpoint
