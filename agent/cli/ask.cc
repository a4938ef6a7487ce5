#include "agent/cli/ask.h"

#include <stdio.h>

#include "absl/strings/str_cat.h"
#include "agent/cli/terminal.h"

namespace holdpoint {

absl::StatusOr<ControlAnswer> Ask(const Context& context, ControlRequest& request, absl::Duration timeout) {
  return AskDaemon(context.SocketPath(), request, timeout);
}

int Tell(const ControlAnswer& answer) {
  if (!answer.message.empty()) {
    if (answer.exit_code == 0) {
      Print(Safe(answer.message) + "\n");
    } else {
      fprintf(stderr, "holdpoint: %s\n", Safe(answer.message).c_str());
    }
  }
  return answer.exit_code;
}

absl::StatusOr<Json> ObjectOf(const ControlAnswer& answer) {
  Json object = answer.bodies.size() == 1 ? Json::parse(answer.bodies[0], nullptr, false) : Json();
  if (!object.is_object()) return absl::DataLossError("the daemon's answer is not one JSON object");
  return object;
}

absl::StatusOr<std::vector<Json>> RowsOf(const ControlAnswer& answer, const std::string& key) {
  std::vector<Json> rows;
  for (const std::string& body : answer.bodies) {
    const Json page = Json::parse(body, nullptr, false);
    if (!page.is_object() || !page.contains(key) || !page[key].is_array()) {
      return absl::DataLossError(absl::StrCat("the daemon's answer has no list of ", key));
    }
    for (const Json& row : page[key]) rows.push_back(row);
  }
  return rows;
}

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
