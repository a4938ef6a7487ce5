#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// Envelope fields from this number on are bodies, of which a record has exactly one. They are plain fields and no
// protobuf oneof, because tables map those badly.
inline constexpr int kFirstBodyField = 20;

// How many bodies are set. A body of a newer schema than ours is not seen.
int CountBodies(const v1::Envelope& event);

// The field name of the first body that is set, "exec"; "none" where there is none.
absl::string_view EventType(const v1::Envelope& event);

}  // namespace holdpoint
