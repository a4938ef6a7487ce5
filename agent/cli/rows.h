#pragma once

#include <cstdint>
#include <string>

#include "nlohmann/json.hpp"

namespace holdpoint {

using Json = nlohmann::ordered_json;

// One line of ASCII JSON.
std::string JsonLine(const Json& json);

// Values of a row, empty or 0 where they are missing or of another type.
std::string TextOf(const Json& row, const char* key);
int64_t NumberOf(const Json& row, const char* key);
bool FlagOf(const Json& row, const char* key);
std::string ListOf(const Json& row, const char* key);  // joined with ", "

}  // namespace holdpoint
