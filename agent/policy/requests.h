#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/parse/graphql_request.h"
#include "agent/parse/http_request.h"
#include "agent/parse/json_body.h"
#include "agent/policy/act.h"
#include "agent/policy/fact_book.h"
#include "agent/policy/tool.h"

namespace holdpoint {

// One request with everything that rules look into, parsed once.
struct RequestView {
  HttpRequest http;
  GraphqlRequest graphql;
  std::optional<JsonValue> json;  // of a body that is JSON
};

struct RequestsOfAct {
  std::vector<RequestView> requests;
  std::vector<std::string> blind_spots;
};

// The requests that this command line sends, with the files it names where `facts` has them. Relative names are in the
// act's working directory. Files that do not exist and were only implied are no blind spot. Pure.
RequestsOfAct ReadRequests(ToolModel::Requests kind, const std::vector<std::string>& argv, const ExecAct& act,
                           FactBook* facts);

// Follows a dotted path: "input.id"; a number takes an item of a list. Null where there is nothing.
const JsonValue* FindInJson(const JsonValue& root, absl::string_view dotted);

}  // namespace holdpoint
