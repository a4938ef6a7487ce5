#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// One event as one line of JSON, without the line feed. Pure.
//
// Printable ASCII only: everything else in a string is \uXXXX, so that no terminal acts on it. Field names are the
// schema's. Three differences to protobuf's own JSON mapping, for people and for jq: bytes are lower-case hexadecimal,
// 64-bit integers are numbers, enum values are their short lower-case names ("refuse"). The line starts with "type"
// (the name of the body, "exec") and "time" (RFC 3339, UTC, nanoseconds); fields that are not set are left out.
std::string EventToJson(const v1::Envelope& event);

// `text` as a quoted JSON string, ASCII only. Bytes that are not UTF-8 become \xNN first.
std::string JsonString(absl::string_view text);

}  // namespace holdpoint
