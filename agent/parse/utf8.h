#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace holdpoint {

// Appends one code point, at most U+10FFFF.
void AppendUtf8(uint32_t code, std::string* out);

// Each byte that is part of no well-formed sequence becomes U+FFFD, as Node, Python and others make of it; *replaced is
// set where there was one and left alone otherwise.
std::string ReplaceInvalidUtf8(absl::string_view text, bool* replaced);

}  // namespace holdpoint
