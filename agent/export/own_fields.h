#pragma once

#include <nlohmann/json.hpp>

#include "agent/export/story.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// What only Holdpoint knows of an event, in one shape for every format that takes JSON: ECS has it as "holdpoint", OCSF
// as "unmapped.holdpoint". Names are the record's; fields that are not set are left out. Pure.
nlohmann::json OwnFields(const v1::Envelope& event, const Story& story);

// Sets `object[key]` to text, clipped, where there is any.
void PutText(nlohmann::json& object, const char* key, absl::string_view text, size_t max = 1024);

// Sets it where it is not 0.
void PutNumber(nlohmann::json& object, const char* key, uint64_t value);

// One line of printable ASCII.
std::string OneLine(const nlohmann::json& object);

// The coding agent whose session the event belongs to, as far as the event says so.
std::string CodingAgentOf(const v1::Envelope& event, const Story& story);

}  // namespace holdpoint
