#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace holdpoint {

// True for well-formed UTF-8: no overlong forms, no surrogates, nothing past U+10FFFF. Pure.
bool IsValidUtf8(absl::string_view text);

// `text` with each byte that is not part of well-formed UTF-8 written as \xNN. Pure.
std::string ToValidUtf8(absl::string_view text);

// Applies ToValidUtf8 to every string field of the message, also nested, repeated and in maps. What sessions write is
// bytes, and a proto3 string that is not UTF-8 would serialise but never parse again.
void MakeValidUtf8(google::protobuf::Message& message);

}  // namespace holdpoint
