#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace holdpoint {

// Length of the well-formed sequence at the start of `text`, which is not empty; 0 where there is none. Pure.
size_t Utf8SequenceLength(absl::string_view text);

// Well-formed UTF-8 (no overlong forms, surrogates or values past U+10FFFF), as protobuf's text fields demand. Pure.
bool IsValidUtf8(absl::string_view text);

// The text with every byte that is not part of well-formed UTF-8 replaced by "?". What is cut or decoded by others
// passes here before it enters a message: one bad byte would make the whole message unreadable.
std::string ToValidUtf8(absl::string_view text);

}  // namespace holdpoint
