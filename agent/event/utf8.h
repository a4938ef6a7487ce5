#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace holdpoint {

// `text` with each byte that is not part of well-formed UTF-8 written as \xNN. Pure.
std::string EscapeInvalidUtf8(absl::string_view text);

// Applies EscapeInvalidUtf8 to every string field of the message, also nested, repeated and in maps. What sessions write is
// bytes, and a proto3 string that is not UTF-8 would serialise but never parse again.
void MakeValidUtf8(google::protobuf::Message& message);

}  // namespace holdpoint
