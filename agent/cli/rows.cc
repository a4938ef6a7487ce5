#include "agent/cli/rows.h"

#include "absl/strings/str_cat.h"

namespace holdpoint {

std::string JsonLine(const Json& json) { return json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n"; }

std::string TextOf(const Json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_string() ? found->get<std::string>() : "";
}

int64_t NumberOf(const Json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

bool FlagOf(const Json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_boolean() && found->get<bool>();
}

std::string ListOf(const Json& row, const char* key) {
  std::string list;
  const auto found = row.find(key);
  if (found == row.end() || !found->is_array()) return list;
  for (const Json& item : *found) {
    if (item.is_string()) absl::StrAppend(&list, list.empty() ? "" : ", ", item.get<std::string>());
  }
  return list;
}

}  // namespace holdpoint
