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

}  // namespace holdpoint
